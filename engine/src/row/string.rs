//! `String`: the view is `&str`, the column `Utf8`; as a key, up to 15 bytes lie in the slot itself.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use super::column::typed;
use super::{ColumnBuilder, ColumnReader, Key, Row, mix};
use crate::error::Result;

impl Row for String {
    type View<'a> = &'a str;
    type Builder = Strings;
    type Reader = StringReader;
    #[inline]
    fn own(view: &str) -> String {
        view.to_owned()
    }
    #[inline]
    fn view(&self) -> &str {
        self
    }
    #[inline]
    fn narrow<'short, 'long: 'short>(view: &'long str) -> &'short str {
        view
    }
    fn data_type() -> DataType {
        DataType::Utf8
    }
}

/// Builds a column of strings: at most 2 GiB of text, far above what a batch may hold.
#[derive(Default)]
pub struct Strings {
    /// Where each string ends; the first one starts at 0.
    ends: Vec<i32>,
    bytes: Vec<u8>,
}

impl ColumnBuilder for Strings {
    type Row = String;
    #[inline]
    fn push(&mut self, view: &str) {
        self.bytes.extend_from_slice(view.as_bytes());
        self.ends.push(self.bytes.len() as i32);
    }
    fn push_null(&mut self) {
        self.ends.push(self.bytes.len() as i32);
    }
    fn len(&self) -> usize {
        self.ends.len()
    }
    fn size_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }
    fn finish(&mut self) -> ArrayRef {
        assert!(self.bytes.len() <= i32::MAX as usize, "a batch holds more than 2 GiB of text");
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        // SAFETY: the offsets start at 0 and only grow, up to the length of `bytes`; every string
        // was pushed whole as a `&str`, so each range is valid UTF-8.
        let array = unsafe {
            let offsets = OffsetBuffer::new_unchecked(ScalarBuffer::from(offsets));
            StringArray::new_unchecked(offsets, Buffer::from_vec(std::mem::take(&mut self.bytes)), None)
        };
        Arc::new(array)
    }
}

/// Reads a column of strings.
pub struct StringReader(StringArray);

impl ColumnReader for StringReader {
    type Row = String;
    fn open(array: &ArrayRef) -> Result<Self> {
        typed(array, &DataType::Utf8).map(StringReader)
    }
    #[inline]
    fn get(&self, index: usize) -> &str {
        self.0.value(index)
    }
}

/// A kept string: up to 15 bytes and their count, or where in the arena a longer one lies.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct StringSlot([u8; 16]);

/// Longest string that lies in the slot.
const INLINE_BYTES: usize = 15;
/// Marks, in the last byte, a string that lies in the arena.
const IN_ARENA: u8 = 0xff;
/// The bits of the second word that hold a long string's length.
const LENGTH: u64 = u64::MAX >> 8;

impl StringSlot {
    #[inline]
    fn words(&self) -> (u64, u64) {
        let (lo, hi) = self.0.split_at(8);
        (word(lo), word(hi))
    }

    #[inline]
    fn from_words(lo: u64, hi: u64) -> StringSlot {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&lo.to_le_bytes());
        bytes[8..].copy_from_slice(&hi.to_le_bytes());
        StringSlot(bytes)
    }
}

impl Key for String {
    type Slot = StringSlot;
    type Arena = String;

    #[inline]
    fn hash(view: &str) -> u64 {
        let bytes = view.as_bytes();
        if bytes.len() <= INLINE_BYTES {
            let (lo, hi) = pack(bytes);
            mix(lo, hi ^ 0xe703_7ed1_a0b4_28db)
        } else {
            hash_long(bytes)
        }
    }

    #[inline]
    fn same(a: &str, b: &str) -> bool {
        a == b
    }

    #[inline]
    fn compare(a: &str, b: &str) -> Ordering {
        a.cmp(b)
    }

    #[inline]
    fn store(view: &str, arena: &mut String) -> StringSlot {
        let bytes = view.as_bytes();
        if bytes.len() <= INLINE_BYTES {
            let (lo, hi) = pack(bytes);
            return StringSlot::from_words(lo, hi);
        }
        let at = arena.len() as u64;
        arena.push_str(view);
        StringSlot::from_words(at, bytes.len() as u64 | u64::from(IN_ARENA) << 56)
    }

