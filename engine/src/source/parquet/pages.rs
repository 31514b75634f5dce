//! The file as the decoder of pages sees it, with a look at each page's header before the decoder.
//!
//! A page's place enters, its bytes leave, or an error when its header asks for more memory than a page may
//! take. The decoder makes room for what a header names; it has no limit of its own. What lies inside a page
//! is not looked at: counts of the delta encodings, and nulls in lists that take no bytes, have no limit here.

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

/// The largest page that is read, after decompression. Writers aim at one MiB; a page is larger when
/// one value is, and the page of any row that may be written can be read.
const MAX_PAGE_BYTES: i64 = (MAX_ROW_BYTES + 2 * BATCH_BYTES) as i64;
/// How many values a dictionary may have. Writers give up a dictionary of more than some MiB.
const MAX_DICTIONARY_VALUES: i64 = 16 << 20;

/// How much is read at once where a header is; it is seldom longer.
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

    /// Called where a header begins, and where one was read before; then nothing is read from it.
    fn get_read(&self, start: u64) -> ParquetResult<HeaderReader> {
        Ok(HeaderReader { file: self.0.clone(), budget: Arc::clone(&self.1), start, rest: None })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.0.bytes(start, length).map_err(|e| ParquetError::External(Box::new(e)))
    }
}

/// Reads a page's header, which is looked at before its first byte is given.
pub(super) struct HeaderReader {
    file: RangedFile,
    budget: Arc<PageBudget>,
    start: u64,
    rest: Option<Chain<Cursor<Vec<u8>>, BufReader<RangeReader>>>,
}

impl HeaderReader {
    fn open(&self) -> io::Result<Chain<Cursor<Vec<u8>>, BufReader<RangeReader>>> {
        let (mut reader, mut header) = (self.file.reader(self.start), Vec::with_capacity(HEADER_BYTES));
        // What follows the chunk is not planned and would cost a request; a chunk that is said to be too short
        // has its last header read once more.
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

/// Reads until `header` has `bytes` bytes or the file ends: in one read where the file is local; `read_to_end` would
/// take several.
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
        // Each value takes a byte at least, except where all have no bytes.
        Some(_) if header.is_dictionary() && values > MAX_DICTIONARY_VALUES => {
            let text = format!("a dictionary has {values} values, at most {MAX_DICTIONARY_VALUES} are read");
            Err(Error::data(text))
        }
        Some(_) => Ok(header),
    }
}
