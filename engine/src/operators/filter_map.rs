//! `filter_map`: maps each row to another one or drops it.

use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Into1, Into2, Narrow, Plain, RowConsumer, Then, With};
use crate::dataset::Dataset;
use crate::row::Row;
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to another one, or drops it when `f` returns `None`, like
    /// [`Iterator::filter_map`]. The result must be owned; for a closure that returns a borrowed result
    /// use [`filter_map_to`](Dataset::filter_map_to).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["1", "two", "3"].map(String::from));
    /// assert_eq!(lines.filter_map(|line| line.parse::<u64>().ok()).collect()?, [1, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn filter_map<R: Row, F>(self, f: F) -> Dataset<R, Then<C, Plain<F>, FilterMap<R>>>
    where
        F: for<'a> Fn(T::View<'a>) -> Option<R> + Send + Sync + 'static,
    {
        self.then(Plain::new(f, Site::caller()))
    }

    /// `filter_map` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn filter_map_with<P: Param, R: Row, F>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<R, Then<C, With<P, F>, FilterMap<R>>>
    where
        F: for<'a> Fn(&'a P, T::View<'a>) -> Option<R> + Send + Sync + 'static,
    {
        self.then(With::new(shared, f, Site::caller()))
    }

    /// `filter_map` with an explicit row type, so that the closure may return a borrowed result.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["host=a", "port"].map(String::from));
    /// let values = lines.filter_map_to::<String>(|line| line.split_once('=').map(|(_, value)| value));
    /// assert_eq!(values.collect()?, ["a"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn filter_map_to<O: Row>(
        self,
        f: impl for<'a> Into1<T::View<'a>, Option<O::View<'a>>> + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, FilterMapTo<O>>(Plain::new(f, Site::caller()))
    }

    /// `filter_map_to` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn filter_map_to_with<O: Row, P: Param>(
        self,
        shared: &Shared<P>,
        f: impl for<'a> Into2<'a, P, T::View<'a>, Option<O::View<'a>>> + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, FilterMapTo<O>>(With::new(shared, f, Site::caller()))
    }
}

/// Pushes one owned row or none per row.
pub struct FilterMap<R>(PhantomData<fn() -> R>);

impl<T: Row, R: Row, G> Narrow<T, G> for FilterMap<R>
where
    G: for<'a> Func<'a, T::View<'a>, Out = Option<R>>,
{
    type Out = R;
    const NAME: &'static str = "filter_map";

    #[inline]
    fn push<'a, S: RowConsumer<R>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        if let Some(row) = func.call(row) {
            sink.push(row.view());
        }
    }
}

/// Pushes one view or none per row.
struct FilterMapTo<O>(PhantomData<fn() -> O>);

impl<T: Row, O: Row, F> Narrow<T, Plain<F>> for FilterMapTo<O>
where
    F: for<'a> Into1<T::View<'a>, Option<O::View<'a>>> + Send + Sync + 'static,
{
    type Out = O;
    const NAME: &'static str = "filter_map_to";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a Plain<F>, row: T::View<'a>, sink: &mut S) {
        if let Some(row) = (func.code())(row) {
            sink.push(row);
        }
    }
}

impl<T: Row, O: Row, P: Param, F> Narrow<T, With<P, F>> for FilterMapTo<O>
where
    F: for<'a> Into2<'a, P, T::View<'a>, Option<O::View<'a>>> + Send + Sync + 'static,
{
    type Out = O;
    const NAME: &'static str = "filter_map_to";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a With<P, F>, row: T::View<'a>, sink: &mut S) {
        if let Some(row) = (func.code())(func.shared(), row) {
            sink.push(row);
        }
    }
}
