//! A closure that makes one row of two, as `fold` and `reduce` call it: for the rows of a task where they
//! are, and for what the tasks have made in the driver.

use crate::chain::{FuncInfo, Plain, With};
use crate::ship::shared::Param;

/// Makes one row of two, the one of the earlier rows first.
pub(super) trait Joining<T>: FuncInfo {
    /// Calls it.
    fn join(&self, a: T, b: T) -> T;
}

impl<T, F: Fn(T, T) -> T + Send + Sync + 'static> Joining<T> for Plain<F> {
    #[inline]
    fn join(&self, a: T, b: T) -> T {
        (self.code())(a, b)
    }
}

impl<T, P: Param, F: Fn(&P, T, T) -> T + Send + Sync + 'static> Joining<T> for With<P, F> {
    #[inline]
    fn join(&self, a: T, b: T) -> T {
        (self.code())(self.shared(), a, b)
    }
}
