//! `fold_by_key`: the values of one key are folded into an accumulator.

use kiln_planner::Site;

use crate::aggregate::{Fold, InPlace, Name, NoShared};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Folds the values of each key into an accumulator that starts as `init()`; accumulators of
    /// different tasks are joined by `merge`. `init()` must be neutral: it is called more than once
    /// for a key, how often is not said.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..10).key_by(|n| n % 2);
    /// let mut means = pairs
    ///     .fold_by_key(|| (0u64, 0u64), |acc, n| *acc = (acc.0 + n, acc.1 + 1), |a, b| *a = (a.0 + b.0, a.1 + b.1))
    ///     .map_values(|(sum, count)| sum / count)
    ///     .collect()?;
    /// means.sort();
    /// assert_eq!(means, [(0, 4), (1, 5)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn fold_by_key<A: Row, I, F, M>(self, init: I, fold: F, merge: M) -> Dataset<(K, A)>
    where
        K: Key,
        I: Fn() -> A + Send + Sync + 'static,
        F: for<'a> Fn(&mut A, V::View<'a>) + Send + Sync + 'static,
        M: Fn(&mut A, A) + Send + Sync + 'static,
    {
        let closures = (init, fold, merge);
        let fold =
            Fold::<InPlace, V, A, _, I, F, M>::new(NoShared, closures, Name::FoldByKey, Site::caller());
        self.aggregate_keys(fold)
    }

    /// `fold_by_key` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument of all three closures.
    #[track_caller]
    pub fn fold_by_key_with<P: Param, A: Row, I, F, M>(
        self,
        shared: &Shared<P>,
        init: I,
        fold: F,
        merge: M,
    ) -> Dataset<(K, A)>
    where
        K: Key,
        I: for<'p> Fn(&'p P) -> A + Send + Sync + 'static,
        F: for<'p, 'a> Fn(&'p P, &mut A, V::View<'a>) + Send + Sync + 'static,
        M: for<'p> Fn(&'p P, &mut A, A) + Send + Sync + 'static,
    {
        let (closures, site) = ((init, fold, merge), Site::caller());
        let fold = Fold::<InPlace, V, A, _, I, F, M>::new(shared.clone(), closures, Name::FoldByKey, site);
        self.aggregate_keys(fold)
    }
}
