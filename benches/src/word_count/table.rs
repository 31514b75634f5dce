//! A specialized hash table that counts words.
//!
//! Open addressing with linear probing, at two slots per cache line. A repeated word usually costs one
//! memory access, which is where a word count spends its time.

use super::word::Word;

/// Initial number of slots. All sizes are powers of two.
const FIRST_SLOTS: usize = 1 << 10;

/// The table grows when more than 5 of 8 slots are used. Emptier tables probe less, but have more cache
/// misses.
const FULL_EIGHTHS: usize = 5;

/// Counts of the words of `text`.
pub struct WordTable<'t> {
    text: &'t [u8],
    slots: Vec<Slot>,
    used: usize,
}

/// A word and its count; the slot is free when the count is 0.
#[derive(Clone, Copy)]
struct Slot {
    word: Word,
    count: u64,
}

const EMPTY: Slot = Slot { word: Word::NONE, count: 0 };

impl<'t> WordTable<'t> {
    /// An empty table.
    pub fn new(text: &'t [u8]) -> WordTable<'t> {
        WordTable { text, slots: vec![EMPTY; FIRST_SLOTS], used: 0 }
    }

    /// Adds `count` to the count of `word`, whose hash is `hash`.
    #[inline]
    pub fn add(&mut self, hash: u64, word: Word, count: u64) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize;
        loop {
            let slot = &mut self.slots[at & mask];
            if slot.word.is(&word, self.text) {
                slot.count += count;
                return;
            }
            if slot.count == 0 {
                *slot = Slot { word, count };
                break;
            }
            at += 1;
        }
        self.used += 1;
        if self.used * 8 > self.slots.len() * FULL_EIGHTHS {
            self.grow();
        }
    }

    /// Adds all counts of `other`, a table of the same text.
    pub fn absorb(&mut self, other: &WordTable) {
        other.filled().for_each(|slot| self.add(slot.word.hash(), slot.word, slot.count));
    }

    /// Calls `each` with every word and its count, in any order.
    pub fn for_each(&self, mut each: impl FnMut(&[u8], u64)) {
        self.filled().for_each(|slot| slot.word.show(self.text, |word| each(word, slot.count)));
    }

    fn filled(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.count > 0)
    }

    /// Doubles the number of slots.
    #[cold]
    fn grow(&mut self) {
        let mut larger = vec![EMPTY; self.slots.len() * 2];
        let mask = larger.len() - 1;
        for slot in self.filled() {
            let mut at = slot.word.hash() as usize & mask;
            while larger[at].count > 0 {
                at = (at + 1) & mask;
            }
            larger[at] = *slot;
        }
        self.slots = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_its_counts_while_it_grows_and_when_it_takes_in_another() {
        let words: Vec<Word> = (0..5000_u32).map(|i| Word::new(&i.to_le_bytes(), 0)).collect();
        let (mut left, mut right) = (WordTable::new(b""), WordTable::new(b""));
        for (i, word) in words.iter().enumerate() {
            left.add(word.hash(), *word, 1);
            right.add(word.hash(), *word, i as u64 + 1);
        }
        left.absorb(&right);
        let mut found = Vec::new();
        left.for_each(|_, count| found.push(count));
        found.sort_unstable();
        assert!(found.into_iter().eq(2..=5001));
    }
}
