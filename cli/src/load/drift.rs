//! The `[drift]` of a load file: what becomes of columns that are not those of what is published.

use kiln::Drift;
use serde::Deserialize;

/// The policy: `evolve`, `freeze`, `discard_columns` or `discard_rows`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftSettings {
    pub policy: Drift,
}
