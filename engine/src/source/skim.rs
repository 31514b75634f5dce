//! Samples a source: which part of it is read when a sample is enough, namely short ranges at even distances.
//!
//! Ranges are sampled and not single rows, because the data between them is then neither read nor decoded.
//! They are many and short, because files tend to be sorted by something, so that neighbouring rows are
//! similar.

use std::ops::Range;

use super::decode::Codec;
use super::split::Piece;

/// The distance between the starts of two sampled ranges, in rows.
const STEP_ROWS: usize = 32 << 10;
/// The rows of a sampled range.
const READ_ROWS: usize = 1 << 10;
/// The same in bytes of text.
const STEP_BYTES: u64 = 2 << 20;
const READ_BYTES: u64 = 64 << 10;

/// How much of a source was read, and how much there was: in rows or in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skimmed {
    pub read: u64,
    pub all: u64,
}

impl Skimmed {
    /// Adds what was read of another part of the source.
    pub fn add(&mut self, other: Skimmed) {
        self.read += other.read;
        self.all += other.all;
    }
}

/// The sampled ranges of `rows` rows.
pub(super) fn stretches(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(STEP_ROWS).map(move |start| start..rows.min(start + READ_ROWS))
}

/// The position among all rows of row `read` of the sample.
pub(super) fn position(read: u64) -> u64 {
    let (step, within) = (read / READ_ROWS as u64, read % READ_ROWS as u64);
    step * STEP_ROWS as u64 + within
}

/// The sampled ranges of a piece of text, each as a piece. Compressed text is read completely.
pub fn pieces(piece: &Piece) -> (Vec<Piece>, Skimmed) {
    let all = piece.end - piece.start;
    if Codec::of(&piece.address) != Codec::Plain {
        return (vec![piece.clone()], Skimmed { read: all, all });
    }
    let starts = (piece.start..piece.end).step_by(STEP_BYTES as usize);
    let stretch = |start: u64| Piece { start, end: piece.end.min(start + READ_BYTES), ..piece.clone() };
    let pieces: Vec<Piece> = starts.map(stretch).collect();
    let read = pieces.iter().map(|piece| piece.end - piece.start).sum();
    (pieces, Skimmed { read, all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_lie_apart_and_within_and_their_rows_are_known() {
        for rows in [0, 1, READ_ROWS, STEP_ROWS, STEP_ROWS + 1, 5 * STEP_ROWS - 7] {
            let read: Vec<u64> = stretches(rows).flatten().map(|row| row as u64).collect();
            assert_eq!(
                read.len(),
                rows.div_ceil(STEP_ROWS).saturating_sub(1) * READ_ROWS
                    + (rows - rows.div_ceil(STEP_ROWS).saturating_sub(1) * STEP_ROWS).min(READ_ROWS)
            );
            assert!(read.iter().enumerate().all(|(at, row)| position(at as u64) == *row), "{rows}");
        }
    }

    #[test]
    fn text_is_read_in_pieces_unless_it_is_compressed() {
        let piece = |name: &str, end| Piece { start: 10, ..Piece::whole(name, end) };
        let (pieces, skimmed) = super::pieces(&piece("a.txt", 10 + STEP_BYTES + 5));
        let ranges: Vec<_> = pieces.iter().map(|piece| piece.start..piece.end).collect();
        assert_eq!(ranges, [10..10 + READ_BYTES, 10 + STEP_BYTES..15 + STEP_BYTES]);
        assert_eq!(skimmed, Skimmed { read: READ_BYTES + 5, all: STEP_BYTES + 5 });
        let (pieces, skimmed) = super::pieces(&piece("a.gz", 10 * STEP_BYTES));
        assert!(pieces.len() == 1 && skimmed.read == skimmed.all);
    }
}
