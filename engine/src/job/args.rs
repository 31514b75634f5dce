//! The job's command line: arguments enter, the user's struct or an exit code leaves.
//!
//! clap ends a process by itself, with code 2 and without a result; a scheduler would take that for
//! a failure of unknown kind and try again. Here usage errors end with 64 and are reported like any
//! other failure. What the arguments mean belongs to the job.

use std::ffi::OsString;

use clap::Parser;

use crate::error::Class;

use super::exit::Ending;
use super::result;
use super::run::Run;
use super::terminal::above_bars;

/// The job's arguments; or the code to exit with, after printing why.
///
/// # Errors
/// 64 when the command line is wrong; 0 after `--help` or `--version`, which is no run of the job.
pub fn parse_args<A: Parser>(run: &Run) -> Result<A, u8> {
    parse_from(run, std::env::args_os())
}

fn parse_from<A: Parser>(run: &Run, args: impl IntoIterator<Item = OsString>) -> Result<A, u8> {
    A::try_parse_from(args).map_err(|error| {
        // Help and version go to standard output, errors to standard error; clap knows which.
        let _ = above_bars(|| error.print());
        if !error.use_stderr() {
            return 0;
        }
        let ending = Ending::failed(Class::Usage, message(&error.to_string()));
        result::write(run, &ending);
        ending.code
    })
}

/// clap's message without its heading, its tips and the usage.
fn message(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines: Vec<_> = first.lines().map(str::trim).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::progress::Progress;
    use super::*;

    /// Counts words.
    #[derive(Parser, Debug)]
    #[command(version = "1.2")]
    struct Args {
        #[arg(long)]
        input: String,
    }

    fn parse(args: &[&str]) -> Result<String, u8> {
        let args = std::iter::once(&"job").chain(args).map(OsString::from);
        parse_from::<Args>(&Run::new("r", Progress::silent()), args).map(|args| args.input)
    }

    #[test]
    fn a_wrong_command_line_ends_with_64() {
        assert_eq!(parse(&["--input", "a.txt"]), Ok("a.txt".to_owned()));
        assert_eq!([parse(&[]), parse(&["--outptu"])], [Err(64), Err(64)]);
    }

    #[test]
    fn help_and_version_are_no_failure() {
        assert_eq!([parse(&["--help"]), parse(&["--version"])], [Err(0), Err(0)]);
    }

    #[test]
    fn the_message_is_the_first_paragraph() {
        let text =
            "error: the following required arguments were not provided:\n  --input <INPUT>\n\nUsage: job";
        assert_eq!(message(text), "the following required arguments were not provided: --input <INPUT>");
    }
}
