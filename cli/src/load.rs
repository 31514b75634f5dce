//! `kiln load`: copies a table, or the result of a query, to files, as a file in TOML says.
//!
//! A load is a job: it has a run id, attempts, a mode, a result and exit codes as every other, and its rows are published in
//! one step.

mod check;
pub mod file;
mod guess;
pub mod params;
pub mod preview;
mod sources;

use std::path::PathBuf;

use clap::Subcommand;
use kiln::connect::Scan;
use kiln::{Context, Copied, Result};

use file::{LoadFile, Target};
use sources::{LoadSource, with_source};

/// Copies a table, or the result of a query, to files, as FILE says.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kiln load orders.toml guess --url postgres://me@db.example/shop --table shop.orders
  kiln load orders.toml check --param ds=2026-11-20
  kiln load orders.toml --param ds=2026-11-20 --run-id orders-2026-11-20")]
pub struct Args {
    /// The load file.
    file: PathBuf,
    #[command(subcommand)]
    step: Option<Step>,
    /// A value for `{NAME}` in the file, as NAME=VALUE; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = params::parse, global = true)]
    params: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Step {
    /// Loads; this is also done without a step.
    Run,
    /// Shows columns, types and splits, and checks the target's options. Reads no rows.
    Check,
    /// Prints the first rows.
    Preview {
        /// How many.
        #[arg(long, default_value_t = 10)]
        rows: usize,
    },
    /// Writes the load file from a source.
    Guess(guess::Args),
}

/// Runs the load as a job.
///
/// # Errors
/// Config for a file that cannot be read or names what does not exist; else those of the load.
pub fn run(cx: &Context, args: &Args) -> Result<()> {
    if let Some(Step::Guess(guess)) = &args.step {
        return guess::run(&args.file, guess, cx);
    }
    let LoadFile { source, target } = file::read(&args.file, &args.params)?;
    with_source!(&source, source => step(&cx.copy(source.scan(cx)?), &target, args))
}

fn step<S: Scan>(rows: &Copied<S>, target: &Target, args: &Args) -> Result<()> {
    match &args.step {
        None | Some(Step::Run) => target.write(rows),
        Some(Step::Preview { rows: count }) => preview::run(rows, *count),
        Some(Step::Check | Step::Guess(_)) => check::run(rows, target),
    }
}
