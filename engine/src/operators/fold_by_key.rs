//! `fold_by_key`: reduces the values of each key to one, starting with a neutral value.

use kiln_planner::Site;

use crate::aggregate::{Name, NoShared, Reduce};
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::{Key, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Reduces the values of each key to one, starting with `zero`. `f` must be associative and
    /// commutative, and `zero` neutral, because it may be used more than once per key. If the
    /// accumulator has another type than the values, use
    /// [`aggregate_by_key`](Dataset::aggregate_by_key).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let pairs = cx.range(0..10).key_by(|n| n % 2);
    /// let mut sums = pairs.fold_by_key(0, |a, b| a + b).collect()?;
    /// sums.sort();
    /// assert_eq!(sums, [(0, 20), (1, 25)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn fold_by_key<F>(self, zero: V, f: F) -> Dataset<(K, V)>
    where
        K: Key,
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        let fold = Reduce::<V, _, F>::new(NoShared, f, Name::FoldByKey, Site::caller());
        self.aggregate_keys(fold.starting_with(zero))
    }

    /// `fold_by_key` with a value from [`Context::share`](crate::Context::share) as the first argument
    /// of `f`.
    #[track_caller]
    pub fn fold_by_key_with<P: Param, F>(self, shared: &Shared<P>, zero: V, f: F) -> Dataset<(K, V)>
    where
        K: Key,
        F: for<'p> Fn(&'p P, V, V) -> V + Send + Sync + 'static,
    {
        let fold = Reduce::<V, _, F>::new(shared.clone(), f, Name::FoldByKey, Site::caller());
        self.aggregate_keys(fold.starting_with(zero))
    }
}
