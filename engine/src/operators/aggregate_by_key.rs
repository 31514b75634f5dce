//! `aggregate_by_key`: folds the values of each key into an accumulator with a given initial value.

use kiln_planner::Site;

use crate::aggregate::{FromZero, NoShared};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Adds the values of each key to an accumulator with `seq` and merges the accumulators of
    /// different tasks with `comb`. Accumulators start as `zero`, which must be neutral, because it may
    /// be used more than once per key. If accumulators have the type of the values,
    /// [`fold_by_key`](Dataset::fold_by_key) is simpler.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..10).key_by(|n| n % 2);
    /// let mut spans = pairs
    ///     .aggregate_by_key((u64::MAX, 0), |(min, max), n| (n.min(min), n.max(max)), |a, b| (a.0.min(b.0), a.1.max(b.1)))
    ///     .collect()?;
    /// spans.sort();
    /// assert_eq!(spans, [(0, (0, 8)), (1, (1, 9))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn aggregate_by_key<A: Row, F, M>(self, zero: A, seq: F, comb: M) -> Dataset<(K, A)>
    where
        K: Key,
        F: for<'a> Fn(A, V::View<'a>) -> A + Send + Sync + 'static,
        M: Fn(A, A) -> A + Send + Sync + 'static,
    {
        self.aggregate_keys(FromZero::<V, A, _, F, M>::new(NoShared, zero, seq, comb, Site::caller()))
    }

    /// `aggregate_by_key` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument of both closures.
    #[track_caller]
    pub fn aggregate_by_key_with<P: Param, A: Row, F, M>(
        self,
        shared: &Shared<P>,
        zero: A,
        seq: F,
        comb: M,
    ) -> Dataset<(K, A)>
    where
        K: Key,
        F: for<'p, 'a> Fn(&'p P, A, V::View<'a>) -> A + Send + Sync + 'static,
        M: for<'p> Fn(&'p P, A, A) -> A + Send + Sync + 'static,
    {
        self.aggregate_keys(FromZero::<V, A, _, F, M>::new(shared.clone(), zero, seq, comb, Site::caller()))
    }
}
