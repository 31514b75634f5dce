//! A job that reads lines of any format and prints their number and the sum of their numbers.

use kiln::chain::Chain;
use kiln::expr::{col, lit};
use kiln::{Context, Dataset, Row};

#[derive(clap::Parser)]
struct Args {
    /// What to read.
    #[arg(long)]
    input: String,
    #[arg(long, default_value = "parquet")]
    format: String,
    /// Filters Parquet files: only the lines from this number on.
    #[arg(long)]
    from: Option<u64>,
    /// Declares that CSV fields contain no line breaks.
    #[arg(long)]
    plain_lines: bool,
}

#[derive(Row, Clone)]
struct Line {
    n: u64,
    text: String,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    read(&cx, &args).inspect_err(|error| println!("reason {}", error.reason_word()))
}

fn read(cx: &Context, args: &Args) -> kiln::Result<()> {
    let (mut read, input) = (cx.read(), args.input.as_str());
    if let Some(from) = args.from {
        read = read.filter(col("n").gt_eq(lit(from)));
    }
    if args.plain_lines {
        read = read.multi_line(false);
    }
    match args.format.as_str() {
        "parquet" => report(cx, read.parquet::<Line>(input).map(|line| line.n + line.text.len() as u64)),
        "csv" => report(cx, read.csv::<Line>(input).map(|line| line.n + line.text.len() as u64)),
        "json" => report(cx, read.json::<Line>(input).map(|line| line.n + line.text.len() as u64)),
        "arrow" => report(cx, read.arrow::<Line>(input).map(|line| line.n + line.text.len() as u64)),
        "files" => report(cx, read.text_files(input).map(|(_, text)| text.len() as u64)),
        _ => report(cx, read.text(input).map(|line| line.len() as u64)),
    }
}

fn report(cx: &Context, numbers: Dataset<u64, impl Chain<Out = u64>>) -> kiln::Result<()> {
    for input in cx.job_run().facts().inputs {
        println!("input {} {} {} {}", input.uri, input.files, input.bytes, input.hash);
    }
    let (count, sum) = numbers.stats()?.map_or((0, 0.0), |stats| (stats.count(), stats.sum()));
    println!("rows {count} {sum}");
    Ok(())
}
