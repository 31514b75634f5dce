//! The `[rejects]` of a load file: rows that cannot be converted, or break a check, are left out and kept.

use kiln::Rejects;
use serde::Deserialize;

use super::params::Params;

/// Where they are kept, and how many there may be.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RejectSettings {
    /// That of the target with `_rejects` at its end, unless set.
    uri: Option<String>,
    max_rows: Option<u64>,
    /// From 0 to 1.
    max_share: Option<f64>,
}

impl RejectSettings {
    /// Puts the values of parameters in place of their names.
    pub fn fill(&mut self, params: &mut Params<'_>) -> kiln::Result<()> {
        if let Some(uri) = &mut self.uri {
            *uri = params.fill(uri)?;
        }
        Ok(())
    }

    /// As the engine takes them.
    pub fn rejects(&self) -> Rejects {
        let rejects = self.uri.iter().fold(Rejects::new(), |rejects, uri| rejects.to(uri));
        let rejects = self.max_rows.into_iter().fold(rejects, Rejects::max_rows);
        self.max_share.into_iter().fold(rejects, Rejects::max_share)
    }
}
