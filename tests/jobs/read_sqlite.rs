//! A job that reads a table of SQLite and prints how many rows it has and the sum of their numbers.

use std::path::{Path, PathBuf};

use kiln::Context;
use kiln_connectors::sqlite::ReadSqlite;

#[derive(clap::Parser)]
struct Args {
    #[arg(long)]
    path: PathBuf,
    #[arg(long)]
    table: String,
    #[arg(long)]
    filter: Option<String>,
    #[arg(long)]
    splits: Option<usize>,
    /// A file that the job makes when it has planned, and another one that it then waits for.
    #[arg(long, num_args = 2)]
    gate: Vec<PathBuf>,
}

#[derive(kiln::Row, Clone)]
struct Line {
    id: i64,
    text: String,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let mut read = cx.sqlite(&args.path).table(&args.table);
    if let Some(filter) = &args.filter {
        read = read.filter(filter);
    }
    if let Some(splits) = args.splits {
        read = read.splits(splits);
    }
    let lines = read.read::<Line>();
    if let [planned, go] = args.gate.as_slice() {
        wait(planned, go);
    }
    let stats = lines.map(|line| line.id as u64 + line.text.len() as u64).stats()?;
    let (count, sum) = stats.map_or((0, 0.0), |stats| (stats.count(), stats.sum()));
    println!("rows {count} {sum}");
    Ok(())
}

fn wait(planned: &Path, go: &Path) {
    let _ = std::fs::write(planned, "");
    while !go.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
