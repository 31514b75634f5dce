//! `histogram`: how many numbers fall in each of some buckets.
//!
//! Buckets of equal width cover the numbers from the smallest to the largest, which a job before the job of the
//! action finds; the stages below run once, as their output is kept until the action ends.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::Site;

use super::number::Number;
use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::{Fused, OperatorExec, Terminal};
use crate::row::{Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Buckets at most: each task has a count for each of them.
const MAX_BUCKETS: usize = 1 << 20;

impl<T: Number, C: Chain<Out = T>> Dataset<T, C> {
    /// Counts numbers in `buckets` of equal width from the smallest to the largest number: gives the edges, one
    /// more than there are buckets, and the counts. A bucket has its lower edge and not its upper one, but the
    /// last one has both.
    ///
    /// NaN and infinities are left out. If all numbers are equal there is one bucket, whose edges are equal;
    /// without numbers there are no edges and no counts. Integers beyond 2^53 are rounded. The numbers are computed
    /// twice; [`histogram_between`](Dataset::histogram_between) needs one pass.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let (edges, counts) = cx.range(0..51).histogram(5)?;
    /// assert_eq!(edges, [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
    /// assert_eq!(counts, [10, 10, 10, 10, 11]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of class config when there are no buckets or more than 2^20; else whatever stops the job, with its class
    /// and place.
    #[track_caller]
    pub fn histogram(&self, buckets: usize) -> Result<(Vec<f64>, Vec<u64>)> {
        let site = Site::caller();
        if !(1..=MAX_BUCKETS).contains(&buckets) {
            let error = Error::config(format!("a histogram cannot have {buckets} buckets"));
            return Err(error.at("line", &site).help("give a number from 1 to 2^20"));
        }
        let edges = Arc::default();
        let counts = self.count_in(Bins { buckets, edges: Arc::clone(&edges), site })?;
        Ok((edges.get().cloned().unwrap_or_default(), counts))
    }

    /// Counts numbers in the buckets between neighbours of `edges`, which ascend. A bucket has its lower edge and
    /// not its upper one, but the last one has both. NaN, and numbers below the first edge or above the last one, are
    /// left out.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let ages = cx.parallelize([3.0, 17.5, 18.0, 64.0, 65.0, 99.0, -1.0, f64::NAN]);
    /// assert_eq!(ages.histogram_between(&[0.0, 18.0, 65.0, f64::INFINITY])?, [2, 2, 2]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of class config when there are fewer than two edges or more than 2^20 buckets, or an edge is not larger than
    /// the one before it; else whatever stops the job, with its class and place.
    #[track_caller]
    pub fn histogram_between(&self, edges: &[f64]) -> Result<Vec<u64>> {
        let site = Site::caller();
        let ascend = edges.windows(2).all(|pair| pair[0] < pair[1]);
        if !(2..=MAX_BUCKETS + 1).contains(&edges.len()) || !ascend {
            let error = Error::config("these edges make no histogram").at("line", &site);
            return Err(error.help("give two edges or more, each larger than the one before it"));
        }
        let edges = Arc::new(OnceLock::from(edges.to_vec()));
        self.count_in(Bins { buckets: 0, edges, site })
    }

    fn count_in(&self, bins: Bins) -> Result<Vec<u64>> {
        self.origin.check()?;
        let parts: Vec<Vec<u64>> = ipc::rows_of(&self.origin.cx.act(&self.end_in(bins))?.batches)?;
        let sum = |a: Vec<u64>, b: Vec<u64>| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
        Ok(parts.into_iter().reduce(sum).unwrap_or_default())
    }
}

/// The edges of `buckets` of equal width from `min` to `max`, both finite.
fn even_edges(min: f64, max: f64, buckets: usize) -> Vec<f64> {
    if min == max {
        return vec![min, max];
    }
    let (width, steps) = (max - min, buckets as f64);
    let edge = |at: usize| {
        let edge = if (width * steps).is_finite() {
            // Multiplied first, so that edges between whole numbers are whole where they can be.
            min + width * at as f64 / steps
        } else {
            let share = at as f64 / steps;
            min * (1.0 - share) + max * share
        };
        edge.clamp(min, max)
    };
    (0..buckets).map(edge).chain([max]).collect()
}

/// The bucket in which a number falls, if it does.
#[inline]
fn bucket(edges: &[f64], number: f64) -> Option<usize> {
    let (first, last) = (edges.first()?, edges.last()?);
    let is_inside = *first <= number && number <= *last;
    is_inside.then(|| edges.partition_point(|edge| *edge <= number).min(edges.len() - 1) - 1)
}

/// Counts the numbers of a partition by bucket.
struct Bins {
    /// How many there are to be, unless the edges are given.
    buckets: usize,
    /// Known once the smallest and the largest number are.
    edges: Arc<OnceLock<Vec<f64>>>,
    site: Site,
}

impl Ship for Bins {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.buckets, self.edges.get(), &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (buckets, edges, site): (usize, Option<Vec<f64>>, Site) = params.take()?;
        Ok(Bins { buckets, edges: Arc::new(edges.map(OnceLock::from).unwrap_or_default()), site })
    }
}

