//! Options that the caller sets for a run: the write mode, the time limit and how to treat other runs.
//!
//! Each has a command-line option (`args`) and an environment variable; the option takes precedence. A
//! malformed value ends the run before it starts, with code 64 for an option and 78 for a variable.
//! Write modes are implemented in `publish`.

use std::time::Duration;

use clap::ValueEnum;

use crate::error::{Error, MALFORMED_CONFIG, Result};

use super::formats::Format;

/// Environment variable with the write mode.
const MODE: &str = "KILN_MODE";
/// Environment variable with the partitions that a run is expected to write, separated by commas.
const EXPECT_PARTITIONS: &str = "KILN_EXPECT_PARTITIONS";
/// Environment variable with the time limit of the run.
const TIMEOUT: &str = "KILN_TIMEOUT";
/// Environment variable that determines what a run does if an older attempt is still alive.
const IF_RUNNING: &str = "KILN_IF_RUNNING";
/// Environment variable with the time limit of a publish that waits for the commit of another job.
const WAIT_LIMIT: &str = "KILN_WAIT_LIMIT";
/// Environment variable with the time limit of a commit after a cancellation.
const COMMIT_GRACE: &str = "KILN_COMMIT_GRACE";
/// Environment variable that keeps a job alive after its parent has exited.
const ORPHAN: &str = "KILN_ORPHAN";
/// Environment variable with the format of the result.
const RESULT_FORMAT: &str = "KILN_RESULT_FORMAT";

/// Default of how long a publish waits for another job's commit.
const DEFAULT_WAIT_LIMIT: Duration = Duration::from_secs(600);
/// Default of how long a commit may continue after a cancellation.
const DEFAULT_COMMIT_GRACE: Duration = Duration::from_secs(20);

/// What a write does if its target already exists; see [`Write::mode`](crate::Write::mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Fails and leaves the output unchanged. The default.
    #[default]
    Error,
    /// Replaces the whole output.
    Overwrite,
    /// Adds files to the existing ones. It does not read those, so their columns may differ.
    Append,
    /// As `Append`, for a job that must not add its rows twice. It needs a run id, by which a retry
    /// detects that the rows were added.
    AppendOnce,
    /// Does nothing. The run reports that, and ends as skipped unless it publishes something else.
    Ignore,
    /// Replaces the partitions that have new rows and the expected partitions, and keeps all others.
    /// Needs `partition_by`.
    ReplacePartitions,
}

/// What a run does if an older attempt of it is still alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IfRunning {
    /// Take over; the older attempt is fenced.
    #[default]
    Replace,
    /// Wait until the older attempt has exited.
    Wait,
    /// Exit with code 99.
    Skip,
}

/// What a job does after its parent process has exited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Orphan {
    /// It stops as if it were cancelled.
    #[default]
    End,
    /// It continues.
    Keep,
}

/// Options that the caller sets for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// The write mode, if it is set.
    pub mode: Option<Mode>,
    /// Partitions, such as `day=2026-03-02`, that are emptied or created if the result has no rows for
    /// them.
    pub expect_partitions: Vec<String>,
    /// Time limit of the run, from its start.
    pub timeout: Option<Duration>,
    /// What the run does if an older attempt of it is still alive.
    pub if_running: IfRunning,
    /// How long a publish waits for the commit of another job.
    pub wait_limit: Duration,
    /// How long a commit may continue after a cancellation before the process exits.
    pub commit_grace: Duration,
    /// What the job does after its parent has exited.
    pub(super) orphan: Orphan,
    /// The format of the result.
    pub(super) result_format: Format,
}

impl Default for RunOptions {
    fn default() -> RunOptions {
        RunOptions {
            mode: None,
            expect_partitions: Vec::new(),
            timeout: None,
            if_running: IfRunning::default(),
            wait_limit: DEFAULT_WAIT_LIMIT,
            commit_grace: DEFAULT_COMMIT_GRACE,
            orphan: Orphan::default(),
            result_format: Format::default(),
        }
    }
}

