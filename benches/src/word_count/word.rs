//! A word as the hand-written count holds it: 24 bytes that are cheap to hash and to compare.
//!
//! A place in a text goes in, a [`Word`] comes out. Up to sixteen bytes, which is nearly every word,
//! lie in it themselves: a comparison then does not fetch a line of the text from memory, which
//! is what a table of pointers spends most of its time on. Longer words keep their hash and their
//! place.

/// Words up to this many bytes need no look at the text.
pub const INLINE_BYTES: usize = 16;

/// A word of a text that is at hand wherever two words are compared or shown.
#[derive(Clone, Copy)]
pub struct Word {
    /// Up to [`INLINE_BYTES`]: the bytes, little-endian and padded with 0. Else hash and start.
    key: [u64; 2],
    bytes: usize,
}

impl Word {
    /// What stands in a table where no word is.
    pub const NONE: Word = Word { key: [0, 0], bytes: 0 };

    /// The word of these bytes, which begin at byte `start` of the text.
    pub fn new(bytes: &[u8], start: usize) -> Word {
        if bytes.len() > INLINE_BYTES {
            return Word { key: [hash_long(bytes), start as u64], bytes: bytes.len() };
        }
        Word { key: pack(bytes), bytes: bytes.len() }
    }

    /// 64 bits, all of them good: tables partition by the high ones and probe by the low ones.
    #[inline]
    pub fn hash(&self) -> u64 {
        if self.bytes > INLINE_BYTES { self.key[0] } else { hash_two(self.key[0], self.key[1]) }
    }

    /// Whether both are the same word of `text`.
    #[inline]
    pub fn is(&self, other: &Word, text: &[u8]) -> bool {
        let same_start = self.key[0] == other.key[0] && self.bytes == other.bytes;
        same_start
            && (self.key[1] == other.key[1] || (self.bytes > INLINE_BYTES && self.is_long(other, text)))
    }

    /// The same for two long words with the same hash.
    #[cold]
    fn is_long(&self, other: &Word, text: &[u8]) -> bool {
        self.long(text) == other.long(text)
    }

    /// The bytes of a word that is not inline.
    fn long<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.key[1] as usize..][..self.bytes]
    }

    /// Hands the word's bytes to `show`.
    pub fn show<R>(&self, text: &[u8], show: impl FnOnce(&[u8]) -> R) -> R {
        if self.bytes > INLINE_BYTES {
            return show(self.long(text));
        }
        let padded = (u128::from(self.key[1]) << 64 | u128::from(self.key[0])).to_le_bytes();
        show(&padded[..self.bytes])
    }
}

const FIRST: u64 = 0xa076_1d64_78bd_642f;
const SECOND: u64 = 0xe703_7ed1_a0b4_28db;

/// Multiply-fold after wyhash: the halves of the product over each other.
#[inline]
fn hash_two(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ FIRST) * u128::from(b ^ SECOND);
    product as u64 ^ (product >> 64) as u64
}

/// Up to sixteen bytes as two little-endian words, padded with 0. Loads that overlap, in place of a
/// copy of variable length, which would be a call.
#[inline]
fn pack(bytes: &[u8]) -> [u64; 2] {
    let n = bytes.len();
    if n >= 8 {
        [word(&bytes[..8]), word(&bytes[n - 8..]).unbounded_shr(8 * (INLINE_BYTES - n) as u32)]
    } else if n >= 4 {
        let half = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from(u32::from_le_bytes(*b)));
        [half(bytes) | half(&bytes[n - 4..]) << (8 * (n - 4)), 0]
    } else if n > 0 {
        let byte = |at: usize| u64::from(bytes[at]) << (8 * at);
        [byte(0) | byte(n / 2) | byte(n - 1), 0]
    } else {
        [0, 0]
    }
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

/// The same, eight bytes a step.
fn hash_long(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |state, chunk| {
        let mut padded = [0; 8];
        padded[..chunk.len()].copy_from_slice(chunk);
        hash_two(state, u64::from_le_bytes(padded))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_wherever_it_stands_and_at_any_length() {
        let text = "abcdefghijklmnopqrstuvwxyz".repeat(2).into_bytes();
        for bytes in 1..=26 {
            let (left, right) = (word(&text, 0, bytes), word(&text, 26, 26 + bytes));
            assert!(left.is(&right, &text) && left.hash() == right.hash(), "{bytes} bytes");
            assert_eq!(left.show(&text, <[u8]>::to_vec), text[..bytes]);
        }
    }

    #[test]
    fn words_that_differ_in_one_byte_or_in_length_are_different() {
        let text = b"aaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaab";
        assert!(!word(text, 0, 20).is(&word(text, 21, 41), text));
        assert!(!word(text, 0, 16).is(&word(text, 0, 17), text));
        assert!(!word(text, 0, 3).is(&word(text, 0, 4), text));
    }

    fn word(text: &[u8], start: usize, end: usize) -> Word {
        Word::new(&text[start..end], start)
    }
}
