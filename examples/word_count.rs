//! Counts words: from text files to Parquet.
//!
//! Without arguments it counts the words of this repository's text files, publishes them to
//! `out/word_count` and prints the most frequent ones. With only `--input` it prints them and publishes
//! nothing; with `--output` it publishes the columns `word` and `count`.

use kiln::{Context, Dataset};

/// This repository's text files, in whichever folder the example is started.
const OWN_TEXT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../{engine,planner,proto,examples,benches,tests}/**/*.{rs,toml,proto}"
);
/// Where a run without arguments publishes.
const OWN_OUTPUT: &str = "out/word_count";

#[derive(clap::Parser)]
#[command(about = "Counts the words of text files")]
struct Args {
    /// Text files: a path, a folder, a glob or a URL; `.gz` and `.zst` are decompressed.
    #[arg(long)]
    input: Option<String>,
    /// Where to publish Parquet files; nothing may exist there yet.
    #[arg(long)]
    output: Option<String>,
    /// Number of the most frequent words to print.
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

/// Removes the output of the demo's last run. A real job never removes its output.
fn fresh(output: &str) -> kiln::Result<String> {
    match std::fs::remove_dir_all(output) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(kiln::Error::io("cannot remove the last demo's output", e).at("folder", output))
        }
        _ => Ok(output.to_owned()),
    }
}
