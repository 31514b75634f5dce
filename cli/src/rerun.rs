//! `kiln rerun`: starts a recorded job again, as the next attempt of its run or as a new run.

use std::os::unix::process::CommandExt;
use std::process::Command;

use kiln::admin::{self, RunRecord};
use kiln::{Error, Result};

/// Starts the recorded program of a run with its arguments, in its folder, as the next attempt of the run.
///
/// A run that is published already is not published again; give --new-run to run the job once more. The job takes the
/// place of this process, so that signals reach it and the exit code is the job's. Environment variables are those of
/// the caller, with KILN_MODE and KILN_EXPECT_PARTITIONS as recorded unless the caller sets them.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kiln rerun nightly-7 --output out/days\n  kiln rerun nightly-7 --output s3://bucket/days --new-run"
)]
pub struct Args {
    /// Id of the run, as `kiln runs` lists it.
    run: String,
    /// Address of an output of the run, whose ledger has the record.
    #[arg(long)]
    output: String,
    /// Gives the job a new run id.
    #[arg(long)]
    new_run: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let records = admin::runs(&args.output)?;
    let Some(record) = records.iter().find(|record| record.run_id == args.run) else {
        let error = Error::config("no such run is recorded").reason("no_such_run");
        let error = error.at("run", &args.run).at("output", &args.output);
        return Err(
            error.help("`kiln runs` lists the runs of an output; one that was killed leaves no record")
        );
    };
    check_secrets(record)?;
    let mut command = command(record);
    if args.new_run {
        command.env("KILN_RUN_ID", uuid::Uuid::new_v4().to_string()).env_remove("KILN_ATTEMPT");
    } else {
        let attempt = admin::next_attempt(&args.output, &args.run)?;
        command.env("KILN_RUN_ID", &args.run).env("KILN_ATTEMPT", attempt.to_string());
    }
    // It returns only when the program cannot be started.
    let error = Error::io("the recorded job cannot be started", command.exec()).reason("no_such_job");
    Err(error.at("program", &record.job).at("folder", &record.folder))
}

fn command(record: &RunRecord) -> Command {
    let mut command = Command::new(&record.job);
    command.args(&record.args).current_dir(&record.folder);
    for (name, value) in &record.settings {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    command
}

/// Refuses a record from which a secret was left out.
fn check_secrets(record: &RunRecord) -> Result<()> {
    match record.args.iter().find(|argument| argument.contains(admin::HIDDEN)) {
        None => Ok(()),
        Some(argument) => {
            let error =
                Error::config("an argument of the run is not recorded, because it looks like a secret");
            let error = error.reason("secret_argument").at("argument", argument);
            Err(error.help(format!("run the job by hand, with --run-id '{}'", record.run_id)))
        }
    }
}
