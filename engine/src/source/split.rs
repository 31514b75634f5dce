//! Splits files for the tasks: big files are cut, small ones are packed together.
//!
//! Splits are in the order of the files. The plan depends only on the files, never on slots or executors, so
//! the partitions of a job and thus its output are the same wherever it runs. A small input still becomes
//! several splits, or all slots but one would be idle. Packing keeps the order and considers one split at a
//! time: Spark sorts by size first and packs more tightly, but loses the order of the rows. The starts of
//! lines are not known here; [`TextBlocks`](super::TextBlocks) finds them at the borders.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::ahead::Ahead;
use super::decode::Codec;
use super::listing::InputFile;
use super::version::Version;
use crate::error::Result;

/// The largest split.
const MOST_BYTES: u64 = 128 << 20;

/// The approximate number of splits of an input before they grow beyond the smallest size.
const SPLITS: u64 = 16;

/// Files are not cut, or left in separate splits, to make splits smaller than this.
const LEAST_BYTES: u64 = 8 << 20;

/// The size of a part of a file whose rows may be in large groups and take longer to decode than text.
const CUT_BYTES: RangeInclusive<u64> = 16 << 20..=64 << 20;

/// Opening a file costs as much as reading one part in this many of a split (4 of 128 MiB in Spark).
const OPEN_COST: u64 = 32;

/// The assumed bytes of text per byte of a compressed file.
const COMPRESSION_RATIO: u64 = 4;

/// The input of one task; its pieces are read one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The pieces, in the order of their rows.
    pub pieces: Vec<Piece>,
}

/// A byte range of a file; it owns the lines that start in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// The absolute address of the file.
    pub address: String,
    /// The first byte of the range.
    pub start: u64,
    /// The byte after the range.
    pub end: u64,
    /// The size of the whole file when it was listed; later growth is not read.
    pub size: u64,
    /// The version that was listed; a task reads no other.
    pub version: Version,
    /// What this process has requested of the file in advance.
    #[serde(skip)]
    pub ahead: Ahead,
}

impl Piece {
    /// The bytes of `file` from `start` to `end`.
    pub(super) fn of(file: &InputFile, start: u64, end: u64) -> Piece {
        let (address, version) = (file.address.clone(), file.version.clone());
        Piece { address, start, end, size: file.size, version, ahead: Ahead::default() }
    }

    /// A whole file of unknown version.
    #[cfg(test)]
    pub(super) fn whole(address: impl Into<String>, size: u64) -> Piece {
        Piece::of(&InputFile { address: address.into(), size, version: Version::Unknown }, 0, size)
    }
}

/// Cuts big files and packs small ones.
///
/// Compressed files are never cut. Empty plain files have no lines and are skipped, so no split is empty, and
/// without data there are no splits.
pub fn plan_splits(files: &[InputFile]) -> Vec<Split> {
    plan_splits_of(files, target_bytes(files))
}

/// The same for splits of about `target_bytes`.
pub fn plan_splits_of(files: &[InputFile], target_bytes: u64) -> Vec<Split> {
    pack(files.iter().flat_map(|file| cut(file, target_bytes)), target_bytes)
}

/// The same for files that are more work per byte than lines of text: they are cut into smaller parts.
/// `settle` may move each border to a valid position, or drop it; whole files are packed as usual.
///
/// # Errors
/// Those of `settle`.
pub fn plan_splits_at(
    files: &[InputFile],
    settle: impl Fn(&InputFile, Vec<u64>) -> Result<Vec<u64>>,
) -> Result<Vec<Split>> {
    let target_bytes = target_bytes(files);
    let cut_bytes = target_bytes.clamp(*CUT_BYTES.start(), *CUT_BYTES.end());
    let mut pieces = Vec::new();
    for file in files {
        let count = if is_plain(file) { file.size.div_ceil(cut_bytes).max(1) } else { 1 };
        let inner: Vec<u64> = (1..count).map(|index| border(file.size, index, count)).collect();
        let inner = if inner.is_empty() { inner } else { settle(file, inner)? };
        let mut start = 0;
        for end in inner.into_iter().chain([file.size]) {
            if end > start || file.size == 0 {
                pieces.push(Piece::of(file, start, end));
            }
            start = end;
        }
    }
    Ok(pack(pieces, target_bytes))
}

/// The target size of a split of `files`.
fn target_bytes(files: &[InputFile]) -> u64 {
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    (bytes / SPLITS).clamp(LEAST_BYTES, MOST_BYTES)
}

