//! `kiln-benches`: compares Kiln's jobs with hand-written programs for the same work, and with other
//! engines.
//!
//! ```text
//! cargo run --release -p kiln-benches -- word-count
//! cargo run --release -p kiln-benches -- word-count --text distinct --slots 2 --cluster
//! cargo run --release -p kiln-benches -- sort
//! cargo run --release -p kiln-benches -- sort --memory 256MB
//! cargo run --release -p kiln-benches -- peers
//! cargo run --release -p kiln-benches -- startup
//! cargo run --release -p kiln-benches -- generate natural --output /tmp/text.txt
//! ```
//!
//! Exit code 1 means that two contenders gave different answers.

/// The command line, and the work of one contender.
mod cli;
mod suite;
mod work;

/// Runs, measurements and comparisons.
mod digest;
mod harness;
mod peers;

/// Common code of the hand-written programs.
mod files;
mod partitions;

/// Input data.
mod data;

/// The benchmarks, each with data, a hand-written program (`limit`) and a job.
mod csv_to_parquet;
mod group;
mod join;
mod k_means;
mod map_chain;
mod page_rank;
mod sort;
mod word_count;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use kiln::{Error, Result};

use cli::{Asked, Cli, Command};
use data::text::Text;
use harness::contest::{self, Contender, Verdict};
use harness::{report, startup};
use work::{Place, Work};

fn main() -> ExitCode {
    // First, because an executor does not have the command line of this program.
    kiln::run_as_executor_if_asked();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error[{}]: {error}", error.class().name());
            ExitCode::from(error.class().exit_code())
        }
    }
}

/// Prints help or a usage error. All of Kiln's programs exit with 64 on wrong usage.
fn refuse(error: &clap::Error) -> ExitCode {
    // A closed terminal must not change the exit code.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Error::usage("").class().exit_code()) } else { ExitCode::SUCCESS }
}

fn run(command: Command) -> Result<ExitCode> {
    if let Some((work, asked)) = command.contest()? {
        return hold(&work, asked);
    }
    match command {
        Command::Generate(asked) => {
            let words = asked.words.unwrap_or(asked.kind.default_words());
            Text { kind: asked.kind, words, seed: asked.seed }.write_to(&asked.output)?;
        }
        Command::Startup(asked) => {
            for cluster in [false, true] {
                print!("{}", startup::report(&Place { slots: asked.slots, cluster }, asked.rounds.get())?);
            }
        }
        Command::Peers(asked) => peers::run(&asked)?,
        Command::RunTrivial { place } => println!("{}", startup::run(&place)?),
        Command::RunLimit(one) => print!("{}", one.work.run_limit(&one.output)?),
        Command::RunJob(one) => print!("{}", one.work.run_job(&one.output)?),
        contest => return Err(Error::bug(format!("{contest:?} asks for a contest without work"))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the contest and prints its outcome.
fn hold(work: &Work, asked: &Asked) -> Result<ExitCode> {
    let job = Contender::Job { memory: None };
    let (base, other) = match &asked.memory {
        Some(memory) => (job, Contender::Job { memory: Some(memory.clone()) }),
        None => (Contender::Limit, job),
    };
    match contest::run(work, &base, &other, asked.rounds.get())? {
        Verdict::Agreed(times) => {
            print!("{}", report::report(work, [&base, &other], &times));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Differed { base: of_base, other: of_other } => {
            let (base, other) = (base.name(), other.name());
            eprintln!("the answers differ\n\n{base}:\n{of_base}\n{other}:\n{of_other}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The address of a local file or folder.
fn address(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
