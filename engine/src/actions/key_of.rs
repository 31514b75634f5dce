//! The key that a closure computes for a row: of `top`, `take_ordered`, `max_by_key` and `min_by_key`.

use crate::chain::{Func, FuncInfo};
use crate::row::{IntoRow, Key, Row};

/// A closure that returns the key of a row, owned or borrowed.
pub(super) trait KeyOf<T: Row, K: Key>: FuncInfo {
    /// Calls `then` with the key of `row`.
    fn with_key<R>(&self, row: T::View<'_>, then: impl FnOnce(K::View<'_>) -> R) -> R;
}

impl<T: Row, K: Key, G> KeyOf<T, K> for G
where
    G: FuncInfo + for<'a> Func<'a, T::View<'a>>,
    for<'a> <G as Func<'a, T::View<'a>>>::Out: IntoRow<Row = K>,
{
    #[inline]
    fn with_key<R>(&self, row: T::View<'_>, then: impl FnOnce(K::View<'_>) -> R) -> R {
        then(self.call(T::narrow(row)).as_view())
    }
}
