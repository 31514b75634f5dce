//! The answer of a join: number of rows and sum of their amounts, by segment.

use std::fmt;

/// Number of segments.
pub const SEGMENTS: usize = 100;

/// Number of rows and sum of their amounts, in the order of the segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments(pub Vec<(i64, i64)>);

impl Default for Segments {
    fn default() -> Segments {
        Segments(vec![(0, 0); SEGMENTS])
    }
}

impl Segments {
    /// Adds to a segment.
    #[inline]
    pub fn add(&mut self, segment: i64, rows: i64, amount: i64) {
        let sums = &mut self.0[segment as usize];
        *sums = (sums.0 + rows, sums.1 + amount);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Segments) {
        let all = other.0.iter().enumerate();
        all.for_each(|(segment, (rows, amount))| self.add(segment as i64, *rows, *amount));
    }
}

impl fmt::Display for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.0.iter().enumerate();
        all.try_for_each(|(segment, (rows, amount))| writeln!(f, "{segment} {rows} {amount}"))
    }
}
