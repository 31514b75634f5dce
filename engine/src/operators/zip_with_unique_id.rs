//! `zip_with_unique_id`: pairs each row with a unique number, without a job to count rows.

use kiln_planner::Site;

use crate::chain::{Chain, Positional, RowConsumer, ThenAt};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::row::Row;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Pairs each row with a number that no other row has: row `k` of partition `p` of `n` gets
    /// `k * n + p`. The numbers have gaps; those of [`zip_with_index`](Dataset::zip_with_index) have none, but
    /// it computes the rows twice.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let rows = cx.parallelize_in(2, ["a", "b", "c"].map(String::from)).zip_with_unique_id();
    /// assert_eq!(rows.values().collect()?, [0, 1, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn zip_with_unique_id(self) -> Dataset<(T, u64), ThenAt<C, UniqueId>> {
        let operator = UniqueId { partitions: self.origin.partitions as u64 };
        let zipped = self.then_at(operator, Site::caller());
        // The key of the new pairs is the row, so their partitioning is unknown.
        Dataset::over(zipped.chain, zipped.origin.moved())
    }
}

/// Pushes each row with its number.
#[derive(Clone)]
pub struct UniqueId {
    partitions: u64,
}

impl Ship for UniqueId {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(UniqueId { partitions: params.take()? })
    }
}

impl<T: Row> Positional<T> for UniqueId {
    type Out = (T, u64);
    /// Number of the next row.
    type State = u64;
    const NAME: &'static str = "zip_with_unique_id";

    fn start(&self, partition: usize) -> u64 {
        partition as u64
    }

    #[inline]
    fn push<S: RowConsumer<(T, u64)>>(&self, next: &mut u64, row: T::View<'_>, sink: &mut S) {
        sink.push((T::narrow(row), *next));
        *next += self.partitions;
    }
}
