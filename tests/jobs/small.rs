//! A short job: it counts some numbers, or publishes them in several files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln::{Context, Mode, Row};

/// How long tasks wait for the gate to open.
const GATE_LIMIT: Duration = Duration::from_secs(30);

#[derive(clap::Parser)]
struct Args {
    /// How many numbers.
    #[arg(long, default_value_t = 600)]
    rows: u64,
    /// Number of partitions, and so of files.
    #[arg(long, default_value_t = 6)]
    partitions: usize,
    /// Added to every number, to distinguish two runs.
    #[arg(long, default_value_t = 0)]
    offset: u64,
    /// Where to publish; by default the rows are only counted.
    #[arg(long)]
    output: Option<String>,
    /// What to do if the output exists.
    #[arg(long, default_value = "error", value_parser = mode)]
    mode: Mode,
    /// Publishes a Delta table.
    #[arg(long)]
    delta: bool,
    /// Publishes plain files, also in an object store.
    #[arg(long)]
    plain: bool,
    /// Writes folders of 200 numbers each.
    #[arg(long)]
    by_day: bool,
    /// Address of a checkpoint before the output.
    #[arg(long)]
    checkpoint: Option<String>,
    /// A folder: every task creates a file in it and waits for the file `open`.
    #[arg(long)]
    gate: Option<PathBuf>,
    /// An output of this job; prints its rows and their sum instead.
    #[arg(long)]
    read: Option<String>,
    /// Reports that there is nothing to do.
    #[arg(long)]
    skip: bool,
    /// Value of the job's counter `odd rows`.
    #[arg(long, default_value_t = 0)]
    odd_rows: u64,
}

#[derive(Row, Clone)]
struct Number {
    n: u64,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    if args.skip {
        cx.job_run().skip("no new rows");
        return Ok(());
    }
    if let Some(uri) = args.read {
        let read = if args.by_day { cx.read().hive_partitions() } else { cx.read() };
        let numbers = read.parquet::<Number>(&uri).map(|number| number.n);
        let (count, sum) = numbers.stats()?.map_or((0, 0.0), |stats| (stats.count(), stats.sum()));
        println!("{count} rows, sum {sum}");
        return Ok(());
    }
    if args.odd_rows > 0 {
        cx.job_run().count("odd rows", args.odd_rows);
    }
    let shared = cx.share((args.offset, args.gate));
    let rows = cx.parallelize_in(args.partitions, 0..args.rows).map_with(&shared, |(offset, gate), n| {
        if let Some(gate) = gate {
            pass(gate);
        }
        n + offset
    });
    let rows = match args.checkpoint {
        Some(uri) => rows.checkpoint(&uri)?,
        None => rows.erase(),
    };
    match args.output {
        Some(output) if args.by_day => {
            let days = rows.map_with(&cx.share(args.offset), |offset, n| ((n - offset) / 200, n));
            let write = days.write().names(["day", "n"]).partition_by(["day"]).mode(args.mode);
            let write = if args.plain { write.plain() } else { write };
            if args.delta { write.delta(&output) } else { write.parquet(&output) }
        }
        Some(output) => {
            let write = rows.write().names(["n"]).mode(args.mode);
            let write = if args.plain { write.plain() } else { write };
            if args.delta { write.delta(&output) } else { write.parquet(&output) }
        }
        None => {
            println!("{} rows", rows.count()?);
            Ok(())
        }
    }
}

fn mode(word: &str) -> Result<Mode, String> {
    match word {
        "error" => Ok(Mode::Error),
        "overwrite" => Ok(Mode::Overwrite),
        "append" => Ok(Mode::Append),
        "append-once" => Ok(Mode::AppendOnce),
        "ignore" => Ok(Mode::Ignore),
        "replace-partitions" => Ok(Mode::ReplacePartitions),
        other => Err(format!("no such mode: {other}")),
    }
}

/// Waits until the gate is open. A file with the id of this process shows that it waits.
fn pass(gate: &Path) {
    let (open, end) = (gate.join("open"), Instant::now() + GATE_LIMIT);
    while !open.exists() && Instant::now() < end {
        let _ = std::fs::write(gate.join(format!("waits-{}", std::process::id())), "");
        std::thread::sleep(Duration::from_millis(2));
    }
}
