//! `values`: the values of all pairs.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Narrow, Plain, RowConsumer, Then};
use crate::dataset::Dataset;
use crate::row::Row;

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// The value of each pair.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.parallelize([(1u64, true), (1, false)]).values().collect()?, [true, false]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn values(self) -> Dataset<V, Then<C, Plain<()>, Values<V>>> {
        self.then(Plain::new((), Site::caller()))
    }
}

/// Pushes the value of each pair.
pub struct Values<V>(PhantomData<fn() -> V>);

impl<K: Row, V: Row> Narrow<(K, V), Plain<()>> for Values<V> {
    type Out = V;
    const NAME: &'static str = "values";

    #[inline]
    fn push<'a, S: RowConsumer<V>>(_: &'a Plain<()>, (_, value): (K::View<'a>, V::View<'a>), sink: &mut S) {
        sink.push(value);
    }
}
