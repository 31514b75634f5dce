//! `kiln runs`: the ledger of an output, the newest attempt first.

use kiln::admin::{self, RunRecord};
use kiln::{Error, Result};

use super::{print, table};

/// Lists the recorded attempts at publishing to an output, the newest first.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  kiln runs out/word_count\n  kiln runs s3://bucket/days --json | jq .message"
)]
pub struct Args {
    /// Address of the output, as the job has it.
    uri: String,
    /// Prints each record as one line of JSON, with everything that is recorded.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let records = admin::runs(&args.uri)?;
    if args.json {
        let lines = records.iter().map(|record| serde_json::to_string(record).map(|line| line + "\n"));
        let lines = lines.collect::<std::result::Result<String, _>>();
        print(&lines.map_err(|e| Error::bug("a record is no JSON").because(e))?);
    } else if records.is_empty() {
        print(&format!("no runs are recorded for {}\n", args.uri));
    } else {
        let head = ["RUN", "ATTEMPT", "STATUS", "REASON", "ROWS", "SECONDS", "STARTED"].map(String::from);
        let rows: Vec<_> = std::iter::once(head.to_vec()).chain(records.iter().map(row)).collect();
        print(&table(&rows));
    }
    Ok(())
}

fn row(record: &RunRecord) -> Vec<String> {
    let rows = record.outputs.iter().filter(|output| output.uri == record.output).map(|output| output.rows);
    vec![
        record.run_id.clone(),
        record.attempt.map_or("-".to_owned(), |attempt| attempt.to_string()),
        record.status.clone(),
        record.reason.clone().unwrap_or_else(|| "-".to_owned()),
        rows.sum::<u64>().to_string(),
        format!("{:.1}", record.seconds),
        record.started.clone(),
    ]
}
