//! Counts words: from text files to Parquet.
//!
//! Without arguments it counts the words of this repository's own text files, publishes them to
//! `out/word_count` and prints the most frequent ones. With `--input` alone it prints and publishes
//! nothing; with `--output` it publishes columns `word` and `count`.

use kiln::{Context, Dataset};

/// The repository's text files, whichever folder the example is started in.
const OWN_TEXT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../{engine,planner,proto,examples,benches,tests}/**/*.{rs,toml,proto}"
);
/// Where the run without arguments publishes.
const OWN_OUTPUT: &str = "out/word_count";

#[derive(clap::Parser)]
#[command(about = "Counts the words of text files")]
struct Args {
    /// Text files: a path, a folder, a glob or a URL; `.gz` and `.zst` are decompressed.
    #[arg(long)]
    input: Option<String>,
    /// Where to publish Parquet files; nothing may be there yet.
    #[arg(long)]
    output: Option<String>,
    /// How many of the most frequent words to print.
    #[arg(long, default_value_t = 10)]
    top: usize,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let counts = count_words(&cx, args.input.as_deref().unwrap_or(OWN_TEXT)).cache();

    let output = match (&args.input, args.output) {
        (None, None) => Some(fresh(OWN_OUTPUT)?),
        (_, output) => output,
    };
    if let Some(output) = &output {
        counts.write_parquet_as(output, ["word", "count"])?;
    }

    for (word, count) in counts.top(args.top, |(_, count)| count)? {
        println!("{count:>10}  {word}");
    }
    if let Some(output) = &output {
        println!("published to {output}");
    }
    Ok(())
}

fn count_words(cx: &Context, input: &str) -> Dataset<(String, u64)> {
    cx.read_text(input)
        .flat_map_to(str::split_whitespace)
        .map_to::<(String, u64)>(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
}

/// The demo's own output, made anew by every run; a real job's output is never removed for it.
fn fresh(output: &str) -> kiln::Result<String> {
    match std::fs::remove_dir_all(output) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(kiln::Error::io("cannot remove the last demo's output", e).at("folder", output))
        }
        _ => Ok(output.to_owned()),
    }
}
