//! Finds where a large CSV file can be split: at the first record that starts after each requested position.
//!
//! A newline inside quotes does not end a record, and whether a position is inside quotes depends on
//! everything before it. So the file is read once during planning, by several threads and at the speed of
//! `memchr`. Each part is scanned as if it began outside quotes and as if it began inside; which of the two
//! is right is known as soon as the previous part's result is. After a field that is never closed there is no
//! record start, so one task reads the rest of the file and reports the error.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;

use super::blocks::BYTE_ORDER_MARK;
use super::csv::{CsvFormat, QuoteScanner, State};
use super::listing::InputFile;
use super::location::Location;
use crate::error::{Error, Result};

/// How much is read at a time: it stays in the cache between the two scans.
const BLOCK_BYTES: usize = 256 << 10;
/// The furthest that a position is moved so that it does not follow a quote.
const MAX_QUOTES: u64 = 4096;

/// Moves each of `places` to the start of a record; fewer are returned if some have none after them.
///
/// A file in a store is not split, because it would be read twice.
///
/// # Errors
/// By the operation that failed.
pub(super) fn record_starts(input: &InputFile, places: Vec<u64>, format: &CsvFormat) -> Result<Vec<u64>> {
    let Location { store, path, .. } = Location::exact(&input.address)?;
    if !store.is_local() {
        return Ok(Vec::new());
    }
    let failed = |e| Error::io("cannot read the file", e).at("file", &input.address);
    let file = File::open(store.address(&path)).map_err(failed)?;
    let check = || input.version.check_file(&file, input.size).map_err(|e| e.at("file", &input.address));
    check()?;
    let mut borders = vec![0];
    for place in places {
        borders.extend(behind_no_quote(&file, place, format.quote).map_err(failed)?);
    }
    borders.push(input.size);
    let parts = read_parts(&file, &borders, format).map_err(failed)?;
    check()?;
    let (mut is_inside, mut starts) = (false, Vec::new());
    for (index, [outside, inside]) in parts.into_iter().enumerate() {
        let part = if is_inside { inside } else { outside };
        // The first part starts at the first record, where no split is needed.
        starts.extend(part.line_end().filter(|_| index > 0));
        is_inside = part.is_inside();
    }
    starts.dedup();
    Ok(starts)
}

/// The first position from `place` on that does not follow a quote: there a field is either open or closed.
fn behind_no_quote(file: &File, place: u64, quote: u8) -> std::io::Result<Option<u64>> {
    let mut byte = [0];
    for at in place..place + MAX_QUOTES {
        if file.read_at(&mut byte, at - 1)? == 0 {
            return Ok(None);
        }
        if byte[0] != quote {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Scans every part between two borders, both from outside quotes and from inside.
fn read_parts(file: &File, borders: &[u64], format: &CsvFormat) -> std::io::Result<Vec<[QuoteScanner; 2]>> {
    borders.par_windows(2).map(|part| read_part(file, part[0], part[1], format)).collect()
}

fn read_part(file: &File, start: u64, end: u64, format: &CsvFormat) -> std::io::Result<[QuoteScanner; 2]> {
    let (start, before) = match start {
        0 => (mark_bytes(file)?.min(end), b'\n'),
        _ => (start, byte_at(file, start - 1)?),
    };
    let scan = |state| QuoteScanner::within(format, start, state, before);
    let mut parts = [State::Outside, State::Inside].map(scan);
    let (mut buffer, mut at) = (vec![0; BLOCK_BYTES], start);
    while at < end {
        let wanted = BLOCK_BYTES.min(usize::try_from(end - at).unwrap_or(usize::MAX));
        let count = file.read_at(&mut buffer[..wanted], at)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        parts.iter_mut().for_each(|part| part.feed(&buffer[..count]));
        at += count as u64;
    }
    Ok(parts)
}

/// The length of the byte order mark at the start of the file.
fn mark_bytes(file: &File) -> std::io::Result<u64> {
    let mut start = [0; BYTE_ORDER_MARK.len()];
    let count = file.read_at(&mut start, 0)?;
    Ok(if start[..count] == *BYTE_ORDER_MARK { count as u64 } else { 0 })
}

fn byte_at(file: &File, at: u64) -> std::io::Result<u8> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    Ok(byte[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{ListOptions, list_with};

    #[test]
    fn a_place_in_quotes_moves_behind_the_record() {
        let text = "a,\"x\ny\nz\"\nb,c\nd,e\n";
        let expect = |place, start| assert_eq!(starts(text, &[place]), [start], "{place}");
        (1..9).for_each(|place| expect(place, 10));
        // A position after a quote is first moved past the next byte.
        (9..14).for_each(|place| expect(place, 14));
    }

    #[test]
    fn a_quote_inside_a_field_is_a_character() {
        assert_eq!(starts("a\"b,c\nd,\"\"\"\n\"\ne,5\"\nf,g\n", &[1, 7, 15]), [6, 14, 19]);
    }

    #[test]
    fn places_behind_the_last_record_are_dropped() {
        assert_eq!(starts("a,b\nc,\"d\n\n\n", &[2, 5, 8]), [4]);
        assert_eq!(starts("abcdef", &[2, 4]), [0u64; 0]);
    }

    #[test]
    fn a_byte_order_mark_does_not_hide_the_quote_after_it() {
        assert_eq!(starts("\u{feff}\"a\nb\",c\nd,e\n", &[4]), [11]);
    }

    fn starts(text: &str, places: &[u64]) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let input = list_with(&path.display().to_string(), &ListOptions::default()).unwrap().files.remove(0);
        let starts = record_starts(&input, places.to_vec(), &CsvFormat::default()).unwrap();
        starts.into_iter().filter(|start| *start < input.size).collect()
    }
}
