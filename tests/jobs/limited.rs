//! A job that one resource limits: its source, its closures, its memory, or its target, as it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kiln::arrow::array::{Int64Array, RecordBatch};
use kiln::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use kiln::connect::{
    Begin, PartWriter, PlannedSplit, Scan, ScanBatches, ScanPlan, ScanTask, Sink, SinkRun, SinkTask,
};
use kiln::{Context, Result};
use serde::{Deserialize, Serialize};

const SPLITS: i64 = 4;
const BATCHES: i64 = 10;
const ROWS: i64 = 100;
/// How long each batch takes where it is slow.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a row that is sorted.
const WIDE: usize = 4000;

#[derive(clap::Parser)]
struct Args {
    #[arg(long, value_enum)]
    by: By,
    /// Where rows are written as files, unless they go to the slow target.
    #[arg(long)]
    output: String,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum By {
    Source,
    Processor,
    Memory,
    /// The place of the output: a disk, or a store.
    Output,
    Target,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let pause = if args.by == By::Source { PAUSE } else { Duration::ZERO };
    let rows = cx.scan::<i64, _>(Numbers { pause });
    match args.by {
        By::Source | By::Output => rows.write_parquet(&args.output),
        By::Processor => rows.map(busy).write_parquet(&args.output),
        By::Memory => {
            let wide = rows.flat_map(|n| (0..5).map(move |i| (n * 7919 % 4001 * 5 + i, "x".repeat(WIDE))));
            wide.sort_by_key().keys().write_parquet(&args.output)
        }
        By::Target => rows.write_to(Slow),
    }
}

/// Keeps the processor busy for half a millisecond.
fn busy(n: i64) -> i64 {
    let began = Instant::now();
    let mut sum = n;
    while began.elapsed() < Duration::from_micros(500) {
        sum = std::hint::black_box(sum.wrapping_mul(31));
    }
    n
}

/// Numbers that come in batches, with a pause before each.
#[derive(Clone, Serialize, Deserialize)]
struct Numbers {
    pause: Duration,
}

impl Scan for Numbers {
    type Split = i64;

    fn address(&self) -> String {
        "numbers:".to_owned()
    }

    fn label(&self) -> String {
        "read_numbers".to_owned()
    }

    fn plan(&self, _: Option<&SchemaRef>) -> Result<ScanPlan<i64>> {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let splits = (0..SPLITS).map(|split| PlannedSplit { split, rows: None, bytes: 8 });
        Ok(ScanPlan { schema, splits: splits.collect(), row_bytes: 1 << 20, input: None, hold: None })
    }

    fn open<'t>(&'t self, split: &'t i64, task: &'t ScanTask<'t>) -> Result<Box<dyn ScanBatches + 't>> {
        Ok(Box::new(Batches { pause: self.pause, next: split * BATCHES, end: (split + 1) * BATCHES, task }))
    }
}

struct Batches<'t> {
    pause: Duration,
    next: i64,
    end: i64,
    task: &'t ScanTask<'t>,
}

impl ScanBatches for Batches<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.next == self.end {
            return Ok(None);
        }
        std::thread::sleep(self.pause);
        let numbers = Int64Array::from_iter_values(self.next * ROWS..(self.next + 1) * ROWS);
        self.next += 1;
        Ok(Some(RecordBatch::try_new(self.task.schema().clone(), vec![Arc::new(numbers)])?))
    }

    fn bytes_read(&self) -> u64 {
        0
    }
}

/// A target that takes its time and keeps nothing.
#[derive(Clone, Serialize, Deserialize)]
struct Slow;

impl Sink for Slow {
    type Stage = ();
    type Held = ();
    type Part = u64;

    fn address(&self) -> String {
        "slow:".to_owned()
    }

    fn label(&self) -> String {
        "write_slow".to_owned()
    }

    fn begin(&self, _: &SchemaRef, _: &SinkRun) -> Result<Begin<(), ()>> {
        Ok(Begin::Begun { held: (), stage: () })
    }

    fn open<'t>(&'t self, _: &'t (), _: &'t SinkTask<'t>) -> Result<Box<dyn PartWriter<Part = u64> + 't>> {
        Ok(Box::new(Part { rows: 0 }))
    }

    fn commit(&self, (): (), _: Vec<u64>, run: &SinkRun) -> Result<()> {
        run.committing().map(drop)
    }
}

struct Part {
    rows: u64,
}

impl PartWriter for Part {
    type Part = u64;

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        std::thread::sleep(PAUSE * 10);
        Ok(self.rows)
    }
}
