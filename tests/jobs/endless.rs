//! A job that does not end by itself: it publishes more numbers than can be written.
//!
//! Its tasks leave a file `started-…` in the folder they are given, so that a test knows when it is
//! in the middle.

use std::path::PathBuf;
use std::time::Duration;

use kiln::Context;

#[derive(clap::Parser)]
struct Args {
    /// Where to publish.
    #[arg(long)]
    output: String,
    /// The folder for the signs of life.
    #[arg(long)]
    signs: PathBuf,
    /// How long the closure takes for each number; without it, no time at all.
    #[arg(long, default_value_t = 0)]
    millis_per_row: u64,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let shared = cx.share((args.signs, args.millis_per_row));
    let rows = cx.range(0..1 << 50).map_with(&shared, |(signs, millis), n| {
        // The rows of a partition are 2^40: this is its first, or one of its next.
        if n % (1 << 20) == 0 {
            let _ = std::fs::write(signs.join(format!("started-{n}")), "");
        }
        if *millis > 0 {
            std::thread::sleep(Duration::from_millis(*millis));
        }
        n
    });
    rows.write_parquet_as(&args.output, ["n"])
}
