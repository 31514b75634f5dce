//! Slot of a byte-string key in a hash table: up to 15 bytes are stored inline.
//!
//! Converts strings and byte strings to 16-byte slots. Equal short keys are equal words, so most
//! look-ups do not touch the arena. The caller decides whether the bytes are text.

use std::ops::Range;

use super::mix;

/// Up to 15 bytes and their count, or the position of a longer key in the arena.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct ByteSlot([u8; 16]);

/// Length of the longest key that is stored inline.
const INLINE_BYTES: usize = 15;
/// Value of the last byte for a key that is stored in the arena.
const IN_ARENA: u8 = 0xff;
/// The bits of the second word that hold a long key's length.
const LENGTH: u64 = u64::MAX >> 8;

impl ByteSlot {
    /// Stores a key. A long one is written by `keep`, which returns its position in the arena.
    #[inline]
    pub fn store(bytes: &[u8], keep: impl FnOnce() -> usize) -> ByteSlot {
        if bytes.len() <= INLINE_BYTES {
            let (lo, hi) = pack(bytes);
            return ByteSlot::from_words(lo, hi);
        }
        ByteSlot::from_words(keep() as u64, bytes.len() as u64 | u64::from(IN_ARENA) << 56)
    }

    /// The range of a long key in the arena, or the bytes of a short key.
    #[inline]
    pub fn load(&self) -> Result<Range<usize>, &[u8]> {
        if self.is_long() {
            let (at, tagged) = self.words();
            return Ok(at as usize..at as usize + (tagged & LENGTH) as usize);
        }
        Err(&self.0[..self.0[15] as usize])
    }

    /// Whether the stored key equals `bytes`.
    #[inline]
    pub fn matches(&self, arena: &[u8], bytes: &[u8]) -> bool {
        if bytes.len() <= INLINE_BYTES {
            return self.words() == pack(bytes);
        }
        self.load().is_ok_and(|range| arena[range] == *bytes)
    }

    /// Whether two stored keys, each with its arena, are equal.
    #[inline]
    pub fn slots_match(a: (&ByteSlot, &[u8]), b: (&ByteSlot, &[u8])) -> bool {
        match b.0.load() {
            Ok(range) => a.0.matches(a.1, &b.1[range]),
            Err(_) => a.0.words() == b.0.words(),
        }
    }

    #[inline]
    fn is_long(&self) -> bool {
        self.0[15] == IN_ARENA
    }

    #[inline]
    fn words(&self) -> (u64, u64) {
        let (lo, hi) = self.0.split_at(8);
        (word(lo), word(hi))
    }

    #[inline]
    fn from_words(lo: u64, hi: u64) -> ByteSlot {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&lo.to_le_bytes());
        bytes[8..].copy_from_slice(&hi.to_le_bytes());
        ByteSlot(bytes)
    }
}

/// The first eight bytes as a number that sorts like the bytes themselves.
#[inline]
pub fn first_bytes(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    let n = bytes.len().min(8);
    first[..n].copy_from_slice(&bytes[..n]);
    u64::from_be_bytes(first)
}

/// Hash of a byte-string key.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    if bytes.len() <= INLINE_BYTES {
        let (lo, hi) = pack(bytes);
        mix(lo, hi ^ 0xe703_7ed1_a0b4_28db)
    } else {
        hash_long(bytes)
    }
}

/// Up to 15 bytes, little endian, with their count in the last byte, so that equal strings give equal
/// words. Uses overlapping loads, because a copy of variable length would be a call.
#[inline]
fn pack(bytes: &[u8]) -> (u64, u64) {
    let n = bytes.len();
    let (lo, hi) = if n >= 8 {
        (word(&bytes[..8]), (word(&bytes[n - 8..]) >> 8) >> (8 * (INLINE_BYTES - n)))
    } else if n >= 4 {
        (half(&bytes[..4]) | half(&bytes[n - 4..]) << (8 * (n - 4)), 0)
    } else if n > 0 {
        let (first, middle, last) = (bytes[0], bytes[n / 2], bytes[n - 1]);
        (u64::from(first) | u64::from(middle) << (8 * (n / 2)) | u64::from(last) << (8 * (n - 1)), 0)
    } else {
        (0, 0)
    };
    (lo, hi | (n as u64) << 56)
}

fn hash_long(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for chunk in bytes[..bytes.len() - 1].chunks_exact(8) {
        hash = mix(hash ^ word(chunk), 0xa076_1d64_78bd_642f);
    }
    mix(hash ^ word(&bytes[bytes.len() - 8..]), 0xe703_7ed1_a0b4_28db)
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

#[inline]
fn half(bytes: &[u8]) -> u64 {
    let mut half = [0; 4];
    half.copy_from_slice(bytes);
    u64::from(u32::from_le_bytes(half))
}
