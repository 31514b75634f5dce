//! `kiln export`: copies files to a table of a database, or to files that a warehouse loads, as a file in TOML says.
//!
//! An export is a job, as a load is: it has a run id, attempts, a result and exit codes, and its rows are published in one
//! step.

mod file;
mod source;
mod targets;

use std::path::PathBuf;

use clap::Subcommand;
use kiln::connect::Scan;
use kiln::{Context, Copied, Result};

use crate::load::{params, preview};
use crate::{print, table};
use file::ExportFile;
use source::with_files;
use targets::{ExportTarget, Target, with_target};

/// Copies files to a table of a database, or to files that a warehouse loads, as FILE says.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  kiln export daily.toml check --param ds=2026-11-20
  kiln export daily.toml --param ds=2026-11-20 --run-id daily-2026-11-20")]
pub struct Args {
    /// The export file.
    file: PathBuf,
    #[command(subcommand)]
    step: Option<Step>,
    /// A value for `{NAME}` in the file, as NAME=VALUE; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = params::parse, global = true)]
    params: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Step {
    /// Exports; this is also done without a step.
    Run,
    /// Shows columns and types, and holds them against the target. Reads no rows, and writes nothing.
    Check,
    /// Prints the first rows.
    Preview {
        /// How many.
        #[arg(long, default_value_t = 10)]
        rows: usize,
    },
}

/// Runs the export as a job.
///
/// # Errors
/// Config for a file that cannot be read or names what does not exist; else those of the export.
pub fn run(cx: &Context, args: &Args) -> Result<()> {
    let ExportFile { source, target } = file::read(&args.file, &args.params)?;
    with_files!(&source, cx, scan => step(&cx.copy(scan), &target, args))
}

fn step<S: Scan>(rows: &Copied<S>, target: &Target, args: &Args) -> Result<()> {
    match &args.step {
        None | Some(Step::Run) => with_target!(target, target => target.write(rows)),
        Some(Step::Preview { rows: count }) => preview::run(rows, *count),
        Some(Step::Check) => check(rows, target),
    }
}

fn check<S: Scan>(rows: &Copied<S>, target: &Target) -> Result<()> {
    let schema = rows.schema()?;
    let says = with_target!(target, target => target.check(&schema))?;
    let mut lines = vec![["column", "type", "nulls"].map(str::to_owned).to_vec()];
    lines.extend(schema.fields().iter().map(|field| {
        let nulls = if field.is_nullable() { "yes" } else { "no" };
        vec![field.name().clone(), field.data_type().to_string(), nulls.to_owned()]
    }));
    print(&table(&lines));
    let splits = rows.splits()?;
    print(&format!("{splits} split{}\n{says}\n", if splits == 1 { "" } else { "s" }));
    Ok(())
}
