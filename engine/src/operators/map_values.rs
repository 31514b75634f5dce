//! `map_values`: maps the value of each pair and keeps its key.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{
    Chain, Exact, Func, Into1, Into2, Narrow, Plain, RowConsumer, RowFn, SharedRowFn, Then, With,
};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Maps each value to another one. The partitioning by key is preserved, so a later join does not
    /// move the rows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let pairs = cx.parallelize([("a".to_owned(), 1u64), ("b".to_owned(), 2)]);
    /// assert_eq!(pairs.map_values(|n| n * 10).collect()?, [("a".to_owned(), 10), ("b".to_owned(), 20)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn map_values<W, F: RowFn<V, W>>(self, f: F) -> Dataset<(K, W), Then<C, Plain<F>, MapValues<W>>> {
        self.then_keyed_unchecked(Plain::new(f, Site::caller()))
    }

    /// `map_values` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn map_values_with<P: Param, W, F: SharedRowFn<P, V, W>>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<(K, W), Then<C, With<P, F>, MapValues<W>>> {
        self.then_keyed_unchecked(With::new(shared, f, Site::caller()))
    }

    /// `map_values` with an explicit value type, so that a closure or function may return a result that
    /// borrows from the value.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let pairs = cx.parallelize([(1u64, " a ".to_owned())]);
    /// assert_eq!(pairs.map_values_to::<String>(str::trim).collect()?, [(1, "a".to_owned())]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn map_values_to<W: Row>(
        self,
        f: impl for<'a> Into1<V::View<'a>, W::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<(K, W), impl Chain<Out = (K, W)>> {
        self.then_keyed::<_, MapValues<W>>(Exact::<_, W>::new(Plain::new(f, Site::caller())))
    }

    /// `map_values_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn map_values_to_with<W: Row, P: Param>(
        self,
        shared: &Shared<P>,
        f: impl for<'a> Into2<'a, P, V::View<'a>, W::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<(K, W), impl Chain<Out = (K, W)>> {
        self.then_keyed::<_, MapValues<W>>(Exact::<_, W>::new(With::new(shared, f, Site::caller())))
    }
}

/// Pushes one pair per pair, with the same key.
pub struct MapValues<W>(PhantomData<fn() -> W>);

impl<K: Row, V: Row, W: Row, G> Narrow<(K, V), G> for MapValues<W>
where
    G: for<'a> Func<'a, V::View<'a>>,
    for<'a> <G as Func<'a, V::View<'a>>>::Out: IntoRow<Row = W>,
{
    type Out = (K, W);
    const NAME: &'static str = "map_values";

    #[inline]
    fn push<'a, S: RowConsumer<(K, W)>>(func: &'a G, (key, value): (K::View<'a>, V::View<'a>), sink: &mut S) {
        let value = func.call(value);
        sink.push((K::narrow(key), value.as_view()));
    }
}
