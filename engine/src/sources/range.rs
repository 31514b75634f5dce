//! `range`: consecutive numbers.

use std::ops::Range;

use kiln_planner::Site;

use super::spread;
use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::Result;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// Numbers in one partition of a large range, about.
const ROWS_PER_PARTITION: u64 = 1 << 22;
/// Partitions of a range at most.
const MAX_PARTITIONS: u64 = 1024;
/// Numbers between two looks at whether to stop.
const LOOK_ROWS: u64 = 1 << 16;

impl Context {
    /// The numbers of `range`, in order.
    ///
    /// There is a partition for every 128 numbers, up to 64 partitions, and from there on one for every four
    /// million. This follows from the length of the range alone, never from the slots, so that results are the
    /// same wherever a job runs. Where a few numbers mean much work each,
    /// [`repartition`](crate::Dataset::repartition) spreads them further.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// assert_eq!(kiln::Context::local(1).range(3..6).collect()?, [3, 4, 5]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn range(&self, range: Range<u64>) -> Dataset<u64, Numbers> {
        let rows = range.end.saturating_sub(range.start);
        let partitions = spread(rows, ROWS_PER_PARTITION).min(MAX_PARTITIONS);
        let origin = Origin::source(self, partitions as usize, rows.saturating_mul(8));
        Dataset::over(Numbers { range, partitions, site: Site::caller() }, origin)
    }
}

/// A chain that starts with the numbers of a range.
#[derive(Clone)]
pub struct Numbers {
    range: Range<u64>,
    partitions: u64,
    site: Site,
}

impl Ship for Numbers {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.range.start, self.range.end, self.partitions, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (start, end, partitions, site) = params.take()?;
        Ok(Numbers { range: start..end, partitions, site })
    }
}

impl Chain for Numbers {
    type Out = u64;

    #[inline]
    fn drive<S: RowConsumer<u64>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let rows = self.range.end.saturating_sub(self.range.start);
        let cut = |i: u64| {
            self.range.start + (u128::from(rows) * u128::from(i) / u128::from(self.partitions)) as u64
        };
        let (mut at, end) = (cut(task.partition as u64), cut(task.partition as u64 + 1));
        while at < end && !sink.is_full() {
            task.check()?;
            let stop = end.min(at.saturating_add(LOOK_ROWS));
            for n in at..stop {
                sink.push(n);
            }
            at = stop;
        }
        Ok(())
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(format!("range {}..{}", self.range.start, self.range.end), &self.site));
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}
