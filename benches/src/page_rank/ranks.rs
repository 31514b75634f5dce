//! The answer of a PageRank: the sum of all ranks and the highest ones.

use std::fmt;

/// Number of rounds.
pub const ROUNDS: usize = 10;
/// The share of a page's rank that follows its links; the rest is distributed evenly over all pages.
pub const DAMPING: f64 = 0.85;
/// Number of pages that are printed.
pub const TOP_PAGES: usize = 10;

/// The sum of all ranks, and the pages with the highest ranks, in order.
pub struct Ranks {
    pub sum: f64,
    pub top: Vec<(i64, f64)>,
}

impl fmt::Display for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sum {:.6}", self.sum)?;
        self.top.iter().try_for_each(|(page, rank)| writeln!(f, "{page} {rank:.6e}"))
    }
}
