//! `flat_map`: maps each row to any number of rows.

use std::cell::Cell;
use std::marker::PhantomData;

use kiln_planner::Site;

use crate::chain::{Chain, Func, Map1, Narrow, Plain, RowConsumer, RowsFn, SharedRowsFn, Then, With};
use crate::dataset::Dataset;
use crate::row::{IntoRow, Row};
use crate::ship::shared::{Param, Shared};

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Maps each row to the items of an iterator, which must be owned rows.
    ///
    /// For items that borrow from the row use [`flat_map_to`](Self::flat_map_to) with a function, or
    /// [`flat_map_emit`](Self::flat_map_emit) with a closure that emits them one by one.
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

    /// `flat_map` with a function whose items may borrow from the row, so that nothing is copied.
    ///
    /// Only functions are accepted, because rustc cannot infer that the result of a closure borrows
    /// from its argument. For a closure use [`flat_map_emit`](Self::flat_map_emit).
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

    /// `flat_map` with a closure that calls `emit` for each output row, which may be borrowed or built
    /// on the spot.
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

/// Pushes the items of an iterator for each row.
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

/// Pushes the rows that a closure emits for each row. Once the closure is inlined, the virtual call of
/// `emit` is resolved at compile time and costs nothing.
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

/// Pushes one row that a closure emits. The user's closure is on the call stack above the downstream
/// operators, so it could catch their panics. The task must not continue after that.
#[inline]
fn emit<O: Row, S: RowConsumer<O>>(sink: &mut S, row: O::View<'_>, broken: &Cell<bool>) {
    assert!(!broken.replace(true), "a row was emitted after a panic behind `emit` was caught");
    sink.push(row);
    broken.set(false);
}

/// Runs `body`, and panics if `body` has caught a panic that came out of [`emit`].
#[inline]
fn whole(body: impl FnOnce(&Cell<bool>)) {
    let broken = Cell::new(false);
    body(&broken);
    assert!(!broken.get(), "a panic behind `emit` was caught");
}