impl RunOptions {
    /// The options that the environment sets.
    ///
    /// # Errors
    /// Fails with a config error when a variable cannot be parsed.
    pub(super) fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<RunOptions> {
        let text = |name: &str| env(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let time = |name, default| text(name).map_or(Ok(default), |text| duration_variable(name, &text));
        let partitions = text(EXPECT_PARTITIONS).unwrap_or_default();
        let partitions = partitions.split(',').map(str::trim).filter(|part| !part.is_empty());
        let partitions = partitions
            .map(|part| parse_partition(part).map_err(|why| malformed(EXPECT_PARTITIONS, part, &why)));
        Ok(RunOptions {
            mode: text(MODE).map(|text| choice(MODE, &text)).transpose()?,
            expect_partitions: partitions.collect::<Result<_>>()?,
            timeout: text(TIMEOUT).map(|text| timeout_variable(&text)).transpose()?,
            if_running: text(IF_RUNNING)
                .map_or(Ok(IfRunning::default()), |text| choice(IF_RUNNING, &text))?,
            wait_limit: time(WAIT_LIMIT, DEFAULT_WAIT_LIMIT)?,
            commit_grace: time(COMMIT_GRACE, DEFAULT_COMMIT_GRACE)?,
            orphan: text(ORPHAN).map_or(Ok(Orphan::default()), |text| choice(ORPHAN, &text))?,
            result_format: text(RESULT_FORMAT)
                .map_or(Ok(Format::default()), |text| choice(RESULT_FORMAT, &text))?,
        })
    }
}

/// Parses `90s`, `15m` or `1h30m`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write it as 90s, 15m or 1h30m"))
}

/// Parses a duration that is not zero.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a time limit is longer than 0".to_owned()),
        time => Ok(time),
    }
}

/// Parses `day=2026-03-02`, or `day=2026-03-02/city=Bern`.
pub(super) fn parse_partition(text: &str) -> Result<String, String> {
    let is_level = |level: &str| level.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    match text.split('/').all(is_level) {
        true => Ok(text.to_owned()),
        false => {
            Err("write a partition as day=2026-03-02, and several columns as day=2026-03-02/city=Bern"
                .to_owned())
        }
    }
}

fn duration_variable(name: &str, text: &str) -> Result<Duration> {
    parse_duration(text).map_err(|why| malformed(name, text, &why))
}

fn timeout_variable(text: &str) -> Result<Duration> {
    parse_timeout(text).map_err(|why| malformed(TIMEOUT, text, &why))
}

/// The variant with the name `text`, or an error that lists all names.
fn choice<T: ValueEnum>(variable: &str, text: &str) -> Result<T> {
    T::from_str(text, false).map_err(|_| {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = names.map(|value| format!("`{}`", value.get_name())).collect();
        malformed(variable, text, &format!("use {}", names.join(", ")))
    })
}

fn malformed(variable: &str, text: &str, why: &str) -> Error {
    Error::config(format!("{variable}=`{text}` cannot be read: {why}")).reason(MALFORMED_CONFIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<RunOptions> {
        RunOptions::from_env(&|asked| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_sets_every_option() {
        assert_eq!(options(&[]).unwrap(), RunOptions::default());
        let all = options(&[
            (MODE, "replace-partitions"),
            (EXPECT_PARTITIONS, "day=1, day=2/city=Bern"),
            (TIMEOUT, "1h30m"),
            (IF_RUNNING, "skip"),
            (WAIT_LIMIT, "5s"),
            (COMMIT_GRACE, "0s"),
            (ORPHAN, "keep"),
            (RESULT_FORMAT, "env"),
        ]);
        let expected = RunOptions {
            mode: Some(Mode::ReplacePartitions),
            expect_partitions: vec!["day=1".to_owned(), "day=2/city=Bern".to_owned()],
            timeout: Some(Duration::from_secs(5400)),
            if_running: IfRunning::Skip,
            wait_limit: Duration::from_secs(5),
            commit_grace: Duration::ZERO,
            orphan: Orphan::Keep,
            result_format: Format::Env,
        };
        assert_eq!(all.unwrap(), expected);
    }

    #[test]
    fn a_malformed_variable_is_a_config_error_that_names_what_is_valid() {
        for (name, value, valid) in [
            (MODE, "overwrit", "`replace-partitions`"),
            (EXPECT_PARTITIONS, "day=1,2026", "day=2026-03-02"),
            (TIMEOUT, "90", "1h30m"),
            (TIMEOUT, "0s", "longer than 0"),
            (IF_RUNNING, "kill", "`replace`, `wait`, `skip`"),
            (WAIT_LIMIT, "ten", "15m"),
            (ORPHAN, "no", "`keep`"),
            (RESULT_FORMAT, "xml", "`json`, `properties`, `env`"),
        ] {
            let error = options(&[(name, value)]).unwrap_err();
            assert_eq!((error.class().exit_code(), error.reason_word()), (78, MALFORMED_CONFIG));
            assert!(error.to_string().starts_with(&format!("{name}=`")), "{error}");
            assert!(error.to_string().contains(valid), "{error}");
        }
    }
}
