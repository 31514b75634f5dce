//! `kiln clean`: removes what killed jobs have left at an output.

use std::fmt::Write;
use std::time::Duration;

use kiln::Result;
use kiln::admin::{self, CleanOptions, CleanReport};

use super::print;

/// Removes what killed jobs have left at an output, and never a file of the output.
///
/// Without --delete nothing is removed, only listed. Times are those of the store, not of this machine.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kiln clean s3://bucket/days\n  kiln clean s3://bucket/days --delete --grace 48h"
)]
pub struct Args {
    /// Address of the output, as the job has it.
    uri: String,
    /// Removes what is listed.
    #[arg(long)]
    delete: bool,
    /// Objects in a store that are younger are kept: longer than any job runs. An attempt that has only older ones may
    /// not publish any more.
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Allows a grace of less than an hour.
    #[arg(long)]
    force: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let options = CleanOptions { delete: args.delete, grace: args.grace, force: args.force };
    let report = admin::clean(&args.uri, &options)?;
    print(&text(&report, args.delete));
    Ok(())
}

fn text(report: &CleanReport, is_deleted: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if report.unfinished_commit {
        let _ = writeln!(
            text,
            "{} a commit that was cut off",
            if is_deleted { "finished" } else { "to finish:" }
        );
    }
    let verb = if is_deleted { "removed" } else { "to remove:" };
    for claim in &report.revoked {
        let _ = writeln!(text, "{} {claim}", if is_deleted { "fenced" } else { "to fence:" });
    }
    for leftover in &report.leftovers {
        let _ = writeln!(text, "{verb} {} ({} bytes)", leftover.address, leftover.bytes);
    }
    for upload in &report.uploads {
        let _ = writeln!(text, "{verb} an open upload of {upload}");
    }
    let bytes: u64 = report.leftovers.iter().map(|leftover| leftover.bytes).sum();
    let (count, uploads, records) = (report.leftovers.len(), report.uploads.len(), report.records);
    let _ = writeln!(
        text,
        "{verb} {count} files, {bytes} bytes, {uploads} open uploads, {records} old records; kept {} files of attempts that \
         may be alive",
        report.kept
    );
    if !is_deleted && count + uploads + records > 0 {
        text.push_str("nothing was removed; add --delete to do it\n");
    }
    text
}
