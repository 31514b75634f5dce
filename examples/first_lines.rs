//! First steps for users of Spark: closures without type annotations, and the `_to` methods for results
//! that borrow. `docs/from-spark.md` explains each.
//!
//! cargo run --release --example first_lines -- --output out/first_lines

use std::cmp::Reverse;

use clap::Parser;
use kiln::{Context, Dataset};

#[derive(Parser)]
struct Args {
    /// Output folder for the words with their counts, as text.
    #[arg(long)]
    output: String,
}

#[derive(kiln::Row, Clone)]
struct Person {
    name: String,
    age: u32,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let lines = cx.parallelize(["to be or", "not to be"].map(String::from)).erase();
    let counts = lines.clone().flat_map_to(str::split_whitespace).count_by_value();

    owned_results(&cx, lines.clone(), counts.clone())?;
    borrowed_results(lines, counts.clone())?;
    counts.map(|(w, n)| format!("{w} {n}")).write_text(&args.output)
}

/// A closure with an owned result needs no type, whatever the row is.
fn owned_results(cx: &Context, lines: Dataset<String>, counts: Dataset<(String, u64)>) -> kiln::Result<()> {
    println!("words: {}", counts.clone().map(|(_, n)| n).sum()?);
    let by_length = counts.clone().map(|(w, n)| (w.len(), n)).reduce_by_key(|a, b| a + b);
    println!("lengths: {:?}", by_length.sort_by_key().collect()?);
    println!("bytes: {:?}", lines.clone().map(|l| l.len()).collect()?);
    let parts = lines.clone().flat_map(|l| l.split(' ').map(str::to_owned).collect::<Vec<_>>());
    println!("parts: {}", parts.count()?);
    let ones = lines.map(|l| (l.to_owned(), 1)).reduce_by_key(|a, b| a + b);
    println!("lines: {}", ones.count()?);

    let people = cx.parallelize([Person { name: "Ada".to_owned(), age: 36 }]);
    println!("ages: {:?}", people.clone().map(|p| p.age).collect()?);
    println!("names: {:?}", people.map(|p| p.name.to_lowercase()).collect()?);

    let groups = counts.clone().group_by_key();
    println!("groups: {}", groups.map(|(k, list)| (k.len(), list.len())).count()?);
    let joined = counts.clone().join(counts);
    println!("joined: {}", joined.map(|(w, (a, b))| (w.to_owned(), a + b)).count()?);
    // A literal needs its type where the next method depends on it.
    println!("numbers: {}", cx.parallelize([1u64, 2, 3]).sum()?);
    println!("texts: {:?}", cx.parallelize([1u64, 2]).map(|n| n.to_string()).collect()?);
    Ok(())
}

/// If the result borrows from the row, the row type is named, and nothing is copied.
fn borrowed_results(lines: Dataset<String>, counts: Dataset<(String, u64)>) -> kiln::Result<()> {
    let ones = lines.clone().map_to::<(String, u64)>(|w| (w, 1));
    println!("ones: {}", ones.count()?);
    let swapped = counts.clone().map_to::<(u64, String)>(|(k, v)| (v, k));
    println!("swapped: {}", swapped.count()?);
    let words = lines.flat_map_emit::<String>(|l, emit| l.split(' ').for_each(emit));
    println!("emitted: {}", words.count()?);

    let sorted = counts.clone().sort_by_to::<(Reverse<u64>, String)>(|(w, n)| (Reverse(n), w));
    println!("sorted: {:?}", sorted.keys().collect()?);
    println!("top: {:?}", counts.top_to::<(u64, String)>(1, |(w, n)| (n, w))?);
    println!("first: {:?}", counts.take_ordered_to::<String>(1, |row| row.0)?);
    let trimmed = counts.map(|(w, n)| (n, w.to_owned())).map_values_to::<String>(str::trim);
    println!("trimmed: {}", trimmed.count()?);
    Ok(())
}
