//! `take_sample`: a random sample of an exact size.
//!
//! Every row is given a random rank, and the rows with the smallest ranks are the sample: each set of that
//! size, in each order, is equally likely. So one pass is enough, and a task keeps no more rows than the
//! sample has. What is drawn with replacement comes of such a sample and the number of all rows (`repeated`).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::marker::PhantomData;

use arrow::datatypes::SchemaRef;
use kiln_planner::Site;

use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::driver::TaskReport;
use crate::error::{Error, Result};
use crate::operators::Random;
use crate::plan::Terminal;
use crate::row::{Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// A random sample of `n` rows, in random order. Without replacement a row is in it once at most, so
    /// there are no more rows than the dataset has; with replacement each of the `n` is one of all rows, and
    /// there are none only if the dataset has none. They must fit the driver's memory, and that of a task.
    ///
    /// The choice follows from `seed` and the rows' positions alone: attempts and runs agree.
    /// [`Context::seed`](crate::Context::seed) gives a seed. [`sample`](Dataset::sample) is for shares of a
    /// large dataset.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// assert_eq!(cx.range(0..1000).take_sample(false, 10, 42)?.len(), 10);
    /// assert_eq!(cx.range(0..3).take_sample(false, 10, 42)?.len(), 3);
    /// assert_eq!(cx.range(0..3).take_sample(true, 10, 42)?.len(), 10);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever stops the job, with its class and place.
    #[track_caller]
    pub fn take_sample(&self, with_replacement: bool, n: usize, seed: u64) -> Result<Vec<T>> {
        self.origin.check()?;
        let end = TakeSample { rows: n, seed, site: Site::caller(), _row: PhantomData::<fn() -> T> };
        let outcome = self.origin.cx.act(&self.end_in(end))?;
        let mut ranked: Vec<(u64, T)> = ipc::rows_of(&outcome.batches)?;
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.truncate(n);
        let rows: Vec<T> = ranked.into_iter().map(|(_, row)| row).collect();
        if with_replacement { Ok(repeated(&rows, seen(&outcome.reports)?, n, seed)) } else { Ok(rows) }
    }
}

/// Rows that all tasks together have seen.
fn seen(reports: &[TaskReport]) -> Result<u64> {
    let one = |report: &TaskReport| postcard::from_bytes::<u64>(&report.payload);
    let sum = reports.iter().map(one).sum::<std::result::Result<u64, _>>();
    sum.map_err(|e| Error::bug("a task's number of rows cannot be read").because(e))
}

/// `n` draws with replacement from `all` rows, of which `rows` are a sample without replacement of `n`, or all.
///
/// A draw hits one of the different rows that were drawn before with the chance of their number in `all`, each of
/// them equally; else it is a new row, and the next one of the sample is that.
fn repeated<T: Row>(rows: &[T], all: u64, n: usize, seed: u64) -> Vec<T> {
    let mut random = Random::of_partition(seed, usize::MAX);
    let (mut drawn, mut different) = (Vec::new(), 0);
    while drawn.len() < n && !rows.is_empty() {
        let mut at = random.below(all) as usize;
        if at >= different {
            at = different;
            different += 1;
        }
        drawn.push(T::own(rows[at].view()));
    }
    drawn
}

/// The rows of a partition with the smallest ranks, and how many rows there were.
struct TakeSample<T> {
    rows: usize,
    seed: u64,
    site: Site,
    _row: PhantomData<fn() -> T>,
}

impl<T> Ship for TakeSample<T> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.rows, self.seed, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (rows, seed, site) = params.take()?;
        Ok(TakeSample { rows, seed, site, _row: PhantomData })
    }
}

impl<T: Row> Terminal<T> for TakeSample<T> {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let random = Random::of_partition(self.seed, task.partition);
        let mut sink = SampleSink::<T> { rows: self.rows, random, seen: 0, kept: BinaryHeap::new() };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<(u64, T)>::new(1, out);
        let kept = sink.kept.into_sorted_vec();
        kept.iter().for_each(|ranked| writer.push(0, (ranked.rank, ranked.row.view())));
        writer.finish()?;
        let seen = postcard::to_stdvec(&sink.seen);
        out.note(seen.map_err(|e| Error::bug("a task's number of rows cannot be sent").because(e))?);
        Ok(())
    }

    fn schema(&self) -> SchemaRef {
        schema::<(u64, T)>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("take_sample", &self.site));
    }
}

struct SampleSink<T> {
    /// How many rows are kept at most.
    rows: usize,
    random: Random,
    seen: u64,
    /// The largest rank on top.
    kept: BinaryHeap<Ranked<T>>,
}

impl<T: Row> RowConsumer<T> for SampleSink<T> {
    #[inline]
    fn push(&mut self, row: T::View<'_>) {
        let rank = self.random.next();
        self.seen += 1;
        if self.kept.len() < self.rows {
            self.kept.push(Ranked { rank, seen: self.seen, row: T::own(row) });
        } else if let Some(mut largest) = self.kept.peek_mut()
            && rank < largest.rank
        {
            *largest = Ranked { rank, seen: self.seen, row: T::own(row) };
        }
    }
}

/// A row with its rank; of equal ranks that of the earlier row is smaller.
struct Ranked<T> {
    rank: u64,
    seen: u64,
    row: T,
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank, self.seen).cmp(&(other.rank, other.seen))
    }
}
impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl<T> Eq for Ranked<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_with_replacement_hit_every_row_equally_often() {
        let (rows, draws) = ([0_u64, 1, 2, 3], 40_000);
        let mut hits = [0; 4];
        repeated(&rows, 4, draws, 11).into_iter().for_each(|row| hits[row as usize] += 1);
        assert!(hits.iter().all(|hits| (9_600..10_400).contains(hits)), "{hits:?}");
    }

    #[test]
    fn two_draws_from_a_few_rows_are_the_same_row_as_often_as_they_should() {
        let twins = (0..10_000).filter(|seed| {
            let drawn = repeated(&[7_u64, 8], 5, 2, *seed);
            drawn[0] == drawn[1]
        });
        let twins = twins.count();
        assert!((1_850..2_150).contains(&twins), "{twins} of 10000, expected one in five");
    }
}
