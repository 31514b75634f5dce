//! `inverted_index` and `tf_idf`, compared with loops over the words of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, UInt64Type};
use tempfile::TempDir;

use super::job::Job;
use super::random::Random;
use super::{same_files_everywhere, table, texts, write_files};

const INVERTED_INDEX: &str = env!("CARGO_BIN_EXE_inverted_index");
const TF_IDF: &str = env!("CARGO_BIN_EXE_tf_idf");

/// Number of occurrences of each word in each document.
type Counts = BTreeMap<String, BTreeMap<String, u64>>;

/// Writes forty documents, one of them without words.
fn write_documents(folder: &TempDir) -> Counts {
    let mut random = Random::new(13);
    let word =
        |r: &mut Random| format!("{}{}", r.pick(&["Wort", "word", "ПРИВЕТ", "x"]), r.below(9) * r.below(9));
    let mut documents = random.rows(39, |r| {
        let length = 1 + r.below(200) as usize;
        r.rows(length, |r| word(r) + *r.pick(&[" ", "\n", ", ", " -- "])).concat()
    });
    documents.push("... --- ...\n".to_owned());
    write_files(folder.path(), documents.iter().cloned());
    let address =
        |at| fs::canonicalize(folder.path()).unwrap().join(format!("{at:03}.txt")).display().to_string();
    let mut counts = Counts::new();
    for (at, text) in documents.iter().enumerate() {
        let of_document = counts.entry(address(at)).or_default();
        for word in text.split([' ', '\n', ',', '-', '.']).filter(|word| !word.is_empty()) {
            *of_document.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn inverted_index_gives_the_same_files_everywhere_and_every_document_of_every_word() {
    let input = TempDir::new().unwrap();
    let counts = write_documents(&input);
    let (folder, ended) = same_files_everywhere(|folder| {
        let job = Job::new(INVERTED_INDEX).option("--input", input.path()).option("--word", "word0");
        job.option("--output", folder.join("index"))
    });
    let mut expected = BTreeMap::<String, Vec<(String, u64)>>::new();
    for (document, words) in &counts {
        words
            .iter()
            .for_each(|(word, n)| expected.entry(word.clone()).or_default().push((document.clone(), *n)));
    }

    let mut found = Vec::new();
    for batch in table::batches(&folder.path().join("index")) {
        let postings = batch.column_by_name("postings").unwrap().as_list::<i32>().clone();
        for (word, postings) in texts(&batch, "word").into_iter().zip(postings.iter()) {
            let postings = postings.unwrap().as_struct().clone();
            let documents = postings.column_by_name("document").unwrap().as_string::<i32>().clone();
            let counts = postings.column_by_name("count").unwrap().as_primitive::<UInt64Type>().clone();
            let postings = documents.iter().zip(counts.values()).map(|(d, n)| (d.unwrap().to_owned(), *n));
            found.push((word.unwrap(), postings.collect::<Vec<_>>()));
        }
    }
    assert_eq!(found, expected.clone().into_iter().collect::<Vec<_>>(), "in the order of the words");

    let mut best = expected["word0"].clone();
    best.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let printed: String =
        best.iter().take(10).map(|(document, n)| format!("{n:>10}  {document}\n")).collect();
    assert_eq!(ended.stdout, printed);
}

#[test]
fn tf_idf_gives_the_same_files_everywhere_and_the_scores_of_a_loop() {
    let input = TempDir::new().unwrap();
    let counts = write_documents(&input);
    let (folder, _) = same_files_everywhere(|folder| {
        let job = Job::new(TF_IDF).option("--input", input.path()).option("--terms", "4");
        job.option("--output", folder.join("terms"))
    });
    let mut found = Vec::new();
    for batch in table::batches(&folder.path().join("terms")) {
        let terms = batch.column_by_name("terms").unwrap().as_list::<i32>().clone();
        for (document, terms) in texts(&batch, "document").into_iter().zip(terms.iter()) {
            let terms = terms.unwrap().as_struct().clone();
            let scores = terms.column(0).as_primitive::<Float64Type>().values().to_vec();
            let words = terms.column(1).as_string::<i32>().iter().map(|word| word.unwrap().to_owned());
            found.push((document.unwrap(), scores.into_iter().zip(words).collect::<Vec<_>>()));
        }
    }
    assert_eq!(found, best_terms(&counts, 4));
    assert_eq!(found.len(), counts.len() - 1, "a document without words has no terms");
}

/// Computes the scores as `examples/tf_idf.rs` does, with loops.
fn best_terms(counts: &Counts, terms: usize) -> Vec<(String, Vec<(f64, String)>)> {
    let words: BTreeSet<&String> = counts.values().flat_map(BTreeMap::keys).collect();
    let holders = |word| counts.values().filter(|words| words.contains_key(word)).count() as f64;
    let idf: BTreeMap<&String, f64> =
        words.into_iter().map(|word| (word, (counts.len() as f64 / holders(word)).ln())).collect();
    let mut best = Vec::new();
    for (document, words) in counts.iter().filter(|(_, words)| !words.is_empty()) {
        let length = words.values().sum::<u64>() as f64;
        let score = |(word, n): (&String, &u64)| (*n as f64 / length * idf[word], word.clone());
        let mut scores: Vec<(f64, String)> = words.iter().map(score).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scores.truncate(terms);
        best.push((document.clone(), scores));
    }
    best
}
