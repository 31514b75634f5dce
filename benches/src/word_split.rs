//! Cuts a text into words exactly as `str::split_whitespace` does, only faster.
//!
//! Text goes in, each word leaves through a closure. Sixteen bytes are loaded at once: they hold the
//! word, its end and what is to be hashed, without a loop whose end the processor cannot guess.
//! Whatever is not plain ASCII goes through the standard library, which knows Unicode's white
//! space. It does not know what words are for.

use crate::word::{INLINE_BYTES, Word};

/// Calls `found` for every word of `piece`, which begins at byte `start` of the whole text.
pub fn for_each_word(piece: &str, start: usize, mut found: impl FnMut(Word)) {
    let bytes = piece.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if let Some((word, length)) = plain_word(&bytes[at..]) {
            if length > 0 {
                found(word);
            }
            at += length + 1;
            continue;
        }
        let run = &piece[at..at + run_length(&bytes[at..])];
        for word in run.split_whitespace() {
            let offset = word.as_ptr().addr() - bytes.as_ptr().addr();
            found(Word::new(word.as_bytes(), start + offset));
        }
        at += run.len() + 1;
    }
}

/// The ASCII word before the first white space of `rest`, with its length, which may be 0.
///
/// None when the first sixteen bytes do not show that word and its end.
#[inline]
fn plain_word(rest: &[u8]) -> Option<(Word, usize)> {
    let load = u128::from_le_bytes(*rest.first_chunk::<INLINE_BYTES>()?);
    let length = (up_to_space(load).trailing_zeros() / 8) as usize;
    let word = Word::head(load, length);
    (length < INLINE_BYTES && is_space(rest[length]) && word.is_ascii()).then_some((word, length))
}

/// Sets the high bit of the first byte of `load` that is a space or a control character.
///
/// Bytes after that one may be marked too, by the borrow of the subtraction; bytes before are not.
#[inline]
fn up_to_space(load: u128) -> u128 {
    const fn everywhere(byte: u8) -> u128 {
        u128::from_ne_bytes([byte; INLINE_BYTES])
    }
    load.wrapping_sub(everywhere(b' ' + 1)) & !load & everywhere(0x80)
}

/// The bytes before the first ASCII white space.
fn run_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| is_space(*byte)).unwrap_or(rest.len())
}

/// The ASCII bytes that are white space to `char::is_whitespace`, vertical tab included.
#[inline]
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn words_are_those_of_the_standard_library() {
        // White space of one, two and three bytes; control characters that are none; words of all sizes.
        const PARTS: [&str; 16] = [
            " ",
            "\n",
            "\t",
            "\r\n",
            "\u{b}",
            "\u{c}",
            "\u{1c}",
            "\0",
            "\u{85}",
            "\u{a0}",
            "\u{2003}",
            "\u{3000}",
            "é",
            "낱말",
            "word",
            "longer-than-sixteen-bytes",
        ];
        for seed in 0..2000 {
            let mut random = Random::new(seed);
            let text: String = (0..random.below(40)).map(|_| PARTS[random.below(16) as usize]).collect();
            let expected: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(words(&text), expected, "seed {seed}");
        }
    }

    #[test]
    fn a_word_that_starts_in_a_later_piece_is_found_in_the_whole_text() {
        let text = "first line\nsupercalifragilisticexpialidocious";
        let mut shown = Vec::new();
        for_each_word(&text[11..], 11, |word| shown.push(word.show(text.as_bytes(), <[u8]>::to_vec)));
        assert_eq!(shown, [&text.as_bytes()[11..]]);
    }

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each_word(text, 0, |word| {
            words.push(word.show(text.as_bytes(), |bytes| String::from_utf8_lossy(bytes).into_owned()));
        });
        words
    }
}
