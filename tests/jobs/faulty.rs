//! A job with a bug: a closure that panics, or closures that capture variables.

use kiln::{Context, Dataset};

#[derive(clap::Parser)]
enum Args {
    /// One closure panics; without `--go-on` this ends the job.
    Panics {
        #[arg(long)]
        output: String,
        /// Prints the failure, and publishes correct rows.
        #[arg(long)]
        go_on: bool,
    },
    /// Two closures capture undeclared variables.
    Captures {
        #[arg(long)]
        input: String,
        #[arg(long)]
        output: String,
        /// Captures nothing: the correct variant.
        #[arg(long)]
        declared: bool,
    },
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    match args {
        Args::Panics { output, go_on } => panics(&cx, &output, go_on),
        Args::Captures { input, output, declared: true } => declared(&cx, &input, 7).write_parquet(&output),
        Args::Captures { input, output, declared: false } => captures(&cx, &input, 7).write_parquet(&output),
    }
}

fn panics(cx: &Context, output: &str, go_on: bool) -> kiln::Result<()> {
    let before = processes(cx)?;
    let rows = cx.parallelize_in(4, 0u64..400).map(|n| {
        assert!(n != 250, "no luck with {n}"); // the fault
        n
    });
    if !go_on {
        return rows.write_parquet(output);
    }
    match rows.count() {
        Ok(count) => println!("{count} rows in spite of the panic"),
        Err(error) => println!("{}: {error}", error.class().name()),
    }
    println!("same processes: {}", before == processes(cx)?);
    cx.parallelize_in(4, 0u64..400).write_parquet_as(output, ["n"])
}

/// The ids of the processes that run tasks.
fn processes(cx: &Context) -> kiln::Result<Vec<u64>> {
    let mut ids = cx.parallelize_in(8, 0u64..8).map(|_| u64::from(std::process::id())).collect()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn captures(cx: &Context, input: &str, shift: u64) -> Dataset<u64> {
    let prefix = "the ".to_owned();
    cx.read_text(input)
        .filter(move |line| line.starts_with(&*prefix)) // captures 24 bytes
        .map_to::<u64>(move |line| line.len() as u64 + shift) // captures 8 bytes
        .erase()
}

fn declared(cx: &Context, input: &str, shift: u64) -> Dataset<u64> {
    let (prefix, shift) = (cx.share("the ".to_owned()), cx.share(shift));
    cx.read_text(input)
        .filter_with(&prefix, |prefix, line| line.starts_with(&**prefix))
        .map_with(&shift, |shift, line| line.len() as u64 + shift)
        .erase()
}
