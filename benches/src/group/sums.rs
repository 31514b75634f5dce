//! The answer of a group: all sums by key, reduced to three numbers.

use std::fmt;

/// Number of groups, the sum of their sums, and the sum of the squares of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub groups: i64,
    pub sum: i64,
    pub squares: i64,
}

impl Sums {
    /// The numbers of a single group.
    pub fn of(sum: i64) -> Sums {
        Sums { groups: 1, sum, squares: sum * sum }
    }

    /// The numbers of both sets of groups.
    pub fn and(self, other: Sums) -> Sums {
        Sums {
            groups: self.groups + other.groups,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "groups {} sum {} squares {}", self.groups, self.sum, self.squares)
    }
}