/// Packs pieces in their order. Parts of a file that was cut stay in separate splits, or the cut would be
/// useless.
fn pack(pieces: impl IntoIterator<Item = Piece>, target_bytes: u64) -> Vec<Split> {
    let mut splits: Vec<Split> = Vec::new();
    let (mut packed_bytes, open_cost) = (0, target_bytes / OPEN_COST);
    for piece in pieces {
        let is_part = piece.end - piece.start < piece.size;
        let bytes = piece.end - piece.start + if is_part { target_bytes } else { open_cost };
        match splits.last_mut() {
            Some(split) if packed_bytes + bytes <= target_bytes => {
                split.pieces.push(piece);
                packed_bytes += bytes;
            }
            _ => {
                splits.push(Split { pieces: vec![piece] });
                packed_bytes = bytes;
            }
        }
    }
    splits
}

/// The approximate bytes of text in `files`; compressed files count four times.
pub fn estimated_bytes(files: &[InputFile]) -> u64 {
    files.iter().map(|file| if is_plain(file) { file.size } else { file.size * COMPRESSION_RATIO }).sum()
}

/// The pieces of one file: as few as the target allows, of even size.
fn cut(file: &InputFile, target_bytes: u64) -> impl Iterator<Item = Piece> + '_ {
    let count = if is_plain(file) { file.size.div_ceil(target_bytes) } else { 1 };
    let place = move |index| border(file.size, index, count);
    (0..count).map(move |index| Piece::of(file, place(index), place(index + 1)))
}

/// The start of piece `index` of `count`. The product may need more than 64 bits, so it has 128.
fn border(size: u64, index: u64, count: u64) -> u64 {
    (u128::from(size) * u128::from(index) / u128::from(count)) as u64
}

fn is_plain(file: &InputFile) -> bool {
    Codec::of(&file.address) == Codec::Plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_big_file_is_cut_into_even_ranges_of_at_most_the_target() {
        assert_eq!(plan(&[("a", 10)], 4), "a[0..3] | a[3..6] | a[6..10]");
        assert_eq!(plan(&[("a", 8)], 4), "a[0..4] | a[4..8]");
    }

    #[test]
    fn a_compressed_file_stays_whole_even_when_big_or_empty() {
        let files = [("a.gz", 300 * MIB), ("b.ZST", 0)];
        assert_eq!(plan(&files, 128 * MIB), "a.gz[0..314572800] | b.ZST[0..0]");
    }

    #[test]
    fn small_files_share_a_split_in_order_and_opening_counts() {
        let files = [("a", 4), ("b", 3), ("c", 5), ("d", 8), ("e", 0)].map(|(name, mib)| (name, mib * MIB));
        let expected = "a[0..4194304] b[0..3145728] | c[0..5242880] | d[0..8388608]";
        assert_eq!(plan(&files, 12 * MIB), expected);
    }

    #[test]
    fn ten_thousand_tiny_files_make_few_splits() {
        let files: Vec<_> = (0..10_000).map(|i| file(&format!("{i:05}"), 10)).collect();
        let splits = plan_splits(&files);
        assert_eq!((splits.len(), splits[0].pieces.len()), (323, 31));
    }

    #[test]
    fn a_small_input_is_shared_out_and_a_tiny_one_is_not() {
        let eight: Vec<_> = (0..8).map(|i| file(&format!("{i}"), 10 * MIB)).collect();
        assert_eq!(plan_splits_at(&eight, |_, places| Ok(places)).map(|splits| splits.len()).ok(), Some(8));
        let text = |mib| plan_splits(&[file("a", mib * MIB)]).len();
        assert_eq!([1, 8, 60, 512, 2048, 4096].map(text), [1, 1, 8, 16, 16, 32]);
    }

    #[test]
    fn no_data_has_no_splits() {
        assert!(plan_splits(&[file("a", 0)]).is_empty());
    }

    #[test]
    fn compressed_bytes_are_estimated_four_times() {
        assert_eq!(estimated_bytes(&[file("a", 10), file("b.gz", 10), file("c.zst", 1)]), 54);
    }

    fn file(address: &str, size: u64) -> InputFile {
        InputFile { address: address.to_owned(), size, version: Version::Unknown }
    }

    fn plan(files: &[(&str, u64)], target_bytes: u64) -> String {
        let files: Vec<_> = files.iter().map(|&(address, size)| file(address, size)).collect();
        let show = |piece: &Piece| format!("{}[{}..{}]", piece.address, piece.start, piece.end);
        let splits = plan_splits_of(&files, target_bytes);
        let splits = splits.iter().map(|s| s.pieces.iter().map(show).collect::<Vec<_>>().join(" "));
        splits.collect::<Vec<_>>().join(" | ")
    }
}
