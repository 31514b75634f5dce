//! `flat_map_values`: maps each value to any number of values with the same key.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Map1, Narrow, Plain, RowConsumer, RowsFn, SharedRowsFn, Then, With};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// Maps each value to the items of an iterator, each paired with the value's key. The partitioning
    /// by key is preserved, so a later join does not move the rows.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let pairs = cx.parallelize([(7u64, 2u64), (8, 0), (9, 1)]);
    /// assert_eq!(pairs.flat_map_values(|n| 0..n).collect()?, [(7, 0), (7, 1), (9, 0)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn flat_map_values<I: IntoIterator, F: RowsFn<V, I>>(
        self,
        f: F,
    ) -> Dataset<(K, I::Item), Then<C, Plain<F>, FlatMapValues<I::Item>>> {
        self.then_keyed_unchecked(Plain::new(f, Site::caller()))
    }

    /// `flat_map_values` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn flat_map_values_with<P: Param, I: IntoIterator, F: SharedRowsFn<P, V, I>>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<(K, I::Item), Then<C, With<P, F>, FlatMapValues<I::Item>>> {
        self.then_keyed_unchecked(With::new(shared, f, Site::caller()))
    }

    /// `flat_map_values` with a function whose items may borrow from the value, as for
    /// [`flat_map_to`](Dataset::flat_map_to).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let pages = cx.parallelize([(7u64, "a b".to_owned())]);
    /// let words = pages.flat_map_values_to(str::split_whitespace);
    /// assert_eq!(words.collect()?, [(7, "a".to_owned()), (7, "b".to_owned())]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn flat_map_values_to<O: Row>(
        self,
        f: impl for<'a> Map1<V::View<'a>, Out: IntoIterator<Item: IntoRow<Row = O>>> + Send + Sync + 'static,
    ) -> Dataset<(K, O), impl Chain<Out = (K, O)>> {
        self.then_keyed::<_, FlatMapValues<O>>(Plain::new(f, Site::caller()))
    }
}

/// Pushes the items of an iterator for each value, with the value's key.
pub struct FlatMapValues<O>(PhantomData<fn() -> O>);

impl<K: Row, V: Row, O: Row, G> Narrow<(K, V), G> for FlatMapValues<O>
where
    G: for<'a> Func<'a, V::View<'a>>,
    for<'a> <G as Func<'a, V::View<'a>>>::Out: IntoIterator,
    for<'a> <<G as Func<'a, V::View<'a>>>::Out as IntoIterator>::Item: IntoRow<Row = O>,
{
    type Out = (K, O);
    const NAME: &'static str = "flat_map_values";

    #[inline]
    fn push<'a, S: RowConsumer<(K, O)>>(func: &'a G, (key, value): (K::View<'a>, V::View<'a>), sink: &mut S) {
        for item in func.call(value) {
            sink.push((K::narrow(key), item.as_view()));
        }
    }
}
