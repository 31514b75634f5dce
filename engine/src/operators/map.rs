//! `map`: maps each row to one row.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{
    Chain, Exact, Func, Into1, Into2, Narrow, Plain, RowConsumer, RowFn, SharedRowFn, Then, With,
};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to another one, which the closure returns as an owned value.
    ///
    /// If a closure or function returns a result that borrows from the row, use
    /// [`map_to`](Self::map_to): `map_to::<String>(str::trim)`.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let words = cx.parallelize(["a", "bcd"].map(String::from));
    /// assert_eq!(words.map(|word| word.len()).collect()?, [1, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn map<R, F: RowFn<T, R>>(self, f: F) -> Dataset<R, Then<C, Plain<F>, Map<R>>> {
        self.then_unchecked(Plain::new(f, Site::caller()))
    }

    /// `map` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn map_with<P: Param, R, F>(self, shared: &Shared<P>, f: F) -> Dataset<R, Then<C, With<P, F>, Map<R>>>
    where
        F: SharedRowFn<P, T, R>,
    {
        self.then_unchecked(With::new(shared, f, Site::caller()))
    }

    /// `map` with an explicit row type, so that a closure or function may return a borrowed result.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let words = cx.parallelize([" a", "b "].map(String::from)).map_to::<String>(str::trim);
    /// let pairs = words.map_to::<(String, u64)>(|word| (word, 1));
    /// assert_eq!(pairs.collect()?, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn map_to<O: Row>(
        self,
        f: impl for<'a> Into1<T::View<'a>, O::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, Map<O>>(Exact::<_, O>::new(Plain::new(f, Site::caller())))
    }

    /// `map_to` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn map_to_with<O: Row, P: Param>(
        self,
        shared: &Shared<P>,
        f: impl for<'a> Into2<'a, P, T::View<'a>, O::View<'a>> + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, Map<O>>(Exact::<_, O>::new(With::new(shared, f, Site::caller())))
    }
}

/// Pushes one row per row.
pub struct Map<O>(PhantomData<fn() -> O>);

impl<T: Row, O: Row, G> Narrow<T, G> for Map<O>
where
    G: for<'a> Func<'a, T::View<'a>>,
    for<'a> <G as Func<'a, T::View<'a>>>::Out: IntoRow<Row = O>,
{
    type Out = O;
    const NAME: &'static str = "map";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        sink.push(func.call(row).as_view());
    }
}
