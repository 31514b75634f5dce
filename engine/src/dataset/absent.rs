//! Methods of iterators that datasets do not have: each is a compile error that names the alternative.
//!
//! Without them rustc reports that a dataset "is not an iterator" and suggests making it one. They are hidden
//! from the docs, and their bounds cannot be satisfied.

use super::Dataset;
use crate::chain::Chain;
use crate::row::Row;

macro_rules! absent {
    ($($method:ident($($arg:ident: $type:ty)?): $instead:literal;)*) => {
        #[allow(non_camel_case_types, reason = "each bound has the name of its method")]
        mod bounds {
            $(
                #[doc(hidden)]
                #[diagnostic::on_unimplemented(message = "a dataset has no such method", label = $instead)]
                pub trait $method {}
            )*
        }

        impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
            $(
                #[doc(hidden)]
                pub fn $method(self $(, $arg: $type)?) -> Self
                where
                    Self: bounds::$method,
                {
                    $(let _ = $arg;)?
                    self
                }
            )*
        }
    };
}

absent! {
    all(f: impl for<'a> Fn(T::View<'a>) -> bool): "use `filter(|row| !..)` and `is_empty()`";
    any(f: impl for<'a> Fn(T::View<'a>) -> bool): "use `filter(|row| ..)` and `!is_empty()`";
    chain(other: impl Sized): "use `union(other)`";
    cloned(): "closures see views; what they return is owned: nothing is to be cloned";
    copied(): "closures see views; what they return is owned: nothing is to be copied";
    cycle(): "use `union(rows.clone())` to have the rows twice";
    enumerate(): "use `zip_with_index()`";
    find(f: impl for<'a> Fn(T::View<'a>) -> bool): "use `filter(|row| ..)` and `first()`";
    find_map(f: impl Sized): "use `filter_map(|row| ..)` and `first()`";
    flatten(): "use `flat_map(|list| ..)`";
    inspect_err(f: impl Sized): "errors are returned by actions";
    last(): "rows have an order after a sort: use `top(1, |row| ..)`";
    map_while(f: impl Sized): "partitions run at the same time: use `filter_map(|row| ..)`, or `map_partitions`";
    nth(n: usize): "use `take(n + 1)`, or `zip_with_index()` and `filter`";
    partition(f: impl for<'a> Fn(T::View<'a>) -> bool): "use `filter` twice, or `random_split` for shares";
    peekable(): "use `map_partitions(|index, rows| ..)`, where `rows` is an iterator";
    position(f: impl for<'a> Fn(T::View<'a>) -> bool): "use `zip_with_index()`, `filter` and `first()`";
    product(): "use `fold(1, |a, b| a * b)`";
    rev(): "use `sort_by(|row| Reverse(..))`";
    scan(state: impl Sized): "partitions run at the same time: use `map_partitions(|index, rows| ..)`";
    skip(n: usize): "use `zip_with_index()` and `filter`";
    skip_while(f: impl for<'a> Fn(T::View<'a>) -> bool): "partitions run at the same time: use `filter`";
    step_by(n: usize): "use `zip_with_index()` and `filter`, or `sample`";
    take_while(f: impl for<'a> Fn(T::View<'a>) -> bool): "partitions run at the same time: use `filter`";
    unzip(): "use `keys()` and `values()`, or `map` twice";
}
