//! The representation of words in the hand-written count: 24 bytes that are cheap to hash and compare.
//!
//! Words of up to 16 bytes, which are nearly all, are stored inline. Comparing them does not fetch a
//! cache line of the text, which is the main cost of a table of pointers. Longer words are stored as
//! their hash and position in the text.

/// Words of up to this many bytes are stored inline.
pub const INLINE_BYTES: usize = 16;

/// A word of a text, which must be passed again to compare or print long words.
#[derive(Clone, Copy)]
pub struct Word {
    /// Up to [`INLINE_BYTES`]: the bytes, little-endian and padded with 0. Longer: hash and position.
    key: [u64; 2],
    bytes: usize,
}

impl Word {
    /// The contents of a free slot.
    pub const NONE: Word = Word { key: [0, 0], bytes: 0 };

    /// The word `bytes`, which is at byte `start` of the text.
    pub fn new(bytes: &[u8], start: usize) -> Word {
        if bytes.len() > INLINE_BYTES {
            return Word { key: [hash_long(bytes), start as u64], bytes: bytes.len() };
        }
        Word { key: pack(bytes), bytes: bytes.len() }
    }

    /// A 64-bit hash whose bits are all well mixed: tables use the high bits to partition and the low
    /// bits to probe.
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

    /// Compares two long words with the same hash.
    #[cold]
    fn is_long(&self, other: &Word, text: &[u8]) -> bool {
        self.long(text) == other.long(text)
    }

    /// The bytes of a long word.
    fn long<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.key[1] as usize..][..self.bytes]
    }

    /// Calls `show` with the word's bytes.
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

/// Multiply and fold, as in wyhash: combines both halves of the product.
#[inline]
fn hash_two(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ FIRST) * u128::from(b ^ SECOND);
    product as u64 ^ (product >> 64) as u64
}

/// Up to 16 bytes as two little-endian words, padded with 0. Uses overlapping loads, because a copy of
/// variable length would be a call.
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

/// Hashes a long word, eight bytes per step.
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