    #[inline]
    fn load<'a>(slot: &'a StringSlot, arena: &'a String) -> &'a str {
        if slot.0[15] == IN_ARENA {
            let (at, tagged) = slot.words();
            return &arena[at as usize..][..(tagged & LENGTH) as usize];
        }
        let bytes = &slot.0[..slot.0[15] as usize];
        // SAFETY: slots are made by `store` only, and a short one is the bytes of a whole `&str`.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }

    fn arena_bytes(arena: &String) -> usize {
        arena.capacity()
    }

    /// The first eight bytes, as a number that is compared as they are.
    #[inline]
    fn prefix(view: &str) -> u64 {
        let bytes = view.as_bytes();
        let mut first = [0; 8];
        let n = bytes.len().min(8);
        first[..n].copy_from_slice(&bytes[..n]);
        u64::from_be_bytes(first)
    }

    #[inline]
    fn matches(slot: &StringSlot, arena: &String, view: &str) -> bool {
        let bytes = view.as_bytes();
        if bytes.len() <= INLINE_BYTES {
            slot.words() == pack(bytes)
        } else {
            slot.0[15] == IN_ARENA && Self::load(slot, arena) == view
        }
    }

    #[inline]
    fn slots_match(a: (&StringSlot, &String), b: (&StringSlot, &String)) -> bool {
        match b.0.0[15] {
            IN_ARENA => Self::matches(a.0, a.1, Self::load(b.0, b.1)),
            _ => a.0.words() == b.0.words(),
        }
    }

    #[inline]
    fn store_slot(from: (&StringSlot, &String), arena: &mut String) -> StringSlot {
        match from.0.0[15] {
            IN_ARENA => Self::store(Self::load(from.0, from.1), arena),
            _ => *from.0,
        }
    }
}

/// Up to 15 bytes, little endian, with their count in the last byte: equal words, equal strings.
/// Overlapping loads in place of a copy of variable length, which would be a call.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// All lengths around the borders of the packing, with a difference at every position.
    fn samples() -> Vec<String> {
        let mut all = vec![String::new()];
        for n in 1..40 {
            let base: String = (0..n).map(|i| (b'a' + (i % 26) as u8) as char).collect();
            for at in 0..n {
                let mut other = base.clone();
                other.replace_range(at..at + 1, "~");
                all.push(other);
            }
            all.push(base);
        }
        all
    }

    #[test]
    fn a_kept_string_matches_itself_and_no_other() {
        let (samples, mut arena) = (samples(), String::new());
        let slots: Vec<_> = samples.iter().map(|s| String::store(s, &mut arena)).collect();
        for (i, s) in samples.iter().enumerate() {
            assert_eq!(String::load(&slots[i], &arena), s);
            for (j, slot) in slots.iter().enumerate() {
                assert_eq!(String::matches(slot, &arena, s), i == j, "{s} against {}", samples[j]);
            }
        }
    }

    #[test]
    fn hashes_spread_over_their_high_and_low_bits() {
        let words: Vec<String> = (0..60_000).map(|i| format!("w{i}")).collect();
        for shift in [58, 30, 0] {
            let mut counts = [0u32; 64];
            words.iter().for_each(|w| counts[(String::hash(w) >> shift) as usize & 63] += 1);
            let (min, max) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(*min > 700 && *max < 1200, "bits {shift}: {min}..{max}");
        }
        let mut hashes: Vec<u64> = samples().iter().map(|s| String::hash(s)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), samples().len());
    }

    #[test]
    fn a_column_gives_back_what_was_pushed() {
        let mut builder = Strings::default();
        ["", "x", "héé", ""].iter().for_each(|s| builder.push(s));
        let reader = StringReader::open(&builder.finish()).unwrap();
        assert_eq!((0..4).map(|i| reader.get(i)).collect::<Vec<_>>(), ["", "x", "héé", ""]);
    }
}
