//! A job that reads a table of MySQL or MariaDB and prints how many rows it has and the sum of their numbers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use kiln::Context;
use kiln_connectors::Retry;
use kiln_connectors::mysql::{Consistency, ReadMysql};

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
    /// Milliseconds for one statement.
    #[arg(long)]
    statement_timeout: Option<u64>,
    #[arg(long, default_value = "8")]
    max_connections: usize,
    #[arg(long, value_enum, default_value = "one-connection")]
    consistency: Moments,
    /// A file that the job makes when it has planned, and another one that it then waits for.
    #[arg(long, num_args = 2)]
    gate: Vec<PathBuf>,
    /// Where to publish the rows, as Parquet.
    #[arg(long)]
    output: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Moments {
    OneConnection,
    ShortLock,
    PerSplit,
}

#[derive(kiln::Row, Clone)]
struct Line {
    id: i64,
    text: String,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let retry = Retry { tries: 5, first_pause: Duration::from_millis(200), ..Retry::default() };
    let mut read = cx.mysql(&args.url).table(&args.table).retry(retry).max_connections(args.max_connections);
    read = read.consistency(match args.consistency {
        Moments::OneConnection => Consistency::OneConnection,
        Moments::ShortLock => Consistency::ShortLock,
        Moments::PerSplit => Consistency::PerSplit,
    });
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
    if let [planned, go] = args.gate.as_slice() {
        wait(planned, go);
    }
    if let Some(output) = &args.output {
        return lines.write_parquet(output);
    }
    let stats = lines.map(|line| line.id as u64 + line.text.len() as u64).stats()?;
    let (count, sum) = stats.map_or((0, 0.0), |stats| (stats.count(), stats.sum()));
    println!("rows {count} {sum}");
    Ok(())
}

fn wait(planned: &Path, go: &Path) {
    let _ = std::fs::write(planned, "");
    while !go.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
}
