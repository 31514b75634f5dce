//! Damaged files: truncated at every sixteenth of their length, with single bytes changed at seeded
//! positions, and with lengths that exceed the memory.
//!
//! Each must give a typed error that names it, or rows, but no panic, and must not take much time or
//! memory. `corpora.rs` reads the public corpora of such files.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::ipc::CompressionType;
use kiln::{Class, Context, Result};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

use crate::files::{
    Item, batch, cx, file, items, says, write_arrow, write_compressed_arrow, write_parquet, write_stream,
};

/// Number of changed bytes, one per attempt.
const CHANGES: u64 = 200;
/// An attempt takes some milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

type Read = fn(&Context, &str) -> Result<Vec<Item>>;

#[test]
fn a_damaged_parquet_file_is_an_error_or_rows() {
    let read: Read = |cx, address| cx.read_parquet::<Item>(address).collect();
    survives(|path| write_parquet(path, &batch(&items(0..500)), 200), read, true);
}

#[test]
fn a_damaged_arrow_file_is_an_error_or_rows() {
    let read: Read = |cx, address| cx.read_arrow::<Item>(address).collect();
    survives(|path| write_arrow(path, &batch(&items(0..500)), 200), read, true);
    survives(|path| write_stream(path, &batch(&items(0..500)), 200), read, true);
}

#[test]
fn a_damaged_text_file_is_an_error_or_rows() {
    let csv: Read = |cx, address| cx.read_csv::<Item>(address).collect();
    let text = |id: i64| format!("{id},\"name\"\"\n {id}\"\n");
    let lines = format!("id,name\n{}", (0..200).map(text).collect::<String>());
    survives(|path| fs::write(path, &lines).unwrap(), csv, false);
    let json: Read = |cx, address| cx.read_json::<Item>(address).collect();
    let lines: String = (0..200).map(|id| format!("{{\"id\":{id},\"name\":\"x\\u00e4\"}}\n")).collect();
    survives(|path| fs::write(path, &lines).unwrap(), json, false);
}

/// The greatest 32-bit number in thrift.
const GREATEST: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];

#[test]
fn a_parquet_page_that_names_too_many_bytes_is_refused_before_they_are_allocated() {
    let header = [&[0x15, 0, 0x15][..], &GREATEST].concat();
    let error = patched(|_, data| (data, header.clone()));
    says(error, &["a page has 2147483647 bytes, at most 1619001344 are read", "a.parquet", "byte "]);
}

#[test]
fn a_parquet_dictionary_that_names_too_many_values_is_refused_before_they_are_allocated() {
    // Type, two sizes of one byte, and the header of the dictionary.
    let header = [&[0x15, 4, 0x15, 20, 0x15, 20, 0x4c, 0x15][..], &GREATEST, &[0x15, 0, 0, 0]].concat();
    let error = patched(|dictionary, _| (dictionary, header.clone()));
    says(error, &["a dictionary has 2147483647 values, at most 16777216 are read", "a.parquet"]);
}

#[test]
fn a_parquet_page_that_names_too_many_values_is_an_error_or_rows_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let header_at = write_one_page(&path);
    // Type, two sizes of 4000, and the header of the data page without statistics.
    let head = [&[0x15, 0, 0x15, 0xc0, 0x3e, 0x15, 0xc0, 0x3e, 0x2c, 0x15][..], &GREATEST].concat();
    let head = [&head[..], &[0x15, 0, 0x15, 6, 0x15, 6, 0]].concat();
    let room = header_at.len() - head.len() - 3;
    // An unknown field fills the rest.
    let header = [&head[..], &[0x98, room as u8], &vec![0; room], &[0]].concat();
    let mut bytes = fs::read(&path).unwrap();
    bytes[header_at].copy_from_slice(&header);
    fs::write(&path, bytes).unwrap();
    let started = Instant::now();
    match cx().read_parquet::<Item>(&path.display().to_string()).count() {
        Ok(rows) => assert_eq!(rows, 500),
        Err(error) => says(error, &["a.parquet"]),
    }
    assert!(started.elapsed() < LIMIT, "it took {:?}", started.elapsed());
}

