//! Reading a sample of the rows.

use std::sync::Arc;

use arrow::array::{Array, AsArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;

/// More than two steps of a sample, in several row groups.
const ROWS: u64 = 100_000;

#[test]
fn a_skim_reads_short_stretches_whose_places_are_those_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.parquet");
    let numbers = RecordBatch::try_from_iter([(
        "value",
        Arc::new(UInt64Array::from_iter_values(0..ROWS)) as Arc<dyn Array>,
    )])
    .unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(30_000)).build();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, numbers.schema(), Some(properties)).unwrap();
    writer.write(&numbers).unwrap();
    writer.close().unwrap();

    let size = path.metadata().unwrap().len();
    let piece = Piece::whole(format!("file://{}", path.display()), size);
    let wanted = Wanted { skim: true, ..Wanted::of::<u64>(false, 700) };
    let mut batches = ParquetBatches::open(&piece, &wanted, None).unwrap();
    let Places { mut find, .. } = batches.places();
    let mut read = Vec::new();
    while let Some(batch) = batches.next_batch().unwrap() {
        read.extend_from_slice(batch.column(0).as_primitive::<UInt64Type>().values());
    }
    let expected: Vec<u64> = skim::stretches(ROWS as usize).flatten().map(|row| row as u64).collect();
    assert!(read == expected && read.len() < ROWS as usize / 20);
    assert_eq!(batches.skimmed(), Some(Skimmed { read: read.len() as u64, all: ROWS }));
    assert!(read.iter().enumerate().all(|(at, row)| find(at as u64) == Some(*row)));
}
