//! `keys`: the keys of all pairs.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Narrow, Plain, RowConsumer, Then};
use crate::dataset::Dataset;
use crate::row::Row;

impl<K: Row, V: Row, C: Chain<Out = (K, V)>> Dataset<(K, V), C> {
    /// The key of each pair. A key occurs as often as its pairs.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.parallelize([(1u64, true), (1, false)]).keys().collect()?, [1, 1]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn keys(self) -> Dataset<K, Then<C, Plain<()>, Keys<K>>> {
        self.then(Plain::new((), Site::caller()))
    }
}

/// Pushes the key of each pair.
pub struct Keys<K>(PhantomData<fn() -> K>);

impl<K: Row, V: Row> Narrow<(K, V), Plain<()>> for Keys<K> {
    type Out = K;
    const NAME: &'static str = "keys";

    #[inline]
    fn push<'a, S: RowConsumer<K>>(_: &'a Plain<()>, (key, _): (K::View<'a>, V::View<'a>), sink: &mut S) {
        sink.push(key);
    }
}
