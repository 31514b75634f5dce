//! Command-line parsing: returns the run and the job's argument struct, or an exit code.
//!
//! Every job accepts Kiln's options in addition to its own; if both define an option, the job's is
//! used. clap itself would exit with code 2 and without a result, which a scheduler takes for an
//! unknown failure and retries. Here usage errors exit with 64 and are reported like any other failure.
//! Kiln's options are interpreted in `options` and `identity`.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::EnumValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, Parser};

use crate::error::{Class, Result};

use super::exit::Ending;
use super::identity::{Given, Identity};
use super::options::{Mode, RunOptions, parse_partition, parse_timeout};
use super::progress::Progress;
use super::result;
use super::run::Run;
use super::schedulers::Env;
use super::streams::STUCK_LIMIT;
use super::terminal::above_bars;

/// The heading of Kiln's options in the help text.
const HEADING: &str = "Kiln";

/// Prefix of the ids of Kiln's options, which no field of a job's struct has. The rest of the id is the
/// option's name.
const PREFIX: &str = "kiln::";
const RUN_ID: &str = "kiln::run-id";
const ATTEMPT: &str = "kiln::attempt";
const TIMEOUT: &str = "kiln::timeout";
const MODE: &str = "kiln::kiln-mode";
const EXPECT_PARTITIONS: &str = "kiln::kiln-expect-partitions";

/// The run of this process and the job's arguments. On an error, prints the reason and returns the exit
/// code.
///
/// # Errors
/// The code is 64 for a wrong command line and 78 for a wrong environment variable. It is 0 after
/// `--help` or `--version`, when no job runs.
pub fn parse_args<A: Parser>() -> std::result::Result<(Arc<Run>, A), u8> {
    parse_from(
        std::env::args_os().collect(),
        &|name| std::env::var(name).ok(),
        std::io::stderr().is_terminal(),
    )
}

fn parse_from<A: Parser>(
    args: Vec<OsString>,
    env: &Env<'_>,
    is_terminal: bool,
) -> std::result::Result<(Arc<Run>, A), u8> {
    let (mut command, added) = with_options(A::command());
    let parsed = command.try_get_matches_from_mut(&args).and_then(|mut matches| {
        let job = A::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
        Ok((matches, job))
    });
    let (matches, job) = parsed.map_err(|error| misused(&error, env, is_terminal))?;
    let of_identity: Vec<String> = added
        .iter()
        .filter(|name| [RUN_ID, ATTEMPT].contains(&format!("{PREFIX}{name}").as_str()))
        .cloned()
        .collect();
    let repeatable = without_options(args.iter().skip(1).cloned().collect(), &of_identity);
    let given = Given {
        run_id: value(&matches, RUN_ID),
        attempt: value(&matches, ATTEMPT),
        arguments: without_options(args, &added),
    };
    match settings(given, &matches, env, is_terminal) {
        Ok((identity, options)) => {
            let run = Run::with_options(identity, options, Progress::from_env());
            run.set_arguments(repeatable);
            Ok((run, job))
        }
        Err(error) => {
            let ending = Ending::by_error(&error);
            super::report(&run_by_env(env, is_terminal), &ending, STUCK_LIMIT);
            Err(ending.code)
        }
    }
}

fn settings(
    given: Given,
    matches: &ArgMatches,
    env: &Env<'_>,
    is_terminal: bool,
) -> Result<(Identity, RunOptions)> {
    let mut options = RunOptions::from_env(env)?;
    options.mode = value(matches, MODE).or(options.mode);
    options.timeout = value::<Duration>(matches, TIMEOUT).or(options.timeout);
    if let Ok(Some(partitions)) = matches.try_get_many::<String>(EXPECT_PARTITIONS) {
        options.expect_partitions = partitions.cloned().collect();
    }
    Ok((Identity::find(given, env, is_terminal)?, options))
}

/// Prints a usage error or the help text, and returns the exit code.
fn misused(error: &clap::Error, env: &Env<'_>, is_terminal: bool) -> u8 {
    // clap prints help and version to standard output, errors to standard error.
    let _ = above_bars(|| error.print());
    if !error.use_stderr() {
        return 0;
    }
    let ending = Ending::failed(Class::Usage, message(&error.to_string()));
    let run = run_by_env(env, is_terminal);
    result::print(&run, &result::write_files(&run, &ending));
    ending.code
}

