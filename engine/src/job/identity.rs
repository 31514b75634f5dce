//! The identity of a run: its run id and attempt.
//!
//! When a scheduler retries a task, it keeps the run id and increments the attempt. An output uses them
//! to detect that its run is already published, and to reject an attempt after a newer one has begun
//! (`publish/head.rs`). The caller sets them with options or environment variables. Otherwise they come
//! from the variables of a known scheduler (`schedulers`), or else the run id is random.

use std::ffi::OsString;
use std::io::IsTerminal;

use twox_hash::XxHash3_64;

use crate::error::{Error, MALFORMED_CONFIG, Result};

use super::schedulers::{Env, exported};

/// Environment variable with the run id, which a scheduler keeps for retries.
const RUN_ID: &str = "KILN_RUN_ID";
/// Environment variable with the number of the attempt.
const ATTEMPT: &str = "KILN_ATTEMPT";

/// The run id and attempt of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The run id, which retries share.
    pub run_id: String,
    /// The number of the attempt, larger than those of all earlier attempts. If the caller does not
    /// count attempts, it is `None`, and the attempt that began last is the newest.
    pub attempt: Option<u32>,
    /// Whether the caller set the run id. A random one belongs to this process only, so a retry is
    /// another run.
    pub is_given: bool,
}

/// The parts of the identity that the command line sets.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) run_id: Option<String>,
    pub(super) attempt: Option<u32>,
    /// The job's name and arguments, without Kiln's options.
    pub(super) arguments: Vec<OsString>,
}

impl Identity {
    /// The identity from the environment.
    ///
    /// # Errors
    /// Fails with a config error when the number of the attempt cannot be parsed.
    pub fn from_env() -> Result<Identity> {
        let given = Given { arguments: std::env::args_os().collect(), ..Given::default() };
        Identity::find(given, &|name| std::env::var(name).ok(), std::io::stderr().is_terminal())
    }

    /// The identity from the command line and the environment. A user at a terminal who runs a command
    /// twice means two runs, even if a scheduler started the shell. At a terminal the scheduler's
    /// variables are therefore ignored.
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

    /// An identity that no other process shares.
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

/// A hash of the job and its arguments. One task may run several jobs, and the instances of a mapped
/// task often differ only in their arguments. If they shared a run id, the second one would find its
/// run published and write nothing.
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
        // The scheduler's attempt belongs to its own run id and not to one that was set.
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
