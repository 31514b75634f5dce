//! The outcome of a run and its exit code.
//!
//! [`Ending`] is computed from the result of the job's main function and the facts of the run. It is a
//! pure function, because a scheduler's retries, skips and alarms depend on it. `mod` runs the job, and
//! `result` writes the outcome.

use serde::Serialize;

use crate::error::{Class, Error, Result};

use super::cancel::CancelReason;
use super::run::Facts;

/// Exit code of a job that had nothing to do. Airflow's BashOperator skips downstream tasks on this
/// code.
pub const NOTHING_TO_DO: u8 = 99;

/// How a run ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// At least one output is published.
    Published,
    /// The job succeeded and published nothing.
    Succeeded,
    /// The job reported that there was nothing to do.
    Skipped,
    /// The job failed, with an error class.
    Failed,
    /// The job was cancelled and stopped.
    Cancelled,
}

/// The outcome of a run, with the values of the result JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How the run ended.
    pub status: Status,
    /// The error class; `None` on success.
    pub class: Option<Class>,
    /// The machine-readable reason of the failure; `None` on success.
    pub reason: Option<String>,
    /// The process exit code.
    pub code: u8,
    /// The error, or why there was nothing to do.
    pub message: Option<String>,
}

impl Ending {
    /// The outcome, given the result of the main function, the facts of the run and the reason of a
    /// cancellation.
    ///
    /// A cancellation explains any later error. It does not undo a success: a job that had published
    /// when the signal came is reported as published, because otherwise the scheduler would run it
    /// again.
    pub fn of(outcome: &Result<()>, cancel: Option<CancelReason>, facts: &Facts) -> Ending {
        match (outcome, cancel) {
            (Ok(()), _) => Ending::success(facts),
            (Err(_), Some(reason)) => Ending::cancelled(reason, facts),
            (Err(error), None) if error.class() == Class::Cancelled => {
                Ending { status: Status::Cancelled, ..Ending::by_error(error) }
            }
            (Err(error), None) => Ending::by_error(error),
        }
    }

    /// The outcome of a run that failed with `error`.
    pub fn by_error(error: &Error) -> Ending {
        let reason = Some(error.reason_word().to_owned());
        Ending { reason, ..Ending::failed(error.class(), error.to_string()) }
    }

    fn success(facts: &Facts) -> Ending {
        let (status, code, message) = match &facts.skipped {
            // If there are outputs, the run is published, even if the job reported that the rest had
            // nothing to do.
            _ if !facts.outputs.is_empty() => (Status::Published, 0, None),
            Some(why) => (Status::Skipped, NOTHING_TO_DO, Some(why.clone())),
            None => (Status::Succeeded, 0, None),
        };
        Ending { status, class: None, reason: None, code, message }
    }

    /// The outcome of a run that failed with `class` and `message`.
    pub fn failed(class: Class, message: String) -> Ending {
        Ending {
            status: Status::Failed,
            class: Some(class),
            reason: Some(class.name().to_owned()),
            code: class.exit_code(),
            message: Some(message),
        }
    }

    /// The outcome of a run that stopped when it was cancelled.
    pub fn cancelled(reason: CancelReason, facts: &Facts) -> Ending {
        let is_nothing = facts.outputs.is_empty() && !facts.is_unresolved;
        let left = if is_nothing { ", nothing published" } else { &left_behind(facts) };
        Ending::on_request(reason, left)
    }

    /// The outcome of a run that was ended by force because it did not stop.
    pub fn stopped_by_force(reason: CancelReason, facts: &Facts) -> Ending {
        let left = format!("{}, ended before it had stopped by itself", left_behind(facts));
        Ending::on_request(reason, &left)
    }

    fn on_request(reason: CancelReason, left: &str) -> Ending {
        let class = reason.class();
        Ending {
            status: if class == Class::Cancelled { Status::Cancelled } else { Status::Failed },
            class: Some(class),
            reason: Some(reason.word().to_owned()),
            code: reason.exit_code(),
            message: Some(format!("{}{left}", reason.text())),
        }
    }
}

/// Describes the outputs that were published before the run failed or was cancelled. Users must know them
/// before they run the job again.
pub(super) fn left_behind(facts: &Facts) -> String {
    let published = match facts.outputs.len() {
        0 => String::new(),
        1 => ", 1 output was published".to_owned(),
        many => format!(", {many} outputs were published"),
    };
    let unresolved =
        if facts.is_unresolved { ", whether the commit under way has published is not known" } else { "" };
    published + unresolved
}