/// A run that only reports an error, with as much as can be read from the environment.
fn run_by_env(env: &Env<'_>, is_terminal: bool) -> Arc<Run> {
    let random = || Identity::random_named(uuid::Uuid::new_v4().to_string());
    let identity = Identity::find(Given::default(), env, is_terminal).unwrap_or_else(|_| random());
    Run::with_options(identity, RunOptions::from_env(env).unwrap_or_default(), Progress::silent())
}

/// Adds those of Kiln's options that the job's command does not define, and returns their names.
fn with_options(command: Command) -> (Command, Vec<String>) {
    let has_subcommands = command.has_subcommands();
    let mut command = command;
    let mut added = Vec::new();
    for option in options().into_iter().map(|option| option.global(has_subcommands)) {
        let name = option.get_long().unwrap_or_default().to_owned();
        if !defines(&command, &name) {
            command = command.arg(option);
            added.push(name);
        }
    }
    (command, added)
}

/// Whether the command or one of its subcommands has an option of this name.
fn defines(command: &Command, name: &str) -> bool {
    let is_it = |arg: &Arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    };
    command.get_arguments().any(is_it) || command.get_subcommands().any(|below| defines(below, name))
}

fn options() -> [Arg; 5] {
    let option = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(&id[PREFIX.len()..]).value_name(value).help(help).help_heading(HEADING)
    };
    [
        option(RUN_ID, "ID", "Name of the run, the same on retries [env: KILN_RUN_ID]"),
        option(ATTEMPT, "N", "Number of the attempt, larger on every retry [env: KILN_ATTEMPT]")
            .value_parser(clap::value_parser!(u32)),
        option(TIMEOUT, "TIME", "End with code 124 after this time, such as 90s or 1h30m [env: KILN_TIMEOUT]")
            .value_parser(parse_timeout),
        option(MODE, "MODE", "How outputs are written that leave it open [env: KILN_MODE]")
            .value_parser(EnumValueParser::<Mode>::new()),
        option(EXPECT_PARTITIONS, "PARTITION", "A partition to empty or create if it gets no rows, such as day=2026-03-02; may be repeated [env: KILN_EXPECT_PARTITIONS]")
            .value_parser(parse_partition)
            .action(ArgAction::Append),
    ]
}

fn value<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Option<T> {
    matches.try_get_one::<T>(id).ok().flatten().cloned()
}

/// The arguments without Kiln's options and their values, which may differ between the attempts of one
/// run.
fn without_options(args: Vec<OsString>, added: &[String]) -> Vec<OsString> {
    let is_option = |name: &str| added.iter().any(|known| known == name);
    let mut args = args.into_iter();
    let mut kept = Vec::new();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        match text.strip_prefix("--") {
            Some("") => {
                kept.push(arg);
                kept.extend(args);
                break;
            }
            Some(name) if is_option(name) => drop(args.next()),
            Some(name) if name.split_once('=').is_some_and(|(name, _)| is_option(name)) => {}
            _ => kept.push(arg),
        }
    }
    kept
}

