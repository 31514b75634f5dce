//! The storage level of persisted rows.

use serde::{Deserialize, Serialize};

/// Where [`Dataset::persist`](crate::Dataset::persist) stores rows; they stay in the process that computed
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// In memory while there is room, then in temporary files.
    #[default]
    Auto,
    /// In memory; the job fails when there is no room.
    Memory,
    /// In temporary files.
    Disk,
}
