//! A digest of the files that a contender wrote, as one line of text.
//!
//! Computes the number of rows and a hash of them, in order or in any order, from a folder of Parquet
//! files and their expected columns. Two contenders with the same line wrote the same rows. Other
//! writers use other column types for the same values, so columns are cast first. This is not part of
//! the measured time.

use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use kiln::{Error, Result};

use crate::data::random::scramble;
use crate::files::scan;

/// Whether the order of rows matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Kept,
    Any,
}

/// Hash of a null.
const NULL: u64 = 0x6e75_6c6c;

/// State of a digest.
struct Found {
    rows: u64,
    hash: u64,
    failure: Option<Error>,
}

/// The digest of all Parquet files in `folder`, read in the order of their names.
///
/// # Errors
/// Fails when a file cannot be read, or has other columns than `schema`.
pub fn digest(folder: &Path, schema: &Schema, order: Order) -> Result<String> {
    let new = || Found { rows: 0, hash: 0, failure: None };
    // One thread, so that row groups are read in order.
    let found = scan(folder, 1, new, |found, batch| match hashes(batch, schema) {
        Ok(hashes) => hashes.into_iter().for_each(|row| found.add(row, order)),
        Err(error) => found.failure = Some(error),
    })?;
    match found.into_iter().next() {
        Some(Found { failure: Some(error), .. }) => Err(error.at("folder", folder.display())),
        Some(Found { rows, hash, .. }) => Ok(format!("rows {rows} hash {hash:016x}\n")),
        None => Ok(String::new()),
    }
}

impl Found {
    fn add(&mut self, row: u64, order: Order) {
        self.rows += 1;
        self.hash = match order {
            Order::Kept => scramble(self.hash.wrapping_add(row)),
            Order::Any => self.hash.wrapping_add(row),
        };
    }
}

/// A hash of each row.
fn hashes(batch: &RecordBatch, schema: &Schema) -> Result<Vec<u64>> {
    let other = || Error::data("a contender wrote other columns").at("columns", batch.schema());
    let mut rows = vec![0u64; batch.num_rows()];
    for field in schema.fields() {
        let column = batch.column_by_name(field.name()).ok_or_else(other)?;
        let column = cast(column, &plain(field.data_type())).map_err(|e| other().because(e))?;
        for (row, hash) in rows.iter_mut().enumerate() {
            *hash = scramble(hash.wrapping_add(field_hash(&column, row)));
        }
    }
    Ok(rows)
}

/// The type in which values are compared.
fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::Float64 | DataType::Utf8 => kind.clone(),
        _ => DataType::Int64,
    }
}

fn field_hash(column: &ArrayRef, row: usize) -> u64 {
    if column.is_null(row) {
        return NULL;
    }
    match column.data_type() {
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_bits(),
        DataType::Utf8 => column
            .as_string::<i32>()
            .value(row)
            .bytes()
            .fold(1, |hash, byte| scramble(hash ^ u64::from(byte))),
        _ => column.as_primitive::<Int64Type>().value(row) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use arrow::array::{Int32Array, Int64Array};
    use arrow::datatypes::Field;

    use super::*;
    use crate::files::{Dictionaries, Writer};
    use crate::harness::scratch::Scratch;

    #[test]
    fn rows_in_another_order_differ_only_where_the_order_is_kept() {
        let (up, down) = (written(vec![1, 2, 3]), written(vec![3, 2, 1]));
        let line =
            |scratch: &Scratch, order| digest(&scratch.output(), &schema(), order).expect("it is there");
        assert_eq!(line(&up, Order::Any), line(&down, Order::Any));
        assert_ne!(line(&up, Order::Kept), line(&down, Order::Kept));
        assert_ne!(line(&up, Order::Any), line(&written(vec![1, 2, 4]), Order::Any));
    }

    #[test]
    fn the_width_of_a_number_is_no_difference() {
        let wide = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]);
        let narrow = RecordBatch::try_from_iter([("n", Arc::new(Int32Array::from(vec![7])) as ArrayRef)]);
        let hash = |batch| hashes(&batch, &schema()).expect("both have the column");
        assert_eq!(hash(wide.expect("a batch")), hash(narrow.expect("a batch")));
    }

    fn schema() -> Schema {
        Schema::new(vec![Field::new("n", DataType::Int64, false)])
    }

    fn written(numbers: Vec<i64>) -> Scratch {
        let scratch = Scratch::new().expect("the temporary directory is writable");
        fs::create_dir(scratch.output()).expect("the temporary directory is writable");
        let batch = RecordBatch::try_new(Arc::new(schema()), vec![Arc::new(Int64Array::from(numbers))]);
        let part = scratch.output().join("part.parquet");
        let mut writer = Writer::create(part, Arc::new(schema()), Dictionaries::None).expect("a file");
        writer.write(&batch.expect("a batch")).and_then(|()| writer.finish()).expect("the file is written");
        scratch
    }
}
