//! Gives the decoder access to the pages of a file, after a check of each page's header.
//!
//! A header that asks for more memory than a page may have is an error: the decoder allocates whatever a
//! header asks for, without a limit. The content of a page is not checked: counts of the delta encodings, and
//! nulls in lists that take no bytes, have no limit here.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::budget::PageBudget;
use super::thrift::PageHeader;
use crate::error::{Error, Result};
use crate::row::{BATCH_BYTES, MAX_ROW_BYTES};
use crate::source::ranges::{RangeReader, RangedFile};

/// The largest page that is read, after decompression. Writers aim at one MiB; a page is larger when a single
/// value is. The limit allows the page of any row that can be written.
const MAX_PAGE_BYTES: i64 = (MAX_ROW_BYTES + 2 * BATCH_BYTES) as i64;
/// The most values in a dictionary. Writers stop using a dictionary that exceeds a few MiB.
const MAX_DICTIONARY_VALUES: i64 = 16 << 20;

/// How much is read at once for a header; it is rarely longer.
const HEADER_BYTES: usize = 16 << 10;

/// The pages of a file, which are counted.
#[derive(Clone)]
pub(super) struct Pages(pub(super) RangedFile, pub(super) Arc<PageBudget>);

impl Length for Pages {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for Pages {
    type T = HeaderReader;

    /// Called at the start of a header, or after one that was read before; then nothing is read from it.
    fn get_read(&self, start: u64) -> ParquetResult<HeaderReader> {
        Ok(HeaderReader { file: self.0.clone(), budget: Arc::clone(&self.1), start, rest: None })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.0.bytes(start, length).map_err(|e| ParquetError::External(Box::new(e)))
    }
}

/// Reads a page's header, which is checked before its first byte is returned.
pub(super) struct HeaderReader {
    file: RangedFile,
    budget: Arc<PageBudget>,
    start: u64,
    rest: Option<Chain<Cursor<Vec<u8>>, BufReader<RangeReader>>>,
}

impl HeaderReader {
    fn open(&self) -> io::Result<Chain<Cursor<Vec<u8>>, BufReader<RangeReader>>> {
        let (mut reader, mut header) = (self.file.reader(self.start), Vec::with_capacity(HEADER_BYTES));
        // Bytes after the chunk are not planned and would cost a request. If the footer declares too short a
        // chunk, its last header is read once more.
        let planned = self.file.planned_end(self.start) - self.start;
        fill(&mut reader, &mut header, HEADER_BYTES.min(usize::try_from(planned).unwrap_or(HEADER_BYTES)))?;
        let mut checked = check(&header);
        if checked.is_err() && header.len() < HEADER_BYTES {
            fill(&mut reader, &mut header, HEADER_BYTES)?;
            checked = check(&header);
        }
        checked
            .and_then(|header| self.budget.spend(self.start, &header))
            .map_err(|e| io::Error::other(e.at("byte", self.start)))?;
        Ok(Cursor::new(header).chain(BufReader::new(reader)))
    }
}

impl Read for HeaderReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.rest {
            Some(rest) => rest.read(into),
            None => self.rest.insert(self.open()?).read(into),
        }
    }
}

/// Reads until `header` has `bytes` bytes or the file ends. For a local file this is one read; `read_to_end`
/// would need several.
fn fill(reader: &mut RangeReader, header: &mut Vec<u8>, bytes: usize) -> io::Result<()> {
    let mut filled = header.len();
    header.resize(filled.max(bytes), 0);
    while filled < header.len() {
        match reader.read(&mut header[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    header.truncate(filled);
    Ok(())
}

fn check(bytes: &[u8]) -> Result<PageHeader> {
    let header = PageHeader::read(bytes);
    let values = header.dictionary_values.unwrap_or(0);
    match header.uncompressed {
        None => Err(Error::data("a page has a damaged header")),
        Some(size) if size > MAX_PAGE_BYTES => {
            Err(Error::data(format!("a page has {size} bytes, at most {MAX_PAGE_BYTES} are read")))
        }
        // Each value takes at least one byte, unless all values are empty.
        Some(_) if header.is_dictionary() && values > MAX_DICTIONARY_VALUES => {
            let text = format!("a dictionary has {values} values, at most {MAX_DICTIONARY_VALUES} are read");
            Err(Error::data(text))
        }
        Some(_) => Ok(header),
    }
}
