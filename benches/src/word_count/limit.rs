//! The hand-written word count.
//!
//! The file is memory-mapped and split at line ends, one range per thread. Each thread counts into its
//! own tables, partitioned by hash, so that the threads can then merge each partition separately. Words
//! are split exactly as in the job. Tables and words have their own files.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use kiln::{Error, Result};
use memmap2::Mmap;

use super::counts::Counts;
use super::table::WordTable;
use super::word::Word;
use crate::files::on_threads;

/// Binary logarithm of the number of tables per thread. The high bits of a word's hash select its
/// table.
const PARTITION_BITS: u32 = 6;
const PARTITIONS: usize = 1 << PARTITION_BITS;

/// The byte order mark, which is not part of the first word of a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Words are split in batches before they are counted. A short loop that only counts lets the processor
/// overlap cache misses; word by word, the next split would wait for the previous slot.
const BATCH_WORDS: usize = 256;

/// Counts the words of `path` on `slots` threads.
///
/// # Errors
/// Fails when the file cannot be mapped, or is not UTF-8.
pub fn count_file(path: &Path, slots: usize) -> Result<Counts> {
    let map = map_file(path).map_err(|e| Error::io("cannot map the text", e).at("file", path.display()))?;
    count(&map, slots).map_err(|e| e.at("file", path.display()))
}

/// Maps the file for reading.
fn map_file(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is sound only if nobody changes the file. The benchmark's own files are created
    // by a rename and never written again; for other files the help text requires that they do not
    // change.
    unsafe { Mmap::map(&file) }
}

/// Counts the words of `text` on `slots` threads.
fn count(text: &[u8], slots: usize) -> Result<Counts> {
    let pieces = pieces(text, slots).into_iter();
    let tables = on_threads(pieces.map(|piece| move || count_piece(text, piece)));
    Ok(merge(tables.into_iter().collect::<Result<Vec<_>>>()?, slots))
}

/// Splits `text` into `count` ranges of about the same size, each of which ends at the end of a line.
fn pieces(text: &[u8], count: usize) -> Vec<Range<usize>> {
    let line_end = |from: usize| {
        let newline = text[from..].iter().position(|byte| *byte == b'\n');
        newline.map_or(text.len(), |distance| from + distance + 1)
    };
    let mut start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let cut = |i: usize| {
        let even = text.len() / count * i;
        let end = if i == count { text.len() } else { line_end(even.max(start)) };
        std::mem::replace(&mut start, end)..end
    };
    (1..=count).map(cut).collect()
}

/// Counts the words of one range, in one table per partition.
fn count_piece(text: &[u8], piece: Range<usize>) -> Result<Vec<WordTable<'_>>> {
    let start = piece.start;
    let piece = std::str::from_utf8(&text[piece])
        .map_err(|e| Error::data("the text is not UTF-8").at("byte", start + e.valid_up_to()))?;
    let mut tables: Vec<WordTable> = (0..PARTITIONS).map(|_| WordTable::new(text)).collect();
    let mut batch = Vec::with_capacity(BATCH_WORDS);
    for word in piece.split_whitespace() {
        let offset = word.as_ptr().addr() - text.as_ptr().addr();
        let word = Word::new(word.as_bytes(), offset);
        batch.push((word.hash(), word));
        if batch.len() == BATCH_WORDS {
            count_batch(&mut tables, &batch);
            batch.clear();
        }
    }
    count_batch(&mut tables, &batch);
    Ok(tables)
}

/// Counts each word of the batch in the table of its partition.
fn count_batch(tables: &mut [WordTable], batch: &[(u64, Word)]) {
    for &(hash, word) in batch {
        tables[(hash >> (u64::BITS - PARTITION_BITS)) as usize].add(hash, word, 1);
    }
}

/// Merges the tables of all threads. Each thread takes the next partition when it has merged one.
fn merge(tables: Vec<Vec<WordTable>>, slots: usize) -> Counts {
    let mut partitions: Vec<Vec<WordTable>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    for of_one_thread in tables {
        partitions.iter_mut().zip(of_one_thread).for_each(|(partition, table)| partition.push(table));
    }
    let queue = Mutex::new(partitions.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let parts = on_threads((0..slots).map(|_| {
        || {
            let mut counts = Counts::default();
            while let Some(partition) = next() {
                merge_partition(partition, &mut counts);
            }
            counts
        }
    }));
    let mut counts = Counts::default();
    parts.iter().for_each(|part| counts.merge(part));
    counts
}

/// Merges the tables of one partition, and adds its words to `counts`.
fn merge_partition(tables: Vec<WordTable>, counts: &mut Counts) {
    let mut tables = tables.into_iter();
    let Some(mut all) = tables.next() else { return };
    tables.for_each(|table| all.absorb(&table));
    all.for_each(|word, count| counts.add(word, count));
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::data::text::{Kind, Text};

    #[test]
    fn it_counts_as_a_plain_map_does_with_any_number_of_threads() {
        for kind in [Kind::Natural, Kind::Distinct] {
            let mut bytes = Vec::new();
            Text { kind, words: 200_000, seed: 5 }.write(&mut bytes).expect("a vector takes every byte");
            check(&bytes);
        }
    }

    #[test]
    fn short_and_unfinished_texts_lose_nothing() {
        for text in ["", "\n", "one", "no newline\nat the end", "\n\n a\n\nb", "a\u{3000}b a\u{a0}b\nç\rç"]
        {
            check(text.as_bytes());
        }
    }

    #[test]
    fn an_empty_file_has_no_words() {
        let path = std::env::temp_dir().join(format!("kiln-bench-empty-{}", std::process::id()));
        std::fs::write(&path, "").expect("the temporary directory is writable");
        let counts = count_file(&path, 2);
        std::fs::remove_file(&path).expect("it was just written");
        assert_eq!(counts.expect("an empty file is a text"), Counts::default());
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_refused_with_the_byte() {
        let error = count(b"good\nline\nbad \xff", 3).expect_err("byte 14 is not UTF-8");
        assert_eq!(error.to_string(), "the text is not UTF-8, at byte 14");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_word() {
        let counts = count("\u{feff}a a".as_bytes(), 2).expect("the text is UTF-8");
        assert_eq!(counts.top, [("a".to_owned(), 2)]);
    }

    fn check(bytes: &[u8]) {
        let mut plain: HashMap<&str, u64> = HashMap::new();
        let text = std::str::from_utf8(bytes).expect("the text is UTF-8");
        text.split_whitespace().for_each(|word| *plain.entry(word).or_default() += 1);
        let mut expected = Counts::default();
        plain.into_iter().for_each(|(word, count)| expected.add(word, count));
        for slots in 1..=3 {
            assert_eq!(count(bytes, slots).expect("the text is UTF-8"), expected, "{slots} slots");
        }
    }
}
