//! `cache`: rows that are computed once and kept.

use kiln_planner::{Movement, Site};

use super::Columns;
use crate::chain::Chain;
use crate::dataset::Dataset;
use crate::row::Row;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Keeps the rows in memory once an action has computed them, for as long as the context lives.
    ///
    /// Rows that are lost with an executor are computed again from their sources.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let squares = cx.range(0..1000).map(|n| n * n).cache();
    /// assert_eq!(squares.count()?, 1000);              // computes them
    /// assert_eq!(squares.top(1, |n| n)?, [998_001]);   // reads them
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn cache(self) -> Dataset<T> {
        let kept = self.exchange(Columns::new(), Movement::Keep, "cache keeps these rows", Site::caller());
        Dataset::from_plan(kept, self.origin)
    }
}
