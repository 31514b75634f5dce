//! `combine_by_key`: folds the values of each key into an accumulator created from the first of them.

use kiln_planner::Site;

use crate::aggregate::{FromFirst, NoShared};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Creates an accumulator from a key's first value with `create`, adds further values with
    /// `merge_value`, and merges the accumulators of different tasks with `merge_combiners`. Which
    /// value is first depends on how rows are partitioned, so the result must not depend on it.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..10).key_by(|n| n % 2);
    /// let mut sums = pairs
    ///     .combine_by_key(|n| (n, 1u64), |(sum, count), n| (sum + n, count + 1), |a, b| (a.0 + b.0, a.1 + b.1))
    ///     .collect()?;
    /// sums.sort();
    /// assert_eq!(sums, [(0, (20, 5)), (1, (25, 5))]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn combine_by_key<A: Row, I, F, M>(
        self,
        create: I,
        merge_value: F,
        merge_combiners: M,
    ) -> Dataset<(K, A)>
    where
        K: Key,
        I: for<'a> Fn(V::View<'a>) -> A + Send + Sync + 'static,
        F: for<'a> Fn(A, V::View<'a>) -> A + Send + Sync + 'static,
        M: Fn(A, A) -> A + Send + Sync + 'static,
    {
        let closures = (create, merge_value, merge_combiners);
        self.aggregate_keys(FromFirst::<V, A, _, I, F, M>::new(NoShared, closures, Site::caller()))
    }

    /// `combine_by_key` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument of all three closures.
    #[track_caller]
    pub fn combine_by_key_with<P: Param, A: Row, I, F, M>(
        self,
        shared: &Shared<P>,
        create: I,
        merge_value: F,
        merge_combiners: M,
    ) -> Dataset<(K, A)>
    where
        K: Key,
        I: for<'p, 'a> Fn(&'p P, V::View<'a>) -> A + Send + Sync + 'static,
        F: for<'p, 'a> Fn(&'p P, A, V::View<'a>) -> A + Send + Sync + 'static,
        M: for<'p> Fn(&'p P, A, A) -> A + Send + Sync + 'static,
    {
        let (closures, site) = ((create, merge_value, merge_combiners), Site::caller());
        self.aggregate_keys(FromFirst::<V, A, _, I, F, M>::new(shared.clone(), closures, site))
    }
}
