//! A job with more rows than memory, so that its operators write temporary files.
//!
//! With a gate, the tasks that read spilled rows create a file `waits-PID` in it and wait for a file
//! `open`, so that a test can act while the temporary files exist.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln::{Context, Dataset, Level, OnError, Partitioner};

/// How long a task waits for the gate to open.
const GATE_LIMIT: Duration = Duration::from_secs(60);
/// Size of a row without its key.
const PAYLOAD_BYTES: usize = 100;

#[derive(clap::Parser)]
struct Args {
    /// What to do with the rows.
    #[arg(long, value_enum)]
    work: Work,
    /// Rows of about 120 bytes.
    #[arg(long)]
    rows: u64,
    /// Where to publish the keys.
    #[arg(long)]
    output: String,
    /// The folder of the gate.
    #[arg(long)]
    gate: Option<PathBuf>,
    /// Fails after the gate.
    #[arg(long)]
    fails: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Work {
    Exchange,
    Sort,
    /// In two partitions, so that two processes have work.
    SortWithinTwo,
    Group,
    Join,
    /// A join that rereads the output of an operator in its own stage.
    JoinOfSums,
    Persist,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let keys = match args.work {
        Work::Exchange => rows(&cx, args.rows).repartition(4).keys().erase(),
        Work::Sort => rows(&cx, args.rows).sort_by_key().keys().erase(),
        Work::SortWithinTwo => {
            let halves = Partitioner::Hash(2);
            rows(&cx, args.rows).repartition_and_sort_within_partitions(halves).keys().erase()
        }
        Work::Group => rows(&cx, args.rows).group_by_key().keys().erase(),
        Work::Join => rows(&cx, args.rows).join(rows(&cx, args.rows)).keys().erase(),
        Work::JoinOfSums => sums(&cx, args.rows).join(sums(&cx, args.rows)).keys().erase(),
        Work::Persist => rows(&cx, args.rows).persist(Level::Disk).keys().erase(),
    };
    let gate = cx.share((args.gate, args.fails));
    let look = |(gate, fails): &(Option<PathBuf>, bool), key: u64| {
        gate.iter().for_each(|gate| pass(gate));
        if *fails { Err("this row is at fault") } else { Ok(key) }
    };
    let keys = keys.try_map_with(&gate, look, OnError::Fail);
    keys.write_parquet_as(&args.output, ["n"])
}

/// Rows with distinct keys, unordered.
fn rows(cx: &Context, count: u64) -> Dataset<(u64, String)> {
    // An odd factor, so that products are distinct.
    let row = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15), format!("{n:0PAYLOAD_BYTES$}"));
    cx.parallelize(0..count).map(row).erase()
}

fn sums(cx: &Context, count: u64) -> Dataset<(u64, String)> {
    rows(cx, count).reduce_by_key(|a, _| a)
}

/// Waits until the gate is open.
fn pass(gate: &Path) {
    let (open, end) = (gate.join("open"), Instant::now() + GATE_LIMIT);
    if open.exists() {
        return;
    }
    let _ = std::fs::write(gate.join(format!("waits-{}", std::process::id())), "");
    while !open.exists() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
}
