//! `flat_map`: one row in, any number of rows out.

use std::cell::Cell;
use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Map1, Narrow, Plain, RowConsumer, RowsFn, SharedRowsFn, Then, With};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Turns each row into the items of an iterator, which are owned rows.
    ///
    /// Items that borrow from the row come from a function, by [`flat_map_to`](Self::flat_map_to), or from a
    /// closure that hands them on one by one, by [`flat_map_emit`](Self::flat_map_emit).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["1 2".to_owned(), "3".to_owned()]);
    /// let numbers = lines.flat_map(|line| line.split(' ').filter_map(|n| n.parse::<u64>().ok()).collect::<Vec<_>>());
    /// assert_eq!(numbers.collect()?, [1, 2, 3]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn flat_map<I: IntoIterator, F: RowsFn<T, I>>(
        self,
        f: F,
    ) -> Dataset<I::Item, Then<C, Plain<F>, FlatMap<I::Item>>> {
        self.then_unchecked(Plain::new(f, Site::caller()))
    }

    /// `flat_map` with a value from [`Context::share`](crate::Context::share) as the first argument.
    #[track_caller]
    pub fn flat_map_with<P: Param, I: IntoIterator, F: SharedRowsFn<P, T, I>>(
        self,
        shared: &Shared<P>,
        f: F,
    ) -> Dataset<I::Item, Then<C, With<P, F>, FlatMap<I::Item>>> {
        self.then_unchecked(With::new(shared, f, Site::caller()))
    }

    /// `flat_map` for a function whose items may borrow from the row; nothing is copied.
    ///
    /// Functions only: rustc cannot tell that what a closure returns borrows from its argument. A closure
    /// goes to [`flat_map_emit`](Self::flat_map_emit).
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["a b".to_owned(), "c".to_owned()]);
    /// assert_eq!(lines.flat_map_to(str::split_whitespace).collect()?, ["a", "b", "c"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn flat_map_to<O: Row>(
        self,
        f: impl for<'a> Map1<T::View<'a>, Out: IntoIterator<Item: IntoRow<Row = O>>> + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, FlatMap<O>>(Plain::new(f, Site::caller()))
    }

    /// `flat_map` for a closure that hands on what it borrows, or builds: it calls `emit` for each
    /// row that comes out.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let lines = cx.parallelize(["A b".to_owned()]);
    /// let words = lines.flat_map_emit::<String>(|line, emit| {
    ///     line.split(' ').for_each(|word| emit(&word.to_lowercase()));
    /// });
    /// assert_eq!(words.collect()?, ["a", "b"]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn flat_map_emit<O: Row>(
        self,
        f: impl for<'a, 'e> Fn(T::View<'a>, &'e mut dyn for<'b> FnMut(O::View<'b>)) + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, FlatMapEmit<O>>(Plain::new(f, Site::caller()))
    }

    /// `flat_map_emit` with a value from [`Context::share`](crate::Context::share) as the first
    /// argument.
    #[track_caller]
    pub fn flat_map_emit_with<O: Row, P: Param>(
        self,
        shared: &Shared<P>,
        f: impl for<'a, 'e> Fn(&P, T::View<'a>, &'e mut dyn for<'b> FnMut(O::View<'b>)) + Send + Sync + 'static,
    ) -> Dataset<O, impl Chain<Out = O>> {
        self.then::<_, FlatMapEmit<O>>(With::new(shared, f, Site::caller()))
    }
}

/// The items of an iterator for one row.
pub struct FlatMap<O>(PhantomData<fn() -> O>);

impl<T: Row, O: Row, G> Narrow<T, G> for FlatMap<O>
where
    G: for<'a> Func<'a, T::View<'a>>,
    for<'a> <G as Func<'a, T::View<'a>>>::Out: IntoIterator,
    for<'a> <<G as Func<'a, T::View<'a>>>::Out as IntoIterator>::Item: IntoRow<Row = O>,
{
    type Out = O;
    const NAME: &'static str = "flat_map";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a G, row: T::View<'a>, sink: &mut S) {
        for item in func.call(row) {
            sink.push(item.as_view());
        }
    }
}

/// The rows that a closure emits for one row. Once the closure is inlined, the virtual call of `emit`
/// is a constant and costs nothing.
pub struct FlatMapEmit<O>(PhantomData<fn() -> O>);

impl<T: Row, O: Row, F> Narrow<T, Plain<F>> for FlatMapEmit<O>
where
    F: for<'a, 'e> Fn(T::View<'a>, &'e mut dyn for<'b> FnMut(O::View<'b>)) + Send + Sync + 'static,
{
    type Out = O;
    const NAME: &'static str = "flat_map_emit";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a Plain<F>, row: T::View<'a>, sink: &mut S) {
        whole(|broken| {
            (func.code())(row, &mut |out: O::View<'_>| emit(sink, out, broken));
        });
    }
}

impl<T: Row, O: Row, P: Param, F> Narrow<T, With<P, F>> for FlatMapEmit<O>
where
    F: for<'a, 'e> Fn(&P, T::View<'a>, &'e mut dyn for<'b> FnMut(O::View<'b>)) + Send + Sync + 'static,
{
    type Out = O;
    const NAME: &'static str = "flat_map_emit";

    #[inline]
    fn push<'a, S: RowConsumer<O>>(func: &'a With<P, F>, row: T::View<'a>, sink: &mut S) {
        whole(|broken| {
            (func.code())(func.shared(), row, &mut |out: O::View<'_>| emit(sink, out, broken));
        });
    }
}

/// Passes on one row that a closure emits. Here the user's code lies above the operators behind it, so
/// it could catch their panics; a task goes on with none of them.
#[inline]
fn emit<O: Row, S: RowConsumer<O>>(sink: &mut S, row: O::View<'_>, broken: &Cell<bool>) {
    assert!(!broken.replace(true), "a row was emitted after a panic behind `emit` was caught");
    sink.push(row);
    broken.set(false);
}

/// Runs `body`, and panics if it has caught a panic that came out of [`emit`].
#[inline]
fn whole(body: impl FnOnce(&Cell<bool>)) {
    let broken = Cell::new(false);
    body(&broken);
    assert!(!broken.get(), "a panic behind `emit` was caught");
}
