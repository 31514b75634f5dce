//! `key_by`: pairs each row with a key.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{
    Chain, Exact, Func, Into1, Into2, Narrow, Plain, RowConsumer, RowFn, SharedRowFn, Then, With,
};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Pairs each row with the key that `f` returns for it.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.range(5..7).key_by(|n| n % 2).collect()?, [(1, 5), (0, 6)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn key_by<K, F: RowFn<T, K>>(self, f: F) -> Dataset<(K, T), Then<C, Plain<F>, KeyBy<K>>> {
        self.then_unchecked(Plain::new(f, Site::caller()))
    }

    /// `key_by` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn key_by_with<P: Param, K, F: SharedRowFn<P, T, K>>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<(K, T), Then<C, With<P, F>, KeyBy<K>>> {
        self.then_unchecked(With::new(shared, f, Site::caller()))
    }

    /// `key_by` with an explicit key type, so that the key may borrow from the row.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["a=1".to_owned()]);
    /// let settings = lines.key_by_to::<String>(|line| line.split('=').next().unwrap_or(line));
    /// assert_eq!(settings.keys().collect()?, ["a"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn key_by_to<K: Row>(
        self,
        f: impl for<'a> Into1<T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<(K, T), impl Chain<Out = (K, T)>> {
        self.then::<_, KeyBy<K>>(Exact::<_, K>::new(Plain::new(f, Site::caller())))
    }

    /// `key_by_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn key_by_to_with<K: Row, P: Param>(
        self,
        shared: &Shared<P>,
        f: impl for<'a> Into2<'a, P, T::View<'a>, K::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<(K, T), impl Chain<Out = (K, T)>> {
        self.then::<_, KeyBy<K>>(Exact::<_, K>::new(With::new(shared, f, Site::caller())))
    }
}

/// Pushes one pair per row.
pub struct KeyBy<K>(PhantomData<fn() -> K>);

impl<T: Row, K: Row, G> Narrow<T, G> for KeyBy<K>
where
    G: for<'a> Func<'a, T::View<'a>>,
    for<'a> <G as Func<'a, T::View<'a>>>::Out: IntoRow<Row = K>,
{
    type Out = (K, T);
    const NAME: &'static str = "key_by";

    #[inline]
    fn push<'a, S: RowConsumer<(K, T)>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        let key = func.call(row);
        sink.push((key.as_view(), T::narrow(row)));
    }
}
