//! Reads published Parquet as any other program would.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The rows of all files of an output, in the order of their names.
pub(crate) fn batches(output: &Path) -> Vec<RecordBatch> {
    let mut paths: Vec<_> = output.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    paths.sort();
    let open =
        |path| ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    paths.into_iter().flat_map(open).map(Result::unwrap).collect()
}

/// The names of the columns, which must be the same in every file.
pub(crate) fn columns(output: &Path) -> Vec<String> {
    let names = |batch: &RecordBatch| batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    let all: Vec<Vec<String>> = batches(output).iter().map(names).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    all.into_iter().next().unwrap_or_default()
}

/// The column `word` with the column `count`. A repeated word is an error.
pub(crate) fn word_counts(output: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for batch in batches(output) {
        let words = batch.column_by_name("word").unwrap().as_string::<i32>().clone();
        for (word, count) in words.iter().zip(integers(&batch, "count")) {
            let before = counts.insert(word.unwrap().to_owned(), count);
            assert_eq!(before, None, "{word:?} stands there twice");
        }
    }
    counts
}

/// The column `n`, in order.
pub(crate) fn numbers(output: &Path) -> Vec<u64> {
    column(output, "n")
}

/// The column of rows that are single numbers, in order.
pub(crate) fn values(output: &Path) -> Vec<u64> {
    column(output, "value")
}

pub(crate) fn column(output: &Path, name: &str) -> Vec<u64> {
    batches(output).iter().flat_map(|batch| integers(batch, name)).collect()
}

/// A column of unsigned integers, which are signed in a Delta table.
fn integers(batch: &RecordBatch, name: &str) -> Vec<u64> {
    let column = cast(batch.column_by_name(name).unwrap(), &DataType::UInt64).unwrap();
    assert_eq!(column.null_count(), 0, "no number of `{name}` is missing or negative");
    column.as_primitive::<UInt64Type>().values().to_vec()
}
