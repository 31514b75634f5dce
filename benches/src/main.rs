//! `kiln-benches`: Kiln's jobs against programs written by hand for the same work.
//!
//! ```text
//! cargo run --release -p kiln-benches -- word-count
//! cargo run --release -p kiln-benches -- word-count --text distinct --slots 2 --cluster
//! cargo run --release -p kiln-benches -- map-chain
//! cargo run --release -p kiln-benches -- startup
//! cargo run --release -p kiln-benches -- generate natural --output /tmp/text.txt
//! ```
//!
//! Exit 1 means that job and limit gave different answers.

/// The command line.
mod cli;

/// Job against limit: turns, agreement, times.
mod contest;
mod measure;
mod report;

/// Word count: the text, the limit, the form of its answer.
mod counts;
mod generate;
mod limit_word_count;
mod random;
mod vocabulary;
mod word;
mod word_table;

/// Ten maps: the steps and the limit.
mod limit_map_chain;
mod map_steps;

/// Both as jobs of the engine.
mod job;
mod startup;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kiln::{Error, Result};

use cli::{Cli, Command, DEFAULT_SEED, Place, Work};
use contest::Verdict;
use generate::{Kind, Text};

fn main() -> ExitCode {
    job::enter_executor_mode_if_asked();
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

/// Prints help or what is wrong with the command line; wrong usage is 64 in all of Kiln's programs.
fn refuse(error: &clap::Error) -> ExitCode {
    // A closed terminal is no reason for another exit code.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Error::usage("").class().exit_code()) } else { ExitCode::SUCCESS }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::WordCount(asked) => {
            let input = asked.input.map_or_else(|| cached_text(asked.text), Ok)?;
            let slots = asked.slots.unwrap_or_else(cores);
            hold(&Work::WordCount { input, place: Place { slots, cluster: asked.cluster } }, asked.rounds)
        }
        Command::MapChain(asked) => {
            let place = Place { slots: asked.slots, cluster: false };
            hold(&Work::MapChain { rows: asked.rows, place }, asked.rounds)
        }
        Command::Generate(asked) => {
            let words = asked.words.unwrap_or(asked.kind.default_words());
            Text { kind: asked.kind, words, seed: asked.seed }.write_to(&asked.output)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Startup(asked) => {
            for cluster in [false, true] {
                print!("{}", startup::report(&Place { slots: asked.slots, cluster }, asked.rounds.get())?);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::RunTrivial { place } => {
            println!("{}", startup::run(&place)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::RunLimit { work } => run_limit(&work),
        Command::RunJob { work } => run_job(&work),
    }
}

/// Holds the contest and prints how it ended.
fn hold(work: &Work, rounds: NonZeroUsize) -> Result<ExitCode> {
    match contest::run(work, rounds.get())? {
        Verdict::Agreed(times) => {
            print!("{}", report::report(work, &times));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Differed { limit, job } => {
            eprintln!("the answers differ\n\nlimit:\n{limit}\njob:\n{job}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The hand-written program, as a process of its own.
fn run_limit(work: &Work) -> Result<ExitCode> {
    match work {
        Work::WordCount { input, place } => {
            print!("{}", limit_word_count::count_file(input, place.slots.get())?);
        }
        Work::MapChain { rows, .. } => println!("sum {}", limit_map_chain::sum(*rows)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The job, as a process of its own.
fn run_job(work: &Work) -> Result<ExitCode> {
    match work {
        Work::WordCount { input, place } => print!("{}", job::word_count(input, place)?),
        Work::MapChain { rows, place } => println!("sum {}", job::map_chain(*rows, place)?),
    }
    Ok(ExitCode::SUCCESS)
}

fn cached_text(kind: Kind) -> Result<PathBuf> {
    Text { kind, words: kind.default_words(), seed: DEFAULT_SEED }.cached()
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
