//! `String`: the view is `&str`, the column `Utf8`. As a key, up to 15 bytes are stored inline.

#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;

use super::byte_runs::ByteRuns;
use super::byte_slot::{ByteSlot, first_bytes, hash_bytes};
use super::column::typed;
use super::{ColumnBuilder, ColumnReader, Key, Required, Row};
use crate::error::Result;

impl Row for String {
    type View<'a> = &'a str;
    type Builder = Strings;
    type Reader = StringReader;
    type Nullability = Required;
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

/// Builds a column of strings.
#[derive(Default)]
pub struct Strings(ByteRuns);

impl ColumnBuilder for Strings {
    type Row = String;
    #[inline]
    fn push(&mut self, view: &str) {
        self.0.push(view.as_bytes());
    }
    fn push_null(&mut self) {
        self.0.push(&[]);
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
    fn finish(&mut self) -> ArrayRef {
        let (offsets, bytes) = self.0.finish();
        // SAFETY: every string was pushed whole as a `&str`, so each range is valid UTF-8.
        Arc::new(unsafe { StringArray::new_unchecked(offsets, bytes, None) })
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

/// A stored string: a slot that holds text. Only [`Key::store`] with a `&str` creates one, so a slot of
/// arbitrary bytes cannot be read as a string.
#[derive(Clone, Copy)]
pub struct TextSlot(ByteSlot);

impl Key for String {
    type Slot = TextSlot;
    type Arena = String;

    #[inline]
    fn hash(view: &str) -> u64 {
        hash_bytes(view.as_bytes())
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
    fn store(view: &str, arena: &mut String) -> TextSlot {
        TextSlot(ByteSlot::store(view.as_bytes(), || {
            arena.push_str(view);
            arena.len() - view.len()
        }))
    }

    #[inline]
    fn load<'a>(slot: &'a TextSlot, arena: &'a String) -> &'a str {
        match slot.0.load() {
            Ok(range) => &arena[range],
            // SAFETY: only `store` creates a `TextSlot`, and a short one holds the bytes of a whole
            // `&str`.
            Err(bytes) => unsafe { std::str::from_utf8_unchecked(bytes) },
        }
    }

    fn arena_bytes(arena: &String) -> usize {
        arena.capacity()
    }

    #[inline]
    fn prefix(view: &str) -> u64 {
        first_bytes(view.as_bytes())
    }

    #[inline]
    fn matches(slot: &TextSlot, arena: &String, view: &str) -> bool {
        slot.0.matches(arena.as_bytes(), view.as_bytes())
    }

    #[inline]
    fn slots_match(a: (&TextSlot, &String), b: (&TextSlot, &String)) -> bool {
        ByteSlot::slots_match((&a.0.0, a.1.as_bytes()), (&b.0.0, b.1.as_bytes()))
    }

    #[inline]
    fn store_slot(from: (&TextSlot, &String), arena: &mut String) -> TextSlot {
        match from.0.0.load() {
            Ok(range) => Self::store(&from.1[range], arena),
            Err(_) => *from.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strings of all lengths around the inline limit, with a difference at every position.
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
