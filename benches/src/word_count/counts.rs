//! The answer of a word count, in the form that every contender prints.
//!
//! Keeps the number of words, their sum and the twenty most frequent ones. Ties are broken by the word,
//! so that two correct answers are the same text and can be compared as text.

use std::cmp::Reverse;
use std::fmt;

/// How many of the most frequent words are printed.
pub const TOP_WORDS: usize = 20;

/// Number of distinct words, number of all words, and the most frequent ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub distinct: u64,
    pub total: u64,
    /// Sorted by descending count, then by word.
    pub top: Vec<(String, u64)>,
}

impl Counts {
    /// Adds a word that occurs `count` times. Each word may be added only once.
    pub fn add(&mut self, word: impl AsRef<[u8]>, count: u64) {
        self.distinct += 1;
        self.total += count;
        self.offer(word.as_ref(), count);
    }

    /// Adds the counts of other words.
    pub fn merge(&mut self, other: &Counts) {
        self.distinct += other.distinct;
        self.total += other.total;
        other.top.iter().for_each(|(word, count)| self.offer(word.as_bytes(), *count));
    }

    /// Inserts the word into the most frequent ones, if it is one of them.
    fn offer(&mut self, word: &[u8], count: u64) {
        let rank = (Reverse(count), word);
        let place = self.top.partition_point(|(word, count)| (Reverse(*count), word.as_bytes()) < rank);
        if place < TOP_WORDS {
            self.top.insert(place, (String::from_utf8_lossy(word).into_owned(), count));
            self.top.truncate(TOP_WORDS);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "distinct {}", self.distinct)?;
        writeln!(f, "total {}", self.total)?;
        self.top.iter().try_for_each(|(word, count)| writeln!(f, "{count} {word}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_counts_are_ordered_by_word_and_the_rest_by_count() {
        let mut counts = Counts::default();
        [("b", 2), ("c", 7), ("a", 2)].into_iter().for_each(|(word, count)| counts.add(word, count));
        assert_eq!(counts.to_string(), "distinct 3\ntotal 11\n7 c\n2 a\n2 b\n");
    }

    #[test]
    fn only_the_twenty_most_frequent_words_stay() {
        let (mut even, mut odd) = (Counts::default(), Counts::default());
        (0..100).for_each(|i| if i % 2 == 0 { &mut even } else { &mut odd }.add(format!("w{i}"), i));
        even.merge(&odd);
        assert_eq!((even.distinct, even.top.len()), (100, TOP_WORDS));
        assert_eq!((even.top[0].1, even.top[19].1), (99, 80));
    }
}
