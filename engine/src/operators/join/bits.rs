//! A bit for each of many rows.

/// Bits that are false until they are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    /// Bits for `rows`.
    pub(super) fn for_rows(rows: usize) -> Bits {
        Bits { words: vec![0; rows.div_ceil(64)], rows }
    }

    /// Rows that it was made for, or more where others were set.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The bit of a row; false beyond the last one that was set.
    #[inline]
    pub(super) fn get(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Sets the bit of a row.
    #[inline]
    pub(super) fn set(&mut self, row: usize) {
        if row >= self.rows {
            self.rows = row + 1;
            self.words.resize(self.rows.div_ceil(64), 0);
        }
        self.words[row / 64] |= 1 << (row % 64);
    }
}
