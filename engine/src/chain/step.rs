//! One operator in the output of `explain`.

use std::fmt;

use kiln_planner::Site;

/// An operator's name and its line in the user's code.
#[derive(Clone, Debug)]
pub struct Step {
    /// Name of the operator's method. A source may add what it reads.
    pub name: String,
    /// The line in the user's code.
    pub site: Site,
}

impl Step {
    /// The operator `name`, called at `site`.
    pub fn new(name: impl Into<String>, site: &Site) -> Step {
        Step { name: name.into(), site: site.clone() }
    }
}

/// Prints `flat_map (src/main.rs:12)`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.site)
    }
}
