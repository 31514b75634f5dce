//! The answer of a page rank: the sum of all ranks and the highest ones.

use std::fmt;

/// Rounds.
pub const ROUNDS: usize = 10;
/// The share of a page's rank that follows its links; the rest goes to all pages alike.
pub const DAMPING: f64 = 0.85;
/// Pages that are printed.
pub const TOP_PAGES: usize = 10;

/// All ranks together, and the pages with the highest, in order.
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
