//! Word counts that stop at a gate in the middle, so that a test can kill a process at that point.
//!
//! At a row that is or contains the word `GATE`, a task creates a file `waits-PID` in the gate's folder
//! and waits for a file `open` in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln::{Context, Dataset};

/// How long a task waits for the gate to open.
const GATE_LIMIT: Duration = Duration::from_secs(60);
/// The word at which a task waits.
const GATE: &str = "GATE";
/// Enough numbers for four partitions on either side of an exchange.
const NUMBERS: u64 = 1 << 24;

#[derive(clap::Parser)]
enum Args {
    /// Counts the words of several inputs; tasks that read `GATE` wait.
    Read {
        #[arg(long, required = true)]
        input: Vec<String>,
        #[arg(long)]
        output: String,
        #[arg(long)]
        gate: PathBuf,
    },
    /// Counts words made of numbers; tasks that have read the first rows of an exchange wait.
    Merge {
        #[arg(long)]
        output: String,
        #[arg(long)]
        gate: PathBuf,
    },
    /// The same in two actions; the job itself waits between them.
    Twice {
        #[arg(long)]
        output: String,
        #[arg(long)]
        gate: PathBuf,
    },
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    match args {
        Args::Read { input, output, gate } => {
            let read = cx.counter("lines read");
            let gate = cx.share((gate, read.clone()));
            let lines = input.iter().map(|one| cx.read_text(one).erase()).reduce(|all, one| all.union(one));
            let lines = lines.ok_or_else(|| kiln::Error::usage("no input"))?;
            let lines = lines.filter_with(&gate, |(gate, read), line| {
                wait_if(line.contains(GATE), gate);
                read.add(1);
                true
            });
            let words = lines.flat_map_to(str::split_whitespace).map_to::<(String, u64)>(|word| (word, 1));
            words.reduce_by_key(|a, b| a + b).write_parquet_as(&output, ["word", "count"])
        }
        Args::Merge { output, gate } => {
            let gate = cx.share((gate, cx.counter("words merged")));
            let counts = count_numbers(&cx).map_with(&gate, |(gate, merged), (word, count)| {
                wait_if(true, gate);
                merged.add(1);
                (word.to_owned(), count)
            });
            counts.write_parquet_as(&output, ["word", "count"])
        }
        Args::Twice { output, gate } => {
            let counts = count_numbers(&cx).cache();
            println!("{} words", counts.count()?);
            wait_if(true, &gate);
            counts.write_parquet_as(&output, ["word", "count"])
        }
    }
}

/// Every thousandth number, as one of 5000 words.
fn count_numbers(cx: &Context) -> Dataset<(String, u64)> {
    let numbers = cx.range(0..NUMBERS).filter(|n| n % 1000 == 0);
    let counted = numbers.inspect_with(&cx.counter("numbers"), |numbers, _| numbers.add(1));
    let words = counted.map(|n| (format!("word{}", n / 1000 % 5000), 1u64));
    words.reduce_by_key(|a, b| a + b)
}

fn wait_if(gated: bool, gate: &Path) {
    if !gated || gate.join("open").exists() {
        return;
    }
    let end = Instant::now() + GATE_LIMIT;
    let _ = std::fs::write(gate.join(format!("waits-{}", std::process::id())), "");
    while !gate.join("open").exists() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
}