/// The text of clap's message without the prefix, tips and usage.
fn message(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<_> = first.lines().map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Counts words.
    #[derive(Parser, Debug)]
    #[command(version = "1.2")]
    struct Args {
        #[arg(long)]
        input: String,
    }

    /// A job whose options have the names of Kiln's options.
    #[derive(Parser, Debug)]
    struct Own {
        #[arg(long)]
        timeout: u32,
        #[arg(long = "job-run", alias = "run-id")]
        run: Option<String>,
        #[command(subcommand)]
        command: Below,
    }

    #[derive(clap::Subcommand, Debug, PartialEq)]
    enum Below {
        Load {
            #[arg(long)]
            attempt: u8,
        },
    }

    fn parse<A: Parser>(args: &[&str], variables: &[(&str, &str)]) -> std::result::Result<(Arc<Run>, A), u8> {
        let args = std::iter::once(&"job").chain(args).map(OsString::from).collect();
        let env = |asked: &str| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        };
        parse_from(args, &env, false)
    }

    fn code(args: &[&str]) -> u8 {
        parse::<Args>(args, &[]).map_or_else(|code| code, |_| panic!("{args:?} is right"))
    }

    #[test]
    fn a_wrong_command_line_ends_with_64_and_a_wrong_variable_with_78() {
        let (run, args) = parse::<Args>(&["--input", "a.txt"], &[]).unwrap();
        assert_eq!((args.input.as_str(), run.options()), ("a.txt", &RunOptions::default()));
        for wrong in [
            &[][..],
            &["--outptu"],
            &["--input", "a", "--timeout", "soon"],
            &["--input", "a", "--kiln-mode", "all"],
            &["--input", "a", "--attempt", "-1"],
            &["--input", "a", "--kiln-expect-partitions", "monday"],
        ] {
            assert_eq!(code(wrong), 64, "{wrong:?}");
        }
        let malformed = |name| parse::<Args>(&["--input", "a"], &[(name, "?")]).map(|_| ());
        assert_eq!([malformed("KILN_MODE"), malformed("KILN_ATTEMPT")], [Err(78), Err(78)]);
    }

    #[test]
    fn help_and_version_are_no_failure() {
        assert_eq!([code(&["--help"]), code(&["--version"])], [0, 0]);
        let help = with_options(Args::command()).0.render_help().to_string();
        for part in ["Kiln:", "--run-id <ID>", "possible values: error, overwrite, append, append-once"] {
            assert!(help.contains(part), "{help}");
        }
    }

    #[test]
    fn every_job_takes_the_options_of_a_run_and_they_win_over_variables() {
        let options = ["--run-id=r", "--attempt", "2", "--timeout", "1h30m", "--kiln-mode", "append-once"];
        let partitions = ["--kiln-expect-partitions", "day=1", "--kiln-expect-partitions", "day=2"];
        let args = [&["--input", "a"], &options[..], &partitions[..]].concat();
        let variables = [("KILN_RUN_ID", "v"), ("KILN_MODE", "ignore"), ("KILN_EXPECT_PARTITIONS", "day=3")];
        let (run, _) = parse::<Args>(&args, &variables).unwrap();
        assert_eq!((run.run_id(), run.identity().attempt), ("r", Some(2)));
        // Other attempts are started without the run id.
        assert_eq!(run.arguments(), [&args[..2], &args[5..]].concat());
        let expected = RunOptions {
            mode: Some(Mode::AppendOnce),
            timeout: Some(Duration::from_secs(5400)),
            expect_partitions: vec!["day=1".to_owned(), "day=2".to_owned()],
            ..RunOptions::default()
        };
        assert_eq!(run.options(), &expected);
    }

    #[test]
    fn an_option_that_the_job_defines_is_the_jobs() {
        let args =
            ["--timeout", "7", "--run-id", "theirs", "load", "--attempt", "9", "--kiln-mode", "append"];
        let (run, own) = parse::<Own>(&args, &[("KILN_RUN_ID", "ours"), ("KILN_TIMEOUT", "5s")]).unwrap();
        assert_eq!(
            (own.timeout, own.run.as_deref(), own.command),
            (7, Some("theirs"), Below::Load { attempt: 9 })
        );
        assert_eq!((run.run_id(), run.identity().attempt), ("ours", None));
        let options = run.options();
        assert_eq!((options.timeout, options.mode), (Some(Duration::from_secs(5)), Some(Mode::Append)));
    }

    #[test]
    fn options_of_a_run_are_not_among_its_parameters() {
        let args = ["job", "--attempt", "2", "--input", "a", "--run-id=r", "--", "--attempt", "x"]
            .map(OsString::from);
        let kept = without_options(args.to_vec(), &["attempt".to_owned(), "run-id".to_owned()]);
        assert_eq!(kept, ["job", "--input", "a", "--", "--attempt", "x"].map(OsString::from));
    }

    #[test]
    fn the_message_is_the_first_paragraph() {
        let text =
            "error: the following required arguments were not provided:\n  --input <INPUT>\n\nUsage: job";
        assert_eq!(message(text), "the following required arguments were not provided: --input <INPUT>");
    }
}