/// Writes 500 numbers of 8 bytes as one uncompressed page. Returns the range of its header, which
/// statistics make long enough for a greater number.
fn write_one_page(path: &Path) -> Range<usize> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..500));
    let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_write_page_header_statistics(true)
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (start, length) = metadata(path).row_group(0).column(0).byte_range();
    start as usize..(start + length) as usize - 500 * 8
}

#[test]
fn a_parquet_footer_that_names_too_much_is_refused_before_it_is_allocated() {
    let trailer = |length: u32| [&length.to_le_bytes()[..], b"PAR1"].concat();
    let longer_than_the_file = [b"PAR1", &[0; 20][..], &trailer(u32::MAX)].concat();
    // The version, and a schema with this many elements.
    let footer = [0x15, 2, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
    let longer_than_the_footer = [b"PAR1", &footer[..], &trailer(footer.len() as u32)].concat();
    for (bytes, words) in [
        (longer_than_the_file, "the Parquet footer is 4294967295 bytes long, in a file of 32 bytes"),
        (longer_than_the_footer, "the Parquet footer is corrupt"),
    ] {
        let (_folder, _, address) = file("a.parquet", bytes);
        says(cx().read_parquet::<Item>(&address).count().unwrap_err(), &[words, &address]);
    }
}

#[test]
fn a_compressed_arrow_batch_that_names_too_many_bytes_is_refused_before_they_are_allocated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    write_compressed_arrow(&path, &batch(&items(0..500)), 500, CompressionType::ZSTD);
    let mut bytes = fs::read(&path).unwrap();
    // The ids: 500 times 8 bytes.
    let at = bytes.windows(8).position(|window| window == 4000i64.to_le_bytes()).unwrap();
    bytes[at..at + 8].copy_from_slice(&(1i64 << 40).to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = cx().read_arrow::<Item>(&path.display().to_string()).count().unwrap_err();
    says(error, &["at most 536870912 are read", "a.arrow"]);
}

/// The error of reading a valid file in which bytes were overwritten. `patch` gets the positions of the
/// dictionary and the data of its first column.
fn patched(patch: impl Fn(usize, usize) -> (usize, Vec<u8>)) -> kiln::Error {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write_parquet(&path, &batch(&items(0..500)), 500);
    let metadata = metadata(&path);
    let column = metadata.row_group(0).column(0);
    let dictionary = column.dictionary_page_offset().unwrap() as usize;
    let (at, patch) = patch(dictionary, column.data_page_offset() as usize);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at..at + patch.len()].copy_from_slice(&patch);
    fs::write(&path, bytes).unwrap();
    cx().read_parquet::<Item>(&path.display().to_string()).count().unwrap_err()
}

fn metadata(path: &Path) -> Arc<ParquetMetaData> {
    let file = fs::File::open(path).unwrap();
    Arc::clone(ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap().metadata())
}

/// `ends_tell`: whether a truncated file can be distinguished from a complete one.
fn survives(write: impl Fn(&Path), read: Read, ends_tell: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (path, cx) = (folder.path().join("whole"), cx());
    write(&path);
    let whole = fs::read(&path).unwrap();
    read(&cx, &path.display().to_string()).unwrap();
    let damaged = folder.path().join("damaged");
    let attempt = |bytes: &[u8], what: &str| {
        fs::write(&damaged, bytes).unwrap();
        let started = Instant::now();
        let outcome = read(&cx, &damaged.display().to_string());
        assert!(started.elapsed() < LIMIT, "{what} took {:?}", started.elapsed());
        if let Err(error) = &outcome {
            assert_eq!(error.class(), Class::Data, "{what}: {error}");
            assert!(error.to_string().contains("damaged"), "{what}: {error}");
        }
        outcome
    };
    for part in 1..16 {
        let outcome = attempt(&whole[..whole.len() * part / 16], &format!("cut at {part}/16"));
        assert!(!ends_tell || outcome.is_err(), "cut at {part}/16");
    }
    let mut seed = 42u64;
    for _ in 0..CHANGES {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, change) = ((seed >> 33) as usize % whole.len(), (seed >> 25) as u8 | 1);
        let mut bytes = whole.clone();
        bytes[at] ^= change;
        let _ = attempt(&bytes, &format!("byte {at} changed by {change:#x}"));
    }
}