impl<T: Number> Terminal<T> for Bins {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let edges =
            self.edges.get().ok_or_else(|| Error::bug("a histogram runs before its edges are known"))?;
        let mut sink = BinSink { edges, counts: vec![0; edges.len().saturating_sub(1)] };
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<Vec<u64>>::new(1, out);
        writer.push(0, sink.counts.view());
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<Vec<u64>>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("histogram", &self.site));
    }

    fn prepare<C: Chain<Out = T>>(
        &self,
        chain: &C,
        inputs: &[Arc<dyn ExecutionPlan>],
        partitions: usize,
        cx: &Context,
    ) -> Result<()> {
        if self.edges.get().is_some() {
            return Ok(());
        }
        let ends = Fused::operator(chain.clone(), Ends);
        let plan: Arc<dyn ExecutionPlan> = Arc::new(OperatorExec::new(ends, inputs.to_vec(), partitions));
        let parts: Vec<(f64, f64)> = ipc::rows_of(&cx.run(&plan)?.batches)?;
        let ends = parts.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let edges = ends.map(|(min, max)| even_edges(min, max, self.buckets));
        let _ = self.edges.set(edges.unwrap_or_default());
        Ok(())
    }
}

struct BinSink<'a> {
    edges: &'a [f64],
    counts: Vec<u64>,
}

impl<T: Number> RowConsumer<T> for BinSink<'_> {
    #[inline]
    fn push(&mut self, number: T::View<'_>) {
        if let Some(bucket) = bucket(self.edges, T::own(number).float()) {
            self.counts[bucket] += 1;
        }
    }
}

/// Finds the smallest and the largest finite number of a partition.
struct Ends;

impl Ship for Ends {
    fn ship(&self, _: &mut ParamWriter) -> Result<()> {
        Ok(())
    }
    fn rebuild(_: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Ends)
    }
}

impl<T: Number> Terminal<T> for Ends {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = EndSink(None);
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<(f64, f64)>::new(1, out);
        sink.0.iter().for_each(|ends| writer.push(0, *ends));
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(f64, f64)>()
    }

    fn steps(&self, _: &mut Vec<Step>) {}
}

struct EndSink(Option<(f64, f64)>);

impl<T: Number> RowConsumer<T> for EndSink {
    #[inline]
    fn push(&mut self, number: T::View<'_>) {
        let number = T::own(number).float();
        if number.is_finite() {
            let (min, max) = self.0.unwrap_or((number, number));
            self.0 = Some((min.min(number), max.max(number)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_ascend_from_the_smallest_to_the_largest_number_however_far_they_are_apart() {
        for (min, max) in [(f64::MIN, f64::MAX), (0.1, 0.1_f64.next_up()), (-1e-320, 1e-320), (-3.0, 7.0)] {
            let edges = even_edges(min, max, 10);
            assert!(edges.len() == 11 && edges.is_sorted(), "{edges:?}");
            assert_eq!((edges[0], edges[10]), (min, max));
            assert_eq!((bucket(&edges, max), bucket(&edges, max.next_up())), (Some(9), None));
        }
        assert!(even_edges(0.0, 49.0, 49).into_iter().eq((0..50).map(f64::from)), "whole where they can be");
    }
}
