//! Runs jobs: the driver's state machine, given a thread, a clock and executors.
//!
//! There is one notion of stage, task, partition, attempt and exchange. A [`Backend`] carries out
//! what the driver decides: on slots of this process (`local`), or on executor processes
//! (`cluster`). Both run the same [`Worker`].

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
