//! What came of the checks of an output, as the result of a run names it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The address of the output.
    pub output: String,
    /// What was to hold: `amount >= 0`.
    pub check: String,
    /// Whether it did.
    pub status: CheckStatus,
    /// What was found, in words: `3 of 1000 rows break it`.
    pub found: String,
    /// Some of the rows or keys that break it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// Whether a check holds, and what became of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// It holds.
    Passed,
    /// It does not, and nothing was published.
    Failed,
    /// It does not; the rows were published nonetheless.
    Warned,
    /// Rows break it; they were rejected.
    Rejected,
    /// There was nothing to compare with.
    Skipped,
}

/// `` `amount >= 0`: 3 of 1000 rows break it (amount = -3 at row 12) ``
impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.check, self.found)?;
        match self.examples.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", self.examples.join(", ")),
        }
    }
}
