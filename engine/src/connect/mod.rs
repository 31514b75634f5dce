//! How other systems are connected: the traits [`Scan`] of sources and [`Sink`] of targets.
//!
//! A connector implements one of them, or both, and needs nothing private of the engine. Kiln's own files are read and
//! written through the same traits. `docs/connectors.md` builds a connector step by step.
//!
//! A **source** is cut into splits by [`Scan::plan`], once, in the driver; each split is read by a task of its own, in
//! whatever process that runs, by [`Scan::open`], as record batches within the limits that the task gives.
//! [`Context::scan`](crate::Context::scan) makes typed rows of them; [`Context::copy`](crate::Context::copy) passes the
//! batches on to a sink as they are.
//!
//! A **target** is prepared by [`Sink::begin`], in the driver; each task writes a part by [`Sink::open`], under the
//! number of its partition and of its attempt; [`Sink::commit`] publishes the parts that the driver counts, and no
//! others. A run that has published before is recognised by [`Sink::already_published`]. A task may run more than once, also at the same time: what an attempt writes must not be seen, or be seen
//! twice, before the commit.
//!
//! # Errors and retries
//!
//! An error of class transient from a task makes the engine run the task again, up to four times, with a pause in
//! between; a connector retries single requests by itself where that is cheaper. Every other class ends the job. Errors name the
//! place ([`Error::at`](crate::Error::at)) and what to do ([`Error::help`](crate::Error::help)); [`ScanTask::enter`]
//! says where rows come from, so that an error in a closure names that, too.

mod scan;
mod sink;

/// Places at which the tests of a connector end or stop the process; nothing without the feature `failpoints`.
#[doc(hidden)]
pub use crate::failpoint::{is_sabotaged, limit, reached};
pub use crate::row::BatchLimits;
pub use scan::{Hold, PlannedSplit, Scan, ScanBatches, ScanPlan, ScanTask};
pub use sink::{Begin, PartWriter, Sink, SinkRun, SinkTask};
