//! Generated text for word counts: a file from a kind, a number of words and a seed.
//!
//! The text is streamed to the file, and the same request gives the same bytes everywhere, so that
//! figures of different days and machines are about the same text. A file appears under its name only
//! when it is complete. `vocabulary` spells the words.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use kiln::{Error, Result};

use crate::data::random::Random;
use crate::data::vocabulary::{Vocabulary, spell_rare};

/// The distribution of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Zipf's law over some 0.3 million words: tables stay small, most words repeat.
    Natural,
    /// Every ninth word is new: the tables grow to millions of words.
    Distinct,
}

/// A text with all that is needed to generate it again.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub kind: Kind,
    pub words: u64,
    pub seed: u64,
}

/// Number of spellings in `Natural` and in the frequent part of `Distinct`. Each also occurs with a
/// comma and with a full stop, which makes it another word.
const NATURAL_VOCABULARY: usize = 120_000;
const DISTINCT_VOCABULARY: usize = 50_000;

/// Percentage of the words of `Distinct` that are drawn uniformly from the rare words.
const RARE_PERCENT: u64 = 30;

/// Number of rare words, as a percentage of the words of a `Distinct` text.
const RARE_WORDS_PERCENT: u64 = 9;

/// Percentage of words that end in a comma, and of lines that end in a full stop.
const COMMA_PERCENT: u64 = 5;
const STOP_PERCENT: u64 = 50;

const WRITE_BUFFER_BYTES: usize = 1 << 20;

impl Kind {
    /// The size for the published figures.
    pub fn default_words(self) -> u64 {
        match self {
            Kind::Natural => 60_000_000,
            Kind::Distinct => 70_000_000,
        }
    }

    /// Name in file names and tables of results.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Natural => "natural",
            Kind::Distinct => "distinct",
        }
    }
}

impl Text {
    /// The file with this text below the system's temporary directory, written unless it exists.
    pub fn cached(&self) -> Result<PathBuf> {
        let name = format!("kiln-bench-{}-{}-{}.txt", self.kind.name(), self.words, self.seed);
        let path = std::env::temp_dir().join(name);
        if !path.exists() {
            eprintln!("writing {}", path.display());
            self.write_to(&path)?;
        }
        Ok(path)
    }

    /// Writes the text under a temporary name beside `path`, then renames it.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
        let written = File::create(&unfinished)
            .and_then(|file| self.write(BufWriter::with_capacity(WRITE_BUFFER_BYTES, file)))
            .and_then(|()| fs::rename(&unfinished, path));
        written.map_err(|e| {
            // Best effort: only the first error is reported.
            let _ = fs::remove_file(&unfinished);
            Error::io("the text cannot be written", e).at("file", path.display())
        })
    }

    /// Writes the text: lines of 8 to 16 words.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        let mut random = Random::new(self.seed);
        let mut words = Words::new(self, &mut random);
        let mut left_in_line = 0;
        for done in 0..self.words {
            if left_in_line == 0 {
                left_in_line = 8 + random.below(9);
            }
            left_in_line -= 1;
            out.write_all(words.draw(&mut random).as_bytes())?;
            let last = left_in_line == 0 || done + 1 == self.words;
            out.write_all(separator(last, &mut random))?;
        }
        out.flush()
    }
}

/// The separator after a word.
fn separator(last_in_line: bool, random: &mut Random) -> &'static [u8] {
    let chance = random.below(100);
    match last_in_line {
        true if chance < STOP_PERCENT => b".\n",
        true => b"\n",
        false if chance < COMMA_PERCENT => b", ",
        false => b" ",
    }
}

/// Draws the words of one text.
struct Words {
    frequent: Vocabulary,
    rare_percent: u64,
    rare_words: u64,
    spelled: String,
}

impl Words {
    fn new(text: &Text, random: &mut Random) -> Words {
        let (frequent, rare_percent) = match text.kind {
            Kind::Natural => (NATURAL_VOCABULARY, 0),
            Kind::Distinct => (DISTINCT_VOCABULARY, RARE_PERCENT),
        };
        Words {
            frequent: Vocabulary::new(frequent, random),
            rare_percent,
            rare_words: text.words * RARE_WORDS_PERCENT / 100,
            spelled: String::new(),
        }
    }

    fn draw(&mut self, random: &mut Random) -> &str {
        if !random.percent(self.rare_percent) {
            return self.frequent.draw(random);
        }
        self.spelled.clear();
        spell_rare(random.below(self.rare_words), &mut self.spelled);
        &self.spelled
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        for kind in [Kind::Natural, Kind::Distinct] {
            assert_eq!(text(kind, 10_000, 1), text(kind, 10_000, 1));
            assert_ne!(text(kind, 10_000, 1), text(kind, 10_000, 2));
        }
    }

    #[test]
    fn a_text_has_as_many_words_as_asked_for() {
        assert_eq!(text(Kind::Natural, 1234, 1).split_whitespace().count(), 1234);
        assert_eq!(text(Kind::Distinct, 0, 1), "");
    }

    #[test]
    fn every_ninth_word_of_distinct_text_is_new_and_natural_text_repeats_itself() {
        let rare = distinct_share(&text(Kind::Distinct, 1_000_000, 1));
        let natural = distinct_share(&text(Kind::Natural, 1_000_000, 1));
        assert!((0.12..0.20).contains(&rare), "distinct {rare}");
        assert!((0.08..0.12).contains(&natural), "natural {natural}");
    }

    fn text(kind: Kind, words: u64, seed: u64) -> String {
        let mut bytes = Vec::new();
        Text { kind, words, seed }.write(&mut bytes).expect("a vector takes every byte");
        String::from_utf8(bytes).expect("generated text is UTF-8")
    }

    fn distinct_share(text: &str) -> f64 {
        let words: HashSet<&str> = text.split_whitespace().collect();
        words.len() as f64 / text.split_whitespace().count() as f64
    }
}
