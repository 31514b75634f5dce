//! How a closure that is called for its effect may end: always well, or with an error of the user's.
//!
//! `for_each` and `try_for_each`, and the two of whole partitions, are one piece of work each, which
//! asks here. Which error it was, and whether its task is tried again, the closure says by its class.

use crate::error::Result;

/// What such a closure returns.
pub(super) trait Ending: 'static {
    /// The action of single rows, as users call it.
    const OF_ROWS: &'static str;
    /// The action of whole partitions, as users call it.
    const OF_PARTITIONS: &'static str;

    /// How it ended.
    fn into_result(self) -> Result<()>;
}

impl Ending for () {
    const OF_ROWS: &'static str = "for_each";
    const OF_PARTITIONS: &'static str = "for_each_partition";

    #[inline]
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl Ending for Result<()> {
    const OF_ROWS: &'static str = "try_for_each";
    const OF_PARTITIONS: &'static str = "try_for_each_partition";

    #[inline]
    fn into_result(self) -> Result<()> {
        self
    }
}
