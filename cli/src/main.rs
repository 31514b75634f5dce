//! The command `kiln`: loads tables, exports files, and looks after the outputs of jobs. One file for each verb; the work is done by
//! `kiln::admin` and, for loads, by the engine and the connectors.
//!
//! Errors and exit codes are those of jobs: `error[class]: …` on standard error, 64 for a wrong command line.

mod clean;
#[cfg(feature = "load")]
mod export;
#[cfg(feature = "load")]
mod load;
mod rerun;
mod runs;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use kiln::Class;

/// Loads tables, exports files, and looks after the outputs of Kiln's jobs.
#[derive(Parser)]
#[command(name = "kiln", version)]
enum Verb {
    Runs(runs::Args),
    Rerun(rerun::Args),
    Clean(clean::Args),
    #[cfg(feature = "load")]
    Load(load::Args),
    #[cfg(feature = "load")]
    Export(export::Args),
}

fn main() -> ExitCode {
    #[cfg(feature = "load")]
    if is_job() {
        return kiln::job::start::<Job>(|cx, job| match job {
            Job::Load(args) => load::run(&cx, &args),
            Job::Export(args) => export::run(&cx, &args),
        });
    }
    kiln::job::init_logging();
    let verb = match Verb::try_parse() {
        Ok(verb) => verb,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Class::Usage.exit_code().into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match verb {
        Verb::Runs(args) => runs::run(&args),
        Verb::Rerun(args) => rerun::run(&args),
        Verb::Clean(args) => clean::run(&args),
        // They are jobs, which have begun above.
        #[cfg(feature = "load")]
        Verb::Load(_) | Verb::Export(_) => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error[{}]: {error}", error.class().name());
            error.class().exit_code().into()
        }
    }
}

/// The verbs that run as jobs; the options of a run come from the engine.
#[cfg(feature = "load")]
#[derive(Parser)]
#[command(name = "kiln", version)]
enum Job {
    /// Copies what a file in TOML describes.
    Load(load::Args),
    /// Copies files to a table of a database, or to files that a warehouse loads.
    Export(export::Args),
}

/// Whether this process runs a load or an export, or is an executor of one.
#[cfg(feature = "load")]
fn is_job() -> bool {
    kiln::job::run_as_executor_if_asked();
    std::env::args_os().nth(1).is_some_and(|verb| verb == "load" || verb == "export")
}

/// Prints to standard output; a reader that has gone is no failure.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Lines of columns, each as wide as its longest cell.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_verb_has_an_example_in_its_help() {
        let mut command = Verb::command();
        command.clone().debug_assert();
        for verb in command.get_subcommands_mut() {
            let name = verb.get_name().to_owned();
            let help = verb.render_long_help().to_string();
            assert!(help.contains("Example") && help.contains(&format!("kiln {name} ")), "{help}");
        }
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "bb"], ["ccc", "d"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(table(&rows), "a    bb\nccc  d\n");
    }
}
