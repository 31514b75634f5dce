//! An inverted index: for every word the documents that hold it, and how often each does.
//!
//! Documents are whole files. Occurrences are counted before anything is grouped, so a word moves once for
//! each document and not once for each place in it. Without arguments it indexes this repository.

use kiln::row::ListView;
use kiln::{Context, Dataset, Row};

/// The repository's own documents, whichever folder the example is started in.
const OWN_DOCUMENTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../{*.md,{engine,planner,proto,examples,benches,tests}/**/*.rs}");

#[derive(clap::Parser)]
#[command(about = "Finds the documents that hold a word")]
struct Args {
    /// Documents: a path, a folder, a glob or a URL of text files.
    #[arg(long, default_value = OWN_DOCUMENTS)]
    input: String,
    /// The word whose documents are printed, those with most occurrences first.
    #[arg(long, default_value = "partition")]
    word: String,
    /// Where to publish the index as Parquet, sorted by word.
    #[arg(long)]
    output: Option<String>,
}

/// A document and the occurrences of a word in it.
#[derive(Row)]
struct Posting {
    document: String,
    count: u64,
}

#[derive(Row)]
struct Entry {
    word: String,
    /// In the order of the documents' addresses.
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

/// The words of a text in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
