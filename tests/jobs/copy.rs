//! A job that copies lines between locations and formats.

use kiln::chain::Chain;
use kiln::expr::{col, lit};
use kiln::{Context, Dataset, Row};

#[derive(clap::Parser)]
struct Args {
    /// What to read: a file that ends in `.csv`, or a folder of Parquet files.
    #[arg(long)]
    input: String,
    /// Filters Parquet files: only the lines from this number on.
    #[arg(long)]
    from: Option<u64>,
    /// Where to publish: a folder whose name ends in `.csv`, or one for Parquet.
    #[arg(long)]
    output: String,
}

#[derive(Row, Clone)]
struct Line {
    n: u64,
    text: String,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let mut read = cx.read();
    if let Some(from) = args.from {
        read = read.filter(col("n").gt_eq(lit(from)));
    }
    if args.input.ends_with(".csv") {
        publish(read.csv::<Line>(&args.input), &args.output)
    } else {
        publish(read.parquet::<Line>(&args.input), &args.output)
    }
}

fn publish(lines: Dataset<Line, impl Chain<Out = Line>>, output: &str) -> kiln::Result<()> {
    if output.ends_with(".csv") { lines.write().csv(output) } else { lines.write().parquet(output) }
}
