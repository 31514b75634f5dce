//! Columns of files and fields of rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, DictionaryArray, Int32Array, Int64Array, LargeStringArray, ListArray,
    RecordBatch, StringArray, StringViewArray, StructArray, TimestampMillisecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, Int32Type};
use arrow::ipc::CompressionType;
use kiln::{Opaque, Row};

use crate::files::{
    Item, batch, cx, items, says, write_arrow, write_compressed_arrow, write_parquet, write_stream,
};

#[test]
fn every_format_with_a_schema_gives_the_rows_that_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let rows = items(0..20_000);
    let path = |name: &str| folder.path().join(name);
    write_parquet(&path("a.parquet"), &batch(&rows), 3_000);
    write_arrow(&path("a.arrow"), &batch(&rows), 700);
    write_stream(&path("a.stream"), &batch(&rows), 30_000);
    write_compressed_arrow(&path("lz4.arrow"), &batch(&rows), 700, CompressionType::LZ4_FRAME);
    write_compressed_arrow(&path("zstd.arrow"), &batch(&rows), 700, CompressionType::ZSTD);
    let address = |name: &str| path(name).display().to_string();
    assert_eq!(cx().read_parquet::<Item>(&address("a.parquet")).collect().unwrap(), rows);
    for name in ["a.arrow", "a.stream", "lz4.arrow", "zstd.arrow"] {
        assert_eq!(cx().read_arrow::<Item>(&address(name)).collect().unwrap(), rows, "{name}");
    }
}

#[test]
fn only_the_columns_of_the_row_type_are_read_and_a_tuple_takes_them_by_position() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Id {
        id: i64,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write_parquet(&path, &batch(&items(1..3)), 10);
    let address = path.display().to_string();
    assert_eq!(cx().read_parquet::<Id>(&address).collect().unwrap(), [Id { id: 1 }, Id { id: 2 }]);
    let pairs = cx().read_parquet::<(Option<String>, i64)>(&address).collect().unwrap();
    assert_eq!(pairs, [(Some("name 1".to_owned()), 1), (Some("name 2".to_owned()), 2)]);
    let error = cx().read_parquet::<i64>(&address).collect().unwrap_err();
    says(error, &["the column `value` is missing", "found the columns name, id", &address]);
}

#[test]
fn types_widen_where_nothing_is_lost() {
    let small: ArrayRef = Arc::new(Int32Array::from(vec![7]));
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["view"]));
    let large: ArrayRef = Arc::new(LargeStringArray::from(vec!["large"]));
    let words: ArrayRef = Arc::new(["word"].into_iter().collect::<DictionaryArray<Int32Type>>());
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1_000]));
    let columns = [("_1", small), ("_2", views), ("_3", large), ("_4", words), ("_5", time)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (parquet, arrow) = (folder.path().join("a.parquet"), folder.path().join("a.arrow"));
    write_parquet(&parquet, &batch, 10);
    write_arrow(&arrow, &batch, 10);
    type Wide = (f64, String, String, String, chrono::NaiveDateTime);
    let time = chrono::DateTime::from_timestamp(1, 0).unwrap().naive_utc();
    let expected = [(7.0, "view".to_owned(), "large".to_owned(), "word".to_owned(), time)];
    assert_eq!(cx().read_parquet::<Wide>(&parquet.display().to_string()).collect().unwrap(), expected);
    assert_eq!(cx().read_arrow::<Wide>(&arrow.display().to_string()).collect().unwrap(), expected);
}

#[test]
fn a_type_that_would_lose_something_is_refused_with_file_column_expected_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let address = path.display().to_string();
    let time: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![1]).with_timezone("UTC"));
    let long: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    write_parquet(&path, &RecordBatch::try_from_iter([("_1", long), ("_2", time)]).unwrap(), 10);
    let error = cx().read_parquet::<(i32, String)>(&address).collect().unwrap_err();
    says(
        error,
        &["the column `_1` is Int64, expected Int32", &format!("file {address}"), "column _1", "`i64`"],
    );
    let error = cx().read_parquet::<(i64, chrono::NaiveDateTime)>(&address).collect().unwrap_err();
    says(error, &["`_2` is Timestamp(ms, \"UTC\"), expected Timestamp(µs)", "`DateTime<Utc>`"]);
}

#[test]
fn drift_between_files_is_an_error_that_names_the_other_file() {
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("a.parquet"), &batch(&items(0..5)), 10);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let other = RecordBatch::try_from_iter([("id", Arc::clone(&text)), ("name", text)]).unwrap();
    write_parquet(&folder.path().join("b.parquet"), &other, 10);
    let error = cx().read_parquet::<Item>(&folder.path().display().to_string()).collect().unwrap_err();
    says(error, &["the column `id` is Utf8, expected Int64", "b.parquet"]);
}

#[test]
fn a_missing_column_is_none_for_an_option_and_an_error_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let address = path.display().to_string();
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![4]));
    write_parquet(&path, &RecordBatch::try_from_iter([("id", ids)]).unwrap(), 10);
    assert_eq!(cx().read_parquet::<Item>(&address).collect().unwrap(), [Item { id: 4, name: None }]);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    write_parquet(&path, &RecordBatch::try_from_iter([("name", names)]).unwrap(), 10);
    let error = cx().read_parquet::<Item>(&address).collect().unwrap_err();
    says(error, &["the column `id` is missing, expected Int64; found the columns name", &address]);
}

