//! `parallelize`: rows that the driver has in memory.

use std::marker::PhantomData;

use arrow::array::RecordBatch;
use kiln_planner::Site;

use super::spread;
use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::Result;
use crate::row::{Row, RowReader, ipc};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// Rows in one partition of many rows, about.
const ROWS_PER_PARTITION: u64 = 1 << 16;
/// Partitions at most.
const MAX_PARTITIONS: u64 = 256;

impl Context {
    /// A dataset of rows that are here already. They travel to executors with the plan, so this is
    /// for small data: a lookup table, a test.
    ///
    /// There is a partition for every 128 rows, up to 64 partitions, and from there on one for every 65,536 rows.
    /// This follows from the number of rows alone, never from the slots, so that results are the same wherever a
    /// job runs. Few rows with much work each are given partitions of their own by
    /// [`parallelize_in`](Context::parallelize_in).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.parallelize([Some(1u64), None]).count()?, 2);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn parallelize<T: Row>(&self, rows: impl IntoIterator<Item = T>) -> Dataset<T, Rows<T>> {
        self.parallelize_in(0, rows)
    }

    /// `parallelize` into a number of partitions, which later exchanges keep; 0 lets the engine choose.
    #[track_caller]
    pub fn parallelize_in<T: Row>(
        &self,
        partitions: usize,
        rows: impl IntoIterator<Item = T>,
    ) -> Dataset<T, Rows<T>> {
        let rows: Vec<T> = rows.into_iter().collect();
        let is_chosen = partitions > 0;
        let spread = spread(rows.len() as u64, ROWS_PER_PARTITION).min(MAX_PARTITIONS) as usize;
        let partitions = if is_chosen { partitions } else { spread };
        let site = Site::caller();
        match ipc::batch_of(rows.iter()) {
            Ok(batch) => {
                let origin = Origin::source(self, partitions, batch.get_array_memory_size() as u64);
                let origin = if is_chosen { origin.keeping(partitions) } else { origin };
                Dataset::over(Rows { batch: Some(batch), partitions, site, _row: PhantomData }, origin)
            }
            Err(error) => {
                let chain = Rows { batch: None, partitions: 1, site, _row: PhantomData };
                Dataset::over(chain, Origin::broken(self, error))
            }
        }
    }
}

/// A chain that starts with rows of the driver's.
pub struct Rows<T> {
    batch: Option<RecordBatch>,
    partitions: usize,
    site: Site,
    _row: PhantomData<fn() -> T>,
}

impl<T> Clone for Rows<T> {
    fn clone(&self) -> Self {
        Rows {
            batch: self.batch.clone(),
            partitions: self.partitions,
            site: self.site.clone(),
            _row: PhantomData,
        }
    }
}

impl<T: Row> Ship for Rows<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.partitions, &self.site))?;
        params.put_bytes(&self.batch.as_ref().map_or(Ok(Vec::new()), ipc::to_bytes)?)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (partitions, site) = params.take()?;
        let batch = ipc::from_bytes(params.take_bytes()?)?.pop();
        Ok(Rows { batch, partitions, site, _row: PhantomData })
    }
}

impl<T: Row> Chain for Rows<T> {
    type Out = T;

    fn drive<S: RowConsumer<T>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let Some(batch) = &self.batch else { return Ok(()) };
        let cut = |i: usize| batch.num_rows() * i / self.partitions;
        let (start, end) = (cut(task.partition), cut(task.partition + 1));
        // Some readers decode all rows that they are given.
        let rows = RowReader::<T>::open(&batch.slice(start, end - start))?;
        for row in rows.iter() {
            if sink.is_full() {
                break;
            }
            sink.push(row);
        }
        Ok(())
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("parallelize", &self.site));
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}
