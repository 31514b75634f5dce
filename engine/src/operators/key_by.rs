//! `key_by`: gives each row a key.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Narrow, Plain, Sink, Then, With};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Pairs each row with the key that `f` gives it.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.range(5..7).key_by(|n| n % 2).collect()?, [(1, 5), (0, 6)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn key_by<R: IntoRow, F>(self, f: F) -> Dataset<(R::Row, T), Then<C, Plain<F>, KeyBy<R::Row>>>
    where
        F: for<'a> Fn(T::View<'a>) -> R + Send + Sync + 'static,
    {
        self.then(Plain::new(f, Site::caller()))
    }

    /// `key_by` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn key_by_with<P: Param, R: IntoRow, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<(R::Row, T), Then<C, With<P, F>, KeyBy<R::Row>>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> R + Send + Sync + 'static,
    {
        self.then(With::new(shared, f, Site::caller()))
    }
}

/// A pair for one row.
pub struct KeyBy<K>(PhantomData<fn() -> K>);

impl<T: Row, K: Row, G> Narrow<T, G> for KeyBy<K>
where
    G: for<'a> Func<'a, T::View<'a>>,
    for<'a> <G as Func<'a, T::View<'a>>>::Out: IntoRow<Row = K>,
{
    type Out = (K, T);
    const NAME: &'static str = "key_by";

    #[inline]
    fn push<'a, S: Sink<(K, T)>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        let key = func.call(row);
        sink.push((key.as_view(), T::narrow(row)));
    }
}
