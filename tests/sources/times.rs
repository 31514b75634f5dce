//! Timestamps with a higher resolution or a larger range than those of a row, as other programs write
//! them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, ListArray, RecordBatch, TimestampNanosecondArray};
use arrow::datatypes::{Int32Type, TimestampNanosecondType};
use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::files::{cx, says, write_arrow, write_parquet};

const NANOS: i64 = 1_000_000_000;

fn second(second: i64) -> NaiveDateTime {
    DateTime::from_timestamp(second, 1_000).unwrap().naive_utc()
}

/// A column of the seconds in `0..rows`, each with a microsecond, and `extra` nanoseconds in row 8500.
fn nanos(rows: i64, extra: i64) -> TimestampNanosecondArray {
    (0..rows).map(|row| row * NANOS + 1_000 + if row == 8_500 { extra } else { 0 }).collect::<Vec<_>>().into()
}

#[test]
fn nanoseconds_are_read_where_they_are_whole_microseconds() {
    let folder = tempfile::tempdir().unwrap();
    let column = nanos(9_000, 0);
    let instants: ArrayRef = Arc::new(column.clone().with_timezone("Europe/Berlin"));
    let batch = RecordBatch::try_from_iter([("_1", Arc::new(column) as ArrayRef), ("_2", instants)]).unwrap();
    let (parquet, arrow) = (folder.path().join("a.parquet"), folder.path().join("a.arrow"));
    write_parquet(&parquet, &batch, 4_000);
    write_arrow(&arrow, &batch, 5_000);
    let expected: Vec<_> = (0..9_000).map(|row| (second(row), second(row).and_utc())).collect();
    type Times = (NaiveDateTime, DateTime<Utc>);
    assert_eq!(cx().read_parquet::<Times>(&parquet.display().to_string()).collect().unwrap(), expected);
    assert_eq!(cx().read_arrow::<Times>(&arrow.display().to_string()).collect().unwrap(), expected);
}

#[test]
fn a_timestamp_finer_than_a_microsecond_is_an_error_with_file_row_column_and_value() {
    let folder = tempfile::tempdir().unwrap();
    let batch = RecordBatch::try_from_iter([("value", Arc::new(nanos(9_000, 7)) as ArrayRef)]).unwrap();
    let (parquet, arrow) = (folder.path().join("a.parquet"), folder.path().join("a.arrow"));
    write_parquet(&parquet, &batch, 4_000);
    write_arrow(&arrow, &batch, 5_000);
    let (parquet, arrow) = (parquet.display().to_string(), arrow.display().to_string());
    let words = ["`1970-01-01T02:21:40.000001007` is no Timestamp(µs)", "row 8500", "column value", "`i64`"];
    let error = cx().read_parquet::<NaiveDateTime>(&parquet).count().unwrap_err();
    says(error, &[&words[..], &[&parquet]].concat());
    let error = cx().read_arrow::<NaiveDateTime>(&arrow).count().unwrap_err();
    says(error, &[&words[..], &[&arrow]].concat());
    let nanos = cx().read_parquet::<i64>(&parquet).collect().unwrap();
    assert_eq!((nanos[0], nanos[8_500]), (1_000, 8_500 * NANOS + 1_007));
}

#[test]
fn nanoseconds_in_a_dictionary_are_held_to_the_same_rule() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    let values: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_000, 1_001]));
    let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(vec![0, 1].into(), values));
    write_arrow(&path, &RecordBatch::try_from_iter([("value", column)]).unwrap(), 10);
    let error = cx().read_arrow::<NaiveDateTime>(&path.display().to_string()).count().unwrap_err();
    says(error, &["it is finer than a microsecond", "row 1", "column value"]);
}

#[test]
fn nanoseconds_inside_of_lists_have_the_row_of_their_list() {
    let folder = tempfile::tempdir().unwrap();
    let lists = [vec![1_000, 2_000], vec![], vec![3_000, 4_001]];
    let lists = lists.map(|list| Some(list.into_iter().map(Some).collect::<Vec<_>>()));
    let column = ListArray::from_iter_primitive::<TimestampNanosecondType, _, _>(lists);
    let path = folder.path().join("a.parquet");
    let write = |rows| {
        let column: ArrayRef = Arc::new(column.slice(0, rows));
        write_parquet(&path, &RecordBatch::try_from_iter([("value", column)]).unwrap(), 10);
    };
    let read = || cx().read_parquet::<Vec<NaiveDateTime>>(&path.display().to_string()).collect();
    write(2);
    let micro = |micro| DateTime::from_timestamp_micros(micro).unwrap().naive_utc();
    assert_eq!(read().unwrap(), [vec![micro(1), micro(2)], vec![]]);
    write(3);
    says(read().unwrap_err(), &["000004001` is no Timestamp(µs)", "row 2", "column value.item"]);
}

/// Days since the Julian epoch and nanoseconds of the day, as in files of Spark.
fn write_int96(path: &Path, times: &[NaiveDateTime]) {
    let schema =
        Arc::new(parse_message_type("message spark { required int96 at; required int96 on; }").unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let value = |time: &NaiveDateTime| {
        let days = time.date().signed_duration_since(NaiveDate::default()).num_days() + 2_440_588;
        let nanos =
            time.time().signed_duration_since(kiln::chrono::NaiveTime::MIN).num_nanoseconds().unwrap();
        let mut value = Int96::new();
        value.set_data(nanos as u32, (nanos >> 32) as u32, days as u32);
        value
    };
    let values: Vec<Int96> = times.iter().map(value).collect();
    let mut group = writer.next_row_group().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        column.typed::<Int96Type>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn int96_is_an_instant_or_a_clocks_time_as_the_row_says_in_all_years() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let day = |year| {
        NaiveDate::from_ymd_opt(year, 12, 31).and_then(|day| day.and_hms_micro_opt(23, 59, 59, 999_999))
    };
    let times = [1, 1582, 1970, 2026, 9999].map(|year| day(year).unwrap());
    write_int96(&path, &times);
    #[derive(kiln::Row, Clone, Debug, PartialEq)]
    struct Times {
        on: DateTime<Utc>,
        at: Option<NaiveDateTime>,
    }
    let rows = cx().read_parquet::<Times>(&path.display().to_string()).collect().unwrap();
    assert_eq!(rows, times.map(|time| Times { on: time.and_utc(), at: Some(time) }));
    // By position, with the zones swapped.
    let rows =
        cx().read_parquet::<(DateTime<Utc>, NaiveDateTime)>(&path.display().to_string()).collect().unwrap();
    assert_eq!(rows, times.map(|time| (time.and_utc(), time)));
}

#[test]
fn a_column_that_no_row_type_holds_says_what_else_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let times: ArrayRef = Arc::new(arrow::array::Time64MicrosecondArray::from(vec![1]));
    let words: ArrayRef = Arc::new(["word"].into_iter().collect::<DictionaryArray<Int32Type>>());
    write_parquet(&path, &RecordBatch::try_from_iter([("_1", times), ("_2", words)]).unwrap(), 10);
    let address = path.display().to_string();
    let error = cx().read_parquet::<(i64, String)>(&address).collect().unwrap_err();
    says(error, &["no row type holds a Time64(µs): leave the column out", "column _1"]);
    let error = cx().read_parquet::<(Option<String>, u8)>(&address).collect().unwrap_err();
    says(error, &["column _1"]);
}
