//! TF-IDF: the words that distinguish a document from the others.
//!
//! The score of a word in a document is its share of the document's words, times the logarithm of the
//! number of all documents divided by the number of documents that contain the word. Without arguments
//! the documents are the files of this repository.

use kiln::chain::Chain;
use kiln::{Context, Dataset, Shared};

/// This repository's documents, in whichever folder the example is started.
const OWN_DOCUMENTS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../{*.md,{engine,planner,proto,examples,benches,tests}/**/*.rs}");

/// A score and its word.
type Term = (f64, String);

#[derive(clap::Parser)]
#[command(about = "Finds the words that tell documents apart")]
struct Args {
    /// Documents: a path, a folder, a glob or a URL of text files.
    #[arg(long, default_value = OWN_DOCUMENTS)]
    input: String,
    /// Number of words per document.
    #[arg(long, default_value_t = 5)]
    terms: usize,
    /// Number of documents to print.
    #[arg(long, default_value_t = 10)]
    top: usize,
    /// Where to publish every document's best words as Parquet.
    #[arg(long)]
    output: Option<String>,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let documents = cx.read_text_files(&args.input);
    let count = cx.share(documents.count()? as f64);
    let terms = cx.share(args.terms);

    let best = scores(documents, &count)
        .aggregate_by_key_with(
            &terms,
            Vec::<Term>::new(),
            |terms, best, (score, word)| keep(best, (score, word.to_owned()), *terms),
            |terms, best, others| others.into_iter().fold(best, |best, term| keep(best, term, *terms)),
        )
        .sort_by_key()
        .cache();

    for (document, terms) in best.take(args.top)? {
        println!("{document}");
        for (score, word) in terms {
            println!("{score:>12.6}  {word}");
        }
    }
    match args.output {
        Some(output) => best.write_parquet_as(&output, ["document", "terms"]),
        None => Ok(()),
    }
}

/// The score of every word of every document, by document.
fn scores(
    documents: Dataset<(String, String), impl Chain<Out = (String, String)>>,
    count: &Shared<f64>,
) -> Dataset<(String, Term)> {
    let occurrences = documents
        .flat_map_emit::<((String, String), u64)>(|(document, text), emit| {
            words(text).for_each(|word| emit(((document, &word), 1)));
        })
        .reduce_by_key(|a, b| a + b)
        .cache();
    let lengths = occurrences
        .clone()
        .map_to::<(String, u64)>(|((document, _), n)| (document, n))
        .reduce_by_key(|a, b| a + b);
    let holders = occurrences.clone().map_to::<String>(|((_, word), _)| word).count_by_value();

    occurrences
        .map_to::<(String, (String, u64))>(|((document, word), n)| (document, (word, n)))
        .join(lengths)
        .map_to::<(String, (String, f64))>(|(document, ((word, n), length))| {
            (word, (document, n as f64 / length as f64))
        })
        .join(holders)
        .map_to_with::<(String, Term), _>(count, |count, (word, ((document, share), holders))| {
            (document, (share * (count / holders as f64).ln(), word))
        })
        .erase()
}

/// Inserts a term into the best ones, which are sorted by descending score, then by word.
fn keep(mut best: Vec<Term>, term: Term, terms: usize) -> Vec<Term> {
    let at = best.partition_point(|kept| {
        kept.0.total_cmp(&term.0).reverse().then_with(|| kept.1.cmp(&term.1)).is_lt()
    });
    if at < terms {
        best.truncate(terms - 1);
        best.insert(at, term);
    }
    best
}

/// The words of a text in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