#[cfg(test)]
mod tests {
    use super::super::run::Output;
    use super::*;

    fn seen(outcome: Result<()>, cancel: Option<CancelReason>, facts: &Facts) -> (Status, u8) {
        let ending = Ending::of(&outcome, cancel, facts);
        (ending.status, ending.code)
    }

    fn one_output() -> Facts {
        Facts { outputs: vec![Output::default()], ..Facts::default() }
    }

    #[test]
    fn success_is_published_or_succeeded_or_skipped() {
        let skipped = Facts { skipped: Some("no new input".to_owned()), ..Facts::default() };
        assert_eq!(seen(Ok(()), None, &one_output()), (Status::Published, 0));
        assert_eq!(seen(Ok(()), None, &Facts::default()), (Status::Succeeded, 0));
        assert_eq!(seen(Ok(()), None, &skipped), (Status::Skipped, 99));
        assert_eq!(Ending::of(&Ok(()), None, &skipped).message.as_deref(), Some("no new input"));
    }

    #[test]
    fn a_job_that_published_is_not_skipped() {
        let both = Facts { skipped: Some("half of it".to_owned()), ..one_output() };
        assert_eq!(seen(Ok(()), None, &both), (Status::Published, 0));
    }

    #[test]
    fn a_failure_ends_with_the_code_of_its_class() {
        let none = Facts::default();
        assert_eq!(seen(Err(Error::data("bad")), None, &none), (Status::Failed, 65));
        assert_eq!(seen(Err(Error::transient("again")), None, &none), (Status::Failed, 75));
        assert_eq!(seen(Err(Error::new(Class::Deadline, "late")), None, &none), (Status::Failed, 124));
        assert_eq!(seen(Err(Error::cancelled("by the page")), None, &none), (Status::Cancelled, 143));
    }

    #[test]
    fn a_cancel_wins_over_the_error_that_it_caused_but_not_over_success() {
        let int = Some(CancelReason::Interrupt);
        let term = Some(CancelReason::Terminate);
        assert_eq!(seen(Err(Error::bug("channel closed")), int, &Facts::default()), (Status::Cancelled, 130));
        assert_eq!(seen(Err(Error::cancelled("stop")), term, &Facts::default()), (Status::Cancelled, 143));
        assert_eq!(seen(Ok(()), term, &one_output()), (Status::Published, 0));
    }

    #[test]
    fn a_cancelled_run_claims_only_what_is_known() {
        let int = CancelReason::Interrupt;
        let none = Facts::default();
        let said = |ending: Ending| ending.message.unwrap_or_default();
        assert_eq!(said(Ending::cancelled(int, &none)), "cancelled by SIGINT, nothing published");
        assert_eq!(
            said(Ending::cancelled(int, &one_output())),
            "cancelled by SIGINT, 1 output was published"
        );
        let forced = "cancelled by SIGINT, ended before it had stopped by itself";
        assert_eq!(said(Ending::stopped_by_force(int, &none)), forced);
        let unknown = "cancelled by SIGINT, whether the commit under way has published is not known";
        let unresolved = Facts { is_unresolved: true, ..none.clone() };
        assert_eq!(said(Ending::cancelled(int, &unresolved)), unknown);
        assert!(said(Ending::stopped_by_force(int, &unresolved)).starts_with(unknown));
    }

    #[test]
    fn every_reason_to_stop_has_its_code_class_and_word() {
        let seen = |reason| {
            let ending = Ending::cancelled(reason, &Facts::default());
            (ending.code, ending.status, ending.class.map(Class::name), ending.reason.unwrap_or_default())
        };
        let cancelled = |code, word: &str| (code, Status::Cancelled, Some("cancelled"), word.to_owned());
        assert_eq!(seen(CancelReason::Hangup), cancelled(129, "sighup"));
        assert_eq!(seen(CancelReason::Orphaned), cancelled(143, "parent_ended"));
        let deadline = (124, Status::Failed, Some("deadline"), "timeout".to_owned());
        assert_eq!(seen(CancelReason::Deadline), deadline);
    }

    #[test]
    fn a_failure_has_the_reason_of_its_error_or_the_name_of_its_class() {
        let reason = |error: Error| Ending::by_error(&error).reason;
        assert_eq!(reason(Error::config("there").reason("output_exists")).as_deref(), Some("output_exists"));
        assert_eq!(reason(Error::data("bad")).as_deref(), Some("data"));
    }
}
