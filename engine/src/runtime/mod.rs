//! Runs jobs: connects the driver's state machine to a thread, a clock and executors.
//!
//! Stage, task, partition, attempt and exchange mean the same everywhere. A [`Backend`] carries out the
//! driver's decisions on slots of this process (`local`) or on executor processes (`cluster`). Both use the
//! same [`Worker`].

mod backend;
mod host;
mod inputs;
mod local;
mod worker;

pub use backend::{Backend, Launch};
pub(crate) use host::whole;
pub use host::{Events, JobDone, Runtime};
pub use inputs::{Fetch, FetchedBatches, Peers, TaskInputs};
pub use local::LocalBackend;
pub use worker::{Assignment, Process, Worker};
