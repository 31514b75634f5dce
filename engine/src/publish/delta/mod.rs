//! A Delta table as an output: files at names of their own, and a log in which one object is one version.
//!
//! The log is that of the Delta Lake protocol, reader version 1 and writer version 2, without table features; the
//! committer is Kiln's own (ARCHITECTURE.md has the reasons). Tasks write files at their final names in the folder of
//! the table, where nobody sees them before a version names them. Then [`DeltaTable::commit`] creates the next version
//! (`commit`, by the decisions of `steps`), which holds the files, the fence and the identity of the publish at once.
//!
//! ```text
//! let mut table = DeltaTable::open(&location)?;   // before the output is claimed
//! table.check(mode)?;                             // exists, unsupported
//! let claim = …;                                  // the head gives an epoch
//! table.claim(&claim, cancel)?;                   // on a retry: older attempts are fenced by the log itself, or
//!                                                 // by the head, which decides the first version of a table
//! …                                               // tasks write files below the table's folder
//! table.commit(&Publish { .. }, cancel, coordinator)?;
//! ```

mod actions;
mod checkpoint;
mod commit;
mod first;
mod info;
mod log;
mod prepared;
mod put;
mod schema;
mod snapshot;
mod steps;
mod table;
mod values;

pub use commit::{Committed, Coordinator, Publish};
pub use first::{Carried, carry_out};
pub use log::{AsOf, LOG, Log};
pub use schema::{file_schema, to_file};
pub use snapshot::Snapshot;
pub use table::DeltaTable;
pub use values::{PartitionValues, decoded};
