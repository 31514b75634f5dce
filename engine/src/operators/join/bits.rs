//! A bitmap with one bit per row.

/// Bits that are false until they are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    /// A bitmap for `rows` rows.
    pub(super) fn for_rows(rows: usize) -> Bits {
        Bits { words: vec![0; rows.div_ceil(64)], rows }
    }

    /// Number of rows: those it was created for, or more if later bits were set.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The bit of a row; false beyond the end.
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
