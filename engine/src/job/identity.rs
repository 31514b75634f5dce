//! Which run of a job this process is, and which attempt at it.
//!
//! A scheduler that runs a task again keeps the run id and counts the attempt up. An output recognizes by them that
//! its run is published already, and refuses an attempt after a newer one has begun (`publish/head.rs`).

/// The variable by which a scheduler names the run, so that a retry carries the same name.
const RUN_ID: &str = "KILN_RUN_ID";

/// Which run a process is, and which attempt at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the run, the same on its retries.
    pub run_id: String,
    /// The number of the attempt, from 1 up; `None` where the caller does not count: then the attempt
    /// that began last is the newest.
    pub attempt: Option<u32>,
    /// Whether the caller gave the run id. A random one names this process alone, so that a retry is another run.
    pub is_given: bool,
}

impl Identity {
    /// The identity that the environment gives.
    pub fn from_env() -> Identity {
        let given = std::env::var(RUN_ID).ok().filter(|id| !id.trim().is_empty());
        match given {
            Some(run_id) => Identity { run_id, attempt: None, is_given: true },
            None => Identity::random_named(uuid::Uuid::new_v4().to_string()),
        }
    }

    /// A run that nobody else can be an attempt at.
    pub fn random_named(run_id: impl Into<String>) -> Identity {
        Identity { run_id: run_id.into(), attempt: None, is_given: false }
    }
}
