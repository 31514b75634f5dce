//! A job that reads a table of PostgreSQL and prints the number of its rows and the sum of their
//! numbers.

use std::time::Duration;

use kiln::Context;
use kiln_connectors::Retry;
use kiln_connectors::postgres::ReadPostgres;

#[derive(clap::Parser)]
struct Args {
    #[arg(long)]
    url: String,
    #[arg(long)]
    table: String,
    #[arg(long)]
    filter: Option<String>,
    #[arg(long)]
    split_by: Option<String>,
    #[arg(long)]
    splits: Option<usize>,
    /// Time limit of a statement, in milliseconds.
    #[arg(long)]
    statement_timeout: Option<u64>,
    #[arg(long, default_value = "8")]
    max_connections: usize,
    /// Where to publish the rows, as Parquet.
    #[arg(long)]
    output: Option<String>,
}

#[derive(kiln::Row, Clone)]
struct Line {
    id: i64,
    text: String,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let retry = Retry { tries: 5, first_pause: Duration::from_millis(200), ..Retry::default() };
    let mut read =
        cx.postgres(&args.url).table(&args.table).retry(retry).max_connections(args.max_connections);
    if let Some(filter) = &args.filter {
        read = read.filter(filter);
    }
    if let Some(column) = &args.split_by {
        read = read.split_by(column);
    }
    if let Some(splits) = args.splits {
        read = read.splits(splits);
    }
    if let Some(limit) = args.statement_timeout {
        read = read.statement_timeout(Duration::from_millis(limit));
    }
    let lines = read.read::<Line>();
    if let Some(output) = &args.output {
        return lines.write_parquet(output);
    }
    let stats = lines.map(|line| line.id as u64 + line.text.len() as u64).stats()?;
    let (count, sum) = stats.map_or((0, 0.0), |stats| (stats.count(), stats.sum()));
    println!("rows {count} {sum}");
    Ok(())
}
