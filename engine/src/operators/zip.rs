//! `zip`: pairs the rows of two datasets by position.
//!
//! Rows are pushed, so a second thread computes the right side and passes it on in batches, while the
//! task's own thread computes the left side (`partition_rows`).

use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use super::partition_rows::{PartitionRows, pulled_input};
use crate::chain::{Chain, Step};
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::plan::{Operator, OperatorExec};
use crate::row::{Row, RowReader, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

const NAME: &str = "zip";

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Pairs the first row of each partition with the first row of the same partition of `other`, the
    /// second with the second, and so on. Both must have the same number of partitions and of rows in
    /// each of them, for example because one is the result of a `map` of the other.
    ///
    /// No rows move. To pair rows by position regardless of partitions, join the results of
    /// [`zip_with_index`](Dataset::zip_with_index) by index.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let numbers = cx.parallelize_in(2, 0..3u64);
    /// let squares = numbers.clone().map(|n| n * n);
    /// assert_eq!(numbers.zip(squares).collect()?, [(0, 0), (1, 1), (2, 4)]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The action fails with a config error when the numbers of partitions differ, and with a data
    /// error, which names the partition and both numbers, when the numbers of rows in a partition
    /// differ. An action that stops before the end of a partition, such as `take`, does not detect
    /// that.
    #[track_caller]
    pub fn zip<U: Row, D: Chain<Out = U>>(self, other: Dataset<U, D>) -> Dataset<(T, U)> {
        let (site, partitions) = (Site::caller(), self.origin.partitions);
        let origin = zipped(&self.origin, &other.origin, NAME, &site);
        table::anchor::<ZipRows<T, U>>();
        let operator = Arc::new(ZipRows::<T, U> { site, _rows: PhantomData });
        let plan = OperatorExec::new(operator, vec![self.to_plan(), other.to_plan()], partitions);
        Dataset::from_plan(Arc::new(plan), origin)
    }
}

/// The properties of two datasets that are zipped, with an error if their numbers of partitions differ.
pub(super) fn zipped(left: &Origin, right: &Origin, name: &str, site: &Site) -> Origin {
    let (lefts, rights) = (left.partitions, right.partitions);
    let differ = || {
        let error = Error::config(format!("{name}: one dataset has {lefts} partitions, the other {rights}"));
        let help = "give both the same number of partitions, for example with `coalesce`; to pair rows whatever \
                    the partitions, join by the position that `zip_with_index` gives them";
        error.at("line", site).help(help)
    };
    left.clone().with(right).moved().failing((lefts != rights).then(differ))
}

/// Pairs the rows of one partition.
struct ZipRows<T, U> {
    site: Site,
    _rows: PhantomData<fn() -> (T, U)>,
}

impl<T: Row, U: Row> ZipRows<T, U> {
    fn pair(
        &self,
        task: &Task<'_>,
        rights: &mut PartitionRows<U>,
        writer: &mut PartitionedWriter<'_, (T, U)>,
    ) -> Result<()> {
        let (mut left, mut right) = (0_u64, 0_u64);
        task.read_input(0, &mut |batch| {
            task.check()?;
            for row in RowReader::<T>::open(&batch)?.iter() {
                let pair = rights.next_with(|other| writer.push(0, (T::narrow(row), U::narrow(other))));
                right += u64::from(pair.is_some());
                left += 1;
            }
            Ok(if writer.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if writer.is_closed() {
            return Ok(());
        }
        while rights.next_with(|_| ()).is_some() {
            right += 1;
        }
        if left == right {
            return Ok(());
        }
        let text = format!("zip: a partition has {left} rows in one dataset and {right} in the other");
        let help = "`zip` needs as many rows in each partition of both; to pair rows whatever the partitions, join \
                    by the position that `zip_with_index` gives them";
        Err(Error::data(text).at("partition", task.partition).at("line", &self.site).help(help))
    }
}

impl<T: Row, U: Row> Operator for ZipRows<T, U> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::<(T, U)>::new(1, out);
        pulled_input(1, task, |mut rights| self.pair(task, &mut rights, &mut writer))?;
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(T, U)>()
    }

    fn steps(&self) -> Vec<Step> {
        vec![Step::new(NAME, &self.site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.site)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(ZipRows { site: params.take()?, _rows: PhantomData })
    }
}
