//! An inverted index: for every word the documents that contain it, with the number of occurrences.
//!
//! Documents are whole files. Occurrences are counted before the grouping, so a word is shuffled once
//! per document and not once per occurrence. Without arguments the example indexes this repository.

use kiln::row::ListView;
use kiln::{Context, Dataset, Row};

/// This repository's documents, in whichever folder the example is started.
const OWN_DOCUMENTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../{*.md,{engine,planner,proto,examples,benches,tests}/**/*.rs}");

#[derive(clap::Parser)]
#[command(about = "Finds the documents that hold a word")]
struct Args {
    /// Documents: a path, a folder, a glob or a URL of text files.
    #[arg(long, default_value = OWN_DOCUMENTS)]
    input: String,
    /// The word whose documents are printed, those with the most occurrences first.
    #[arg(long, default_value = "partition")]
    word: String,
    /// Where to publish the index as Parquet, sorted by word.
    #[arg(long)]
    output: Option<String>,
}

/// A document and the number of occurrences of a word in it.
#[derive(Row)]
struct Posting {
    document: String,
    count: u64,
}

#[derive(Row)]
struct Entry {
    word: String,
    /// Sorted by the addresses of the documents.
    postings: Vec<Posting>,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let index = index(&cx, &args.input).cache();
    if let Some(output) = &args.output {
        index.write().sorted_by(["word"]).parquet(output)?;
    }

    let word = cx.share(args.word);
    let found =
        index.filter_with(&word, |word, entry| entry.word == word).flat_map(|entry| entry.postings.to_vec());
    for posting in found.top(10, |posting| posting.count)? {
        println!("{:>10}  {}", posting.count, posting.document);
    }
    Ok(())
}

fn index(cx: &Context, input: &str) -> Dataset<Entry> {
    cx.read_text_files(input)
        .flat_map_emit::<((String, String), u64)>(|(document, text), emit| {
            words(text).for_each(|word| emit(((&word, document), 1)));
        })
        .reduce_by_key(|a, b| a + b)
        .map_to::<(String, Posting)>(|((word, document), count)| (word, PostingView { document, count }))
        .group_by_key()
        .map_values(in_order)
        .sort_by_key()
        .map_to::<Entry>(|(word, postings)| EntryView { word, postings })
        .erase()
}

fn in_order(postings: ListView<'_, Posting>) -> Vec<Posting> {
    let mut postings = postings.to_vec();
    postings.sort_by(|a, b| a.document.cmp(&b.document));
    postings
}

/// The words of a text in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
