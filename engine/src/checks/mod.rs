//! What must hold before rows are published: checks, rejected rows, and the columns of what is there.
//!
//! A job states [`Check`]s. Against the columns of the rows they become a [`Gate`]: what tasks watch while they write
//! ([`Watch`], [`Watcher`]) and what the driver decides once all of them are done ([`Gate::verdict`]). Tasks count and
//! keep a few examples; nothing is decided where only a part of the rows is seen. How rows are computed and published is
//! not known here.

mod check;
mod drift;
mod gate;
mod reject;
mod watch;

pub use check::{Check, OnFail};
pub use drift::{Drift, Fitted};
pub use gate::{Gate, Known, Repeated};
pub use reject::{Reject, RejectBin, RejectLimits, RejectView, Rejects};
pub use watch::{Observed, Watch, Watcher, key_texts};
