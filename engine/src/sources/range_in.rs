//! `range_in`: numbers from a start to an end, by a step of either sign, in a number of partitions.

use kiln_planner::Site;

use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::task::Task;

/// Numbers in one partition, about, where their number is not given.
const ROWS_PER_PARTITION: u128 = 1 << 22;
/// Partitions at most, where their number is not given.
const MAX_PARTITIONS: u128 = 1024;
/// Numbers between two looks at whether to stop.
const LOOK_ROWS: u128 = 1 << 16;

impl Context {
    /// The numbers `start`, `start + step`, `start + 2 * step` and so on, before `end`, which is not one of them. With
    /// a negative step they descend. There are none when `end` is not on that side of `start`.
    ///
    /// They are spread evenly over `partitions`, which exchanges after it then have at least; 0 lets the
    /// engine choose. [`range`](Context::range) is the common case.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range_in(2, 0, 10, 3).collect()?, [0, 3, 6, 9]);
    /// assert_eq!(cx.range_in(2, 2, -3, -2).collect()?, [2, 0, -2]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config when the step is 0.
    #[track_caller]
    pub fn range_in(&self, partitions: usize, start: i64, end: i64, step: i64) -> Dataset<i64, SteppedRange> {
        let (site, rows) = (Site::caller(), rows(start, end, step));
        let chosen = rows.div_ceil(ROWS_PER_PARTITION).clamp(1, MAX_PARTITIONS) as usize;
        let least = partitions;
        let partitions = if partitions == 0 { chosen } else { partitions };
        let bytes = u64::try_from(rows.saturating_mul(8)).unwrap_or(u64::MAX);
        let mut origin = Origin::source(self, partitions, bytes).at_least(least);
        if step == 0 {
            let error = Error::config("a range cannot have a step of 0").at("line", &site);
            origin =
                origin.failing(error.help("give a step above 0 to count up, or one below 0 to count down"));
        }
        Dataset::over(SteppedRange { start, end, step, partitions, site }, origin)
    }
}

/// How many numbers there are. 128 bits hold every difference of two of 64.
fn rows(start: i64, end: i64, step: i64) -> u128 {
    let apart = i128::from(end) - i128::from(start);
    if step == 0 || (apart < 0) != (step < 0) {
        return 0;
    }
    apart.unsigned_abs().div_ceil(u128::from(step.unsigned_abs()))
}

/// A chain that starts with the numbers of a range with a step.
#[derive(Clone)]
pub struct SteppedRange {
    start: i64,
    end: i64,
    step: i64,
    partitions: usize,
    site: Site,
}

impl Ship for SteppedRange {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.start, self.end, self.step, self.partitions, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (start, end, step, partitions, site) = params.take()?;
        Ok(SteppedRange { start, end, step, partitions, site })
    }
}

impl Chain for SteppedRange {
    type Out = i64;

    fn drive<S: RowConsumer<i64>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let rows = rows(self.start, self.end, self.step);
        // Quotient and remainder apart, as the product of the number of rows and a partition may overflow.
        let (partitions, partition) = (self.partitions as u128, task.partition as u128);
        let cut = |at: u128| rows / partitions * at + rows % partitions * at / partitions;
        let (mut at, end) = (cut(partition), cut(partition + 1));
        while at < end && !sink.is_full() {
            task.check()?;
            let stop = end.min(at + LOOK_ROWS);
            for row in at..stop {
                // Each number is between start and end, so it fits.
                sink.push((i128::from(self.start) + row as i128 * i128::from(self.step)) as i64);
            }
            at = stop;
        }
        Ok(())
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        let name = format!("range_in {}..{} by {}", self.start, self.end, self.step);
        steps.push(Step::new(name, &self.site));
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_rows_is_right_at_the_ends_of_64_bits() {
        assert_eq!(rows(i64::MIN, i64::MAX, 1), u128::from(u64::MAX));
        assert_eq!(rows(i64::MAX, i64::MIN, -1), u128::from(u64::MAX));
        assert_eq!((rows(i64::MIN, i64::MAX, i64::MAX), rows(i64::MAX, i64::MIN, i64::MIN)), (3, 2));
        assert_eq!((rows(0, 10, 3), rows(10, 0, -3), rows(0, 9, 3), rows(9, 0, -3)), (4, 4, 3, 3));
        assert_eq!(
            (rows(0, 10, -1), rows(10, 0, 1), rows(5, 5, 1), rows(5, 5, -1), rows(0, 1, 0)),
            (0, 0, 0, 0, 0)
        );
    }
}
