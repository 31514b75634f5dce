//! A job that does not end by itself: it publishes more numbers than can be written.
//!
//! Its tasks create a file `started-…` in the given folder, so that a test knows that they are running.

use std::path::PathBuf;
use std::time::Duration;

use kiln::Context;

#[derive(clap::Parser)]
struct Args {
    /// Where to publish.
    #[arg(long)]
    output: String,
    /// The folder for the files `started-…`.
    #[arg(long)]
    signs: PathBuf,
    /// How long the closure takes for each number; zero by default.
    #[arg(long, default_value_t = 0)]
    millis_per_row: u64,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let shared = cx.share((args.signs, args.millis_per_row));
    let rows = cx.range(0..1 << 50).map_with(&shared, |(signs, millis), n| {
        // True for the first row of a partition, as partitions have 2^40 rows, and every 2^20 rows after it.
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