#[test]
fn a_null_in_a_field_that_is_no_option_is_an_error_with_file_column_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let ids: ArrayRef = Arc::new(Int64Array::from_iter((0..9_000).map(|n| (n != 8_500).then_some(n))));
    write_parquet(&path, &RecordBatch::try_from_iter([("id", ids)]).unwrap(), 10_000);
    let error = cx().read_parquet::<Item>(&path.display().to_string()).collect().unwrap_err();
    says(error, &["a value is missing (null), expected Int64", "a.parquet", "column id", "row 8500"]);
}

#[derive(Row, Clone, Debug, PartialEq)]
struct Place {
    city: String,
    people: i64,
    since: Option<chrono::NaiveDateTime>,
}

#[test]
fn fields_inside_of_structs_are_found_by_name_and_others_are_left() {
    let people: ArrayRef = Arc::new(Int32Array::from(vec![7, 8]));
    let extra: ArrayRef = Arc::new(Int64Array::from(vec![0, 0]));
    let cities: ArrayRef = Arc::new(StringViewArray::from(vec![Some("Bern"), None]));
    let field = |name, column: &ArrayRef| Arc::new(Field::new(name, column.data_type().clone(), true));
    let fields = [("people", people), ("extra", extra), ("city", cities)].map(|(n, c)| (field(n, &c), c));
    let places: ArrayRef = Arc::new(StructArray::from(fields.to_vec()));
    let item = Arc::new(Field::new("item", places.data_type().clone(), true));
    let lists = |lengths: [usize; 2]| -> ArrayRef {
        let places = places.slice(0, lengths.iter().sum());
        Arc::new(ListArray::new(Arc::clone(&item), OffsetBuffer::from_lengths(lengths), places, None))
    };
    let folder = tempfile::tempdir().unwrap();
    let (parquet, arrow) = (folder.path().join("a.parquet"), folder.path().join("a.arrow"));
    let (at_parquet, at_arrow) = (parquet.display().to_string(), arrow.display().to_string());
    let write = |batch: &RecordBatch| {
        write_parquet(&parquet, batch, 10);
        write_arrow(&arrow, batch, 10);
    };
    write(
        &RecordBatch::try_from_iter([("_1", places.slice(0, 1)), ("_2", lists([0, 1]).slice(1, 1))]).unwrap(),
    );
    let bern = Place { city: "Bern".to_owned(), people: 7, since: None };
    let expected = [(Some(bern.clone()), vec![bern])];
    type Places = (Option<Place>, Vec<Place>);
    assert_eq!(cx().read_parquet::<Places>(&at_parquet).collect().unwrap(), expected);
    assert_eq!(cx().read_arrow::<Places>(&at_arrow).collect().unwrap(), expected);
    write(&RecordBatch::try_from_iter([("value", lists([1, 1]))]).unwrap());
    let words = ["a value is missing (null), expected Utf8", "column value.item.city", "row 1"];
    says(cx().read_parquet::<Vec<Place>>(&at_parquet).collect().unwrap_err(), &words);
    says(cx().read_arrow::<Vec<Place>>(&at_arrow).collect().unwrap_err(), &words);
    let error = cx().read_parquet::<Vec<(String, i64)>>(&at_parquet).collect().unwrap_err();
    says(error, &["the column `value` is List", "one that files lack is an `Option`"]);
}

#[derive(Row, Clone, Copy, Debug, PartialEq)]
enum Level {
    Info,
    Warn,
}

#[test]
fn a_value_that_is_none_of_the_row_type_is_an_error_with_file_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let address = path.display().to_string();
    let write = |column: ArrayRef| {
        write_parquet(&path, &RecordBatch::try_from_iter([("_1", column)]).unwrap(), 5_000);
    };
    let bad = 8_500;
    let cells = (0..9_000).map(|row| if row == bad { &[][..] } else { &[7] });
    write(Arc::new(BinaryArray::from_iter_values(cells)));
    let error = cx().read_parquet::<(Opaque<u8>, Option<u8>)>(&address).collect().unwrap_err();
    says(error, &["the bytes are no `u8`", &format!("file {address}"), "row 8500", "column _1"]);
    let names = (0..9_000).map(|row| if row == bad { "Debug" } else { "Warn" });
    write(Arc::new(StringArray::from_iter_values(names)));
    let error = cx().read_parquet::<(Level, Option<u8>)>(&address).collect().unwrap_err();
    says(error, &["`Debug` is none of Info, Warn", &format!("file {address}"), "row 8500", "column _1"]);
    let days = (0..9_000).map(|row| if row == bad { i32::MAX } else { row });
    write(Arc::new(Date32Array::from_iter_values(days)));
    let error = cx().read_parquet::<(chrono::NaiveDate, Option<u8>)>(&address).collect().unwrap_err();
    says(error, &["day 2147483647", &format!("file {address}"), "row 8500", "column _1"]);
}

#[test]
fn what_lies_beneath_an_absent_struct_is_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows").display().to_string();
    let pair = |value, level| (Some((Opaque(value), level)), 1_u8);
    // If all of them are null, a file contains no name of a level.
    for rows in [vec![pair(7_u8, Level::Warn), (None, 2), pair(0, Level::Info)], vec![(None, 1), (None, 2)]] {
        cx().parallelize_in(1, rows.clone()).write().mode(kiln::Mode::Overwrite).parquet(&output).unwrap();
        let read = cx().read_parquet::<(Option<(Opaque<u8>, Level)>, u8)>(&output).collect().unwrap();
        assert_eq!(read, rows);
    }
}
