//! One operator as explain names it.

use std::fmt;

use kiln_planner::Site;

/// An operator's name with the user's line.
#[derive(Clone, Debug)]
pub struct Step {
    /// The operator, as users call it; a source may add what it reads.
    pub name: String,
    /// The user's line.
    pub site: Site,
}

impl Step {
    /// `name`, called at `site`.
    pub fn new(name: impl Into<String>, site: &Site) -> Step {
        Step { name: name.into(), site: site.clone() }
    }
}

/// `flat_map (src/main.rs:12)`
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.site)
    }
}
