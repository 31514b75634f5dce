//! Which run of a job this process is, and which attempt at it.
//!
//! A scheduler that runs a task again keeps the run id and counts the attempt up. An output recognizes by them that
//! its run is published already, and refuses an attempt after a newer one has begun (`publish/head.rs`). The caller
//! gives them by option or variable; else they follow from what a known scheduler exports (`schedulers`), else the run
//! id is random.

use std::ffi::OsString;
use std::io::IsTerminal;

use twox_hash::XxHash3_64;

use crate::error::{Error, MALFORMED_CONFIG, Result};

use super::schedulers::{Env, exported};

/// The variable by which a scheduler names the run, so that a retry carries the same name.
const RUN_ID: &str = "KILN_RUN_ID";
/// The variable with the number of the attempt.
const ATTEMPT: &str = "KILN_ATTEMPT";

/// Which run a process is, and which attempt at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the run, the same on its retries.
    pub run_id: String,
    /// The number of the attempt, larger than that of every earlier one; `None` where the caller does not count: then
    /// the attempt that began last is the newest.
    pub attempt: Option<u32>,
    /// Whether the caller gave the run id. A random one names this process alone, so that a retry is another run.
    pub is_given: bool,
}

/// What the command line gives of the identity.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) run_id: Option<String>,
    pub(super) attempt: Option<u32>,
    /// The job's name and arguments, without the options that Kiln adds.
    pub(super) arguments: Vec<OsString>,
}

impl Identity {
    /// The identity that the environment gives.
    ///
    /// # Errors
    /// Of class config when the number of the attempt cannot be read.
    pub fn from_env() -> Result<Identity> {
        let given = Given { arguments: std::env::args_os().collect(), ..Given::default() };
        Identity::find(given, &|name| std::env::var(name).ok(), std::io::stderr().is_terminal())
    }

    /// The identity by command line and environment. At a terminal a person runs the same command twice and means two
    /// runs, whatever scheduler has started the shell; so there only what is given counts.
    pub(super) fn find(given: Given, env: &Env<'_>, is_terminal: bool) -> Result<Identity> {
        let exported = if is_terminal { None } else { exported(env) };
        let variable = |name| env(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let explicit = given.run_id.or_else(|| variable(RUN_ID));
        let counted = match (given.attempt, variable(ATTEMPT)) {
            (Some(attempt), _) => Some(attempt),
            (None, Some(text)) => Some(parse_attempt(ATTEMPT, &text)?),
            (None, None) => None,
        };
        match (explicit, exported) {
            (Some(run_id), _) => Ok(Identity { run_id, attempt: counted, is_given: true }),
            (None, Some(exported)) => {
                let by_scheduler = exported.attempt.map(|(name, text)| parse_attempt(name, &text));
                let attempt = counted.map(Ok).or(by_scheduler).transpose()?;
                let run_id = format!("{}/{:08x}", exported.task, hash(&given.arguments));
                Ok(Identity { run_id, attempt, is_given: true })
            }
            (None, None) => {
                Ok(Identity { attempt: counted, ..Identity::random_named(uuid::Uuid::new_v4().to_string()) })
            }
        }
    }

    /// A run that nobody else can be an attempt at.
    pub fn random_named(run_id: impl Into<String>) -> Identity {
        Identity { run_id: run_id.into(), attempt: None, is_given: false }
    }
}

fn parse_attempt(name: &str, text: &str) -> Result<u32> {
    text.parse().map_err(|e: std::num::ParseIntError| {
        let error = Error::config(format!("{name}=`{text}` cannot be read")).because(e);
        error.reason(MALFORMED_CONFIG).help("give the number of the attempt, larger on every retry")
    })
}

/// A hash of the job and its arguments. One task may run several jobs, and the instances of a mapped task often differ
/// in their arguments alone; were they one run, the second would find its run published and write nothing.
fn hash(arguments: &[OsString]) -> u32 {
    let mut bytes = Vec::new();
    for (at, argument) in arguments.iter().enumerate() {
        let path = std::path::Path::new(argument);
        let text = if at == 0 { path.file_name().unwrap_or_default() } else { argument.as_os_str() };
        bytes.extend_from_slice(text.as_encoded_bytes());
        bytes.push(0);
    }
    XxHash3_64::oneshot(&bytes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    const AIRFLOW: [(&str, &str); 4] = [
        ("AIRFLOW_CTX_DAG_ID", "d"),
        ("AIRFLOW_CTX_DAG_RUN_ID", "r"),
        ("AIRFLOW_CTX_TASK_ID", "t"),
        ("AIRFLOW_CTX_TRY_NUMBER", "3"),
    ];

    fn find(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Identity> {
        let given = Given { arguments: arguments.iter().map(OsString::from).collect(), ..Given::default() };
        let env = |asked: &str| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        };
        Identity::find(given, &env, false)
    }

    #[test]
    fn what_is_given_wins_over_what_is_exported() {
        let given = [&AIRFLOW[..], &[(RUN_ID, " nightly "), (ATTEMPT, "7")]].concat();
        let expected = Identity { run_id: "nightly".to_owned(), attempt: Some(7), is_given: true };
        assert_eq!(find(&["job"], &given).unwrap(), expected);
        // The scheduler's count belongs to its task, not to a run id that is given.
        assert_eq!(find(&["job"], &given[..5]).unwrap().attempt, None);
        let flags = Given { run_id: Some("by hand".to_owned()), attempt: Some(1), arguments: Vec::new() };
        let by_hand = Identity { run_id: "by hand".to_owned(), attempt: Some(1), is_given: true };
        assert_eq!(Identity::find(flags, &|_| Some("9".to_owned()), true).unwrap(), by_hand);
    }

    #[test]
    fn a_retry_is_the_same_run_and_other_arguments_are_another() {
        let run = |arguments: &[&str]| find(arguments, &AIRFLOW).unwrap();
        let first = run(&["/a/job", "--day", "1"]);
        assert!(first.run_id.starts_with("d/r/t/") && first.is_given, "{first:?}");
        assert_eq!((first.attempt, &first), (Some(3), &run(&["/b/job", "--day", "1"])));
        for other in [&["/a/job", "--day", "2"][..], &["/a/other", "--day", "1"], &["/a/job", "--day1"]] {
            assert_ne!(run(other).run_id, first.run_id);
        }
    }

    #[test]
    fn without_an_id_every_process_is_a_run() {
        let run = || find(&["job"], &[(RUN_ID, " ")]).unwrap();
        assert!(run().run_id != run().run_id && !run().is_given);
    }

    #[test]
    fn an_attempt_that_is_no_number_is_refused() {
        let error = find(&["job"], &[(ATTEMPT, "two")]).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (Class::Config, MALFORMED_CONFIG));
        assert!(error.to_string().starts_with("KILN_ATTEMPT=`two` cannot be read"), "{error}");
    }
}
