//! The words of generated text, and their frequencies.
//!
//! Maps a rank to a spelling: mostly syllables, but also some accented letters and words in Hangul, so
//! that text is not all ASCII. Frequent ranks follow Zipf's law, and their spellings are stored. Rare
//! words are spelled from their number when they are drawn, because eight million strings would take
//! too much memory.

use crate::data::random::{Random, Weighted};

/// Exponent of Zipf's law; about 1 in natural languages.
const ZIPF_EXPONENT: f64 = 1.0;

/// Percentage of frequent words in Hangul, and with accents.
const HANGUL_PERCENT: u64 = 2;
const ACCENT_PERCENT: u64 = 4;

const ONSETS: [&str; 16] = ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr"];
const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "a", "ea", "y"];
const ACCENTED: [&str; 8] = ["á", "é", "í", "ö", "ü", "à", "ê", "ø"];
const ENDINGS: [&str; 8] = ["", "", "", "n", "r", "s", "t", "l"];

/// Concatenated spellings of the frequent words, most frequent first.
pub struct Vocabulary {
    letters: String,
    ends: Vec<u32>,
    frequency: Weighted,
}

impl Vocabulary {
    /// `words` spellings, nearly all distinct. They depend only on the count and on `random`.
    pub fn new(words: usize, random: &mut Random) -> Vocabulary {
        let mut letters = String::new();
        let mut ends = vec![0];
        for rank in 0..words {
            spell_frequent(rank, random, &mut letters);
            ends.push(letters.len() as u32);
        }
        let weights: Vec<f64> = (1..=words).map(|rank| (rank as f64).powf(-ZIPF_EXPONENT)).collect();
        Vocabulary { letters, ends, frequency: Weighted::new(&weights) }
    }

    /// Draws a word by its frequency.
    pub fn draw(&self, random: &mut Random) -> &str {
        let rank = self.frequency.draw(random);
        &self.letters[self.ends[rank] as usize..self.ends[rank + 1] as usize]
    }
}

/// Appends a word. Its length grows with its rank, as in natural languages.
fn spell_frequent(rank: usize, random: &mut Random, out: &mut String) {
    let syllables = match rank {
        0..40 => 1,
        40..1000 => 2 + random.below(2),
        _ => 2 + random.below(3),
    };
    if random.percent(HANGUL_PERCENT) {
        return spell_hangul(syllables, random, out);
    }
    let accented = random.percent(ACCENT_PERCENT);
    for syllable in 0..syllables {
        let vowels = if accented && syllable == 0 { &ACCENTED } else { &VOWELS };
        out.push_str(ONSETS[random.below(16) as usize]);
        out.push_str(vowels[random.below(8) as usize]);
        out.push_str(ENDINGS[random.below(8) as usize]);
    }
}

/// Appends `syllables` characters of the Hangul block, three bytes each.
fn spell_hangul(syllables: u64, random: &mut Random, out: &mut String) {
    const FIRST: u32 = '가' as u32;
    const COUNT: u64 = 11_172;
    out.extend((0..syllables).filter_map(|_| char::from_u32(FIRST + random.below(COUNT) as u32)));
}

/// Appends the rare word with this number. Different numbers below 96^5 give different words.
///
/// Digits in base 96 become syllables of two letters, so the spelling is one-to-one, and the leading
/// `q` distinguishes it from the frequent words. The factor is coprime to 96: it only shuffles the
/// numbers, so that successive words look different.
pub fn spell_rare(number: u64, out: &mut String) {
    const CONSONANTS: &[u8; 16] = b"bcdfghjklmnprstv";
    const VOWELS: &[u8; 6] = b"aeiouy";
    const SHUFFLE: u64 = 1_000_000_007;
    let syllables = 5 + number % 3;
    let mut rest = number.wrapping_mul(SHUFFLE) % 96_u64.pow(5);
    out.push('q');
    for _ in 0..syllables {
        out.push(char::from(CONSONANTS[(rest % 16) as usize]));
        out.push(char::from(VOWELS[(rest / 16 % 6) as usize]));
        rest /= 96;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rare_words_are_distinct() {
        let spelled: HashSet<String> = (0..50_000)
            .map(|i| i * 7919)
            .map(|number| {
                let mut word = String::new();
                spell_rare(number, &mut word);
                word
            })
            .collect();
        assert_eq!(spelled.len(), 50_000);
    }

    #[test]
    fn some_words_are_not_ascii() {
        let vocabulary = Vocabulary::new(1000, &mut Random::new(3));
        let share = vocabulary.letters.chars().filter(|c| !c.is_ascii()).count() as f64;
        assert!((0.01..0.10).contains(&(share / vocabulary.letters.chars().count() as f64)));
    }
}
