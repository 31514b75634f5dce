//! Literals of filters are exact, or rejected before any file is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use kiln::expr::{Expr, col, lit};
use kiln::{Bytes, Class, Decimal, Row};
use tempfile::TempDir;

use crate::files::{cx, write_parquet};

type Money = Decimal<10, 2>;

#[derive(Row, Clone, Debug, PartialEq)]
struct Sale {
    n: i64,
    small: u8,
    name: String,
    price: Money,
    day: NaiveDate,
    at: DateTime<Utc>,
    clock: NaiveDateTime,
    ratio: f32,
    flag: bool,
    raw: Bytes,
    tags: Vec<String>,
}

#[test]
fn a_literal_that_does_not_fit_is_a_config_error_before_any_file_is_opened() {
    let (_folder, path) = garbage();
    let at: DateTime<Utc> = "2026-11-28T00:00:00Z".parse().unwrap();
    let refused = |filter: Expr, words: &[&str]| {
        let error =
            cx().read().filter(filter).parquet::<Sale>(&path.display().to_string()).count().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
        let text = error.to_string();
        words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in: {text}"));
    };
    refused(col("n").gt(lit("9.5")), &["'9.5'", "`n`", "Int64"]);
    refused(col("n").gt(lit("abc")), &["'abc'", "`n`", "Int64"]);
    refused(lit("9.5").lt(col("n")), &["'9.5'", "`n`", "Int64"]);
    refused(col("n").eq(lit(9.5)), &["9.5", "`n`", "Int64", "rounded"]);
    refused(col("n").gt(lit(1e30)), &["1e30", "`n`", "Int64", "out of its range"]);
    refused(col("n").gt(lit(f64::NAN)), &["NaN", "`n`", "Int64"]);
    refused(col("n").eq(lit(u64::MAX)), &["18446744073709551615", "`n`", "Int64"]);
    refused(col("small").lt(lit(300)), &["300", "`small`", "UInt8", "out of its range"]);
    refused(col("small").in_list(vec![lit(1), lit(-1)], false), &["-1", "`small`", "UInt8"]);
    refused(col("name").eq(lit(5)), &["5", "`name`", "Utf8"]);
    refused(col("price").eq(lit("12.345")), &["'12.345'", "`price`", "decimals"]);
    refused(col("price").eq(lit(12.345)), &["12.345", "`price`", "rounded"]);
    refused(col("price").lt(lit(1e9)), &["1000000000", "`price`", "out of its range"]);
    refused(col("day").eq(lit("2026-02-30")), &["'2026-02-30'", "`day`", "Date32"]);
    refused(col("day").eq(lit(20_000)), &["20000", "`day`", "Date32"]);
    refused(col("at").gt(lit("2026-11-28T00:00:00")), &["`at`", "no zone", "Timestamp"]);
    refused(col("clock").gt(lit("2026-11-28T00:00:00Z")), &["`clock`", "has a zone", "Timestamp"]);
    refused(col("clock").gt(lit(at)), &["2026-11-28T00:00:00Z", "`clock`", "zone"]);
    refused(col("at").gt(lit(at.naive_utc())), &["`at`", "zone"]);
    refused(
        col("at").gt(lit(at + kiln::chrono::TimeDelta::nanoseconds(1))),
        &["`at`", "finer than a microsecond"],
    );
    refused(col("ratio").eq(lit(0.1)), &["0.1", "`ratio`", "Float32", "rounded"]);
    refused(col("ratio").lt(lit(1e300)), &["1e300", "`ratio`", "Float32", "range"]);
    refused(col("ratio").lt(lit(16_777_217)), &["16777217", "`ratio`", "Float32", "rounded"]);
    refused(col("flag").eq(lit(1)), &["1", "`flag`", "Boolean"]);
    refused(col("flag").eq(lit("yes")), &["'yes'", "`flag`", "Boolean"]);
    refused(col("raw").eq(lit("text")), &["'text'", "`raw`", "Binary"]);
    refused(col("tags").eq(lit("text")), &["'text'", "`tags`", "List"]);
    refused(col("name").eq(col("n")), &["`name`", "Utf8", "`n`", "Int64"]);
    refused(col("n").like(lit("1%")), &["`n`", "Int64", "like"]);
    refused(col("n").is_null().or(col("n").eq(lit("x"))), &["'x'", "`n`"]);
    refused(col("n"), &["the filter is Int64, expected Boolean"]);
}

#[test]
fn values_of_row_types_are_literals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    let sale = |n: i64| Sale {
        n,
        small: n as u8,
        name: format!("name {n}"),
        price: Money::from_units(i128::from(n) * 10).unwrap(),
        day: day(n as u32),
        at: day(n as u32).and_hms_opt(12, 0, 0).unwrap().and_utc(),
        clock: day(n as u32).and_hms_opt(12, 0, 0).unwrap(),
        ratio: n as f32 / 10.0,
        flag: n == 3,
        raw: Bytes::from(vec![n as u8]),
        tags: vec![],
    };
    let sales: Vec<Sale> = (1..=9).map(sale).collect();
    write_parquet(&path, &kiln::row::ipc::batch_of(sales.iter()).unwrap(), 4);
    let check = |filter: Expr, keep: fn(i64) -> bool| {
        let read = cx().read().filter(filter.clone()).parquet::<Sale>(&path.display().to_string());
        let numbers: Vec<i64> = read.collect().unwrap().into_iter().map(|sale| sale.n).collect();
        assert_eq!(numbers, (1..=9).filter(|n| keep(*n)).collect::<Vec<_>>(), "{filter}");
    };
    check(col("day").gt_eq(lit(day(5))), |n| n >= 5);
    check(col("day").gt_eq(lit("2026-11-05")), |n| n >= 5);
    check(col("clock").lt(lit(day(5).and_hms_opt(12, 0, 0).unwrap())), |n| n < 5);
    check(col("clock").lt(lit("2026-11-05T12:00:00")), |n| n < 5);
    check(col("clock").lt(lit(day(5))), |n| n < 5);
    check(col("at").eq(lit(day(5).and_hms_opt(12, 0, 0).unwrap().and_utc())), |n| n == 5);
    check(col("at").eq(lit("2026-11-05T13:00:00+01:00")), |n| n == 5);
    check(col("price").lt_eq(lit(Money::from_units(50).unwrap())), |n| n <= 5);
    check(col("price").lt_eq(lit(Decimal::<4, 1>::from_units(5).unwrap())), |n| n <= 5);
    check(col("price").lt_eq(lit("0.5")), |n| n <= 5);
    check(col("price").lt_eq(lit(0.5)), |n| n <= 5);
    check(col("price").eq(lit(0.3)), |n| n == 3);
    check(col("price").gt(lit(0.555)), |n| n > 5);
    check(col("price").lt(lit(1)), |n| n < 10);
    check(col("n").gt(lit(4.5)).and(col("n").lt_eq(lit(-0.5)).is_not_null()), |n| n > 4);
    check(col("n").gt(lit("4")), |n| n > 4);
    check(col("small").lt(lit(3_usize)), |n| n < 3);
    check(col("ratio").eq(lit(0.3_f32)), |n| n == 3);
    check(col("ratio").eq(lit("0.3")), |n| n == 3);
    check(col("ratio").lt(lit(0.3)), |n| n < 3);
    check(col("raw").gt(lit(Bytes::from_static(&[7]))), |n| n > 7);
    check(col("flag").eq(lit("TRUE")).or(col("flag").not_eq(lit(false))), |n| n == 3);
    check(col("flag"), |n| n == 3);
    check(!col("flag"), |n| n != 3);
    check(col("n").eq(col("small")).and(lit(1).eq(lit(1))), |_| true);
    check(col("n").lt(lit(4)).is_null().or(col("n").is_null().is_null()), |_| false);
    check(col("n").in_list(vec![lit(7), lit("2"), lit(40), lit(7.0)], false), |n| n == 2 || n == 7);
    check(col("n").in_list(vec![lit(7), lit("2"), lit(40)], true), |n| n != 2 && n != 7);
    check(lit(3).in_list(vec![col("n"), col("small")], false), |n| n == 3);
}

#[test]
fn instants_compare_alike_in_whatever_unit_and_zone_a_file_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let texts =
        ["1969-12-31T23:59:59Z", "2026-11-28T11:30:00Z", "2026-11-28T12:30:00Z", "2026-11-28T13:30:00Z"];
    let seconds = texts.map(|text| instant(text).timestamp());
    let scaled = |by: i64| seconds.map(|second| second * by).to_vec();
    let far = "9999-12-31T23:59:59Z";
    for zone in ["UTC", "+01:00", "-05:00"] {
        let with_far = |by: i64| [scaled(by), vec![instant(far).timestamp() * by]].concat();
        let columns: [(&str, ArrayRef); 4] = [
            ("s", Arc::new(TimestampSecondArray::from(with_far(1)).with_timezone(zone))),
            ("ms", Arc::new(TimestampMillisecondArray::from(with_far(1_000)).with_timezone(zone))),
            ("us", Arc::new(TimestampMicrosecondArray::from(with_far(1_000_000)).with_timezone(zone))),
            ("ns", Arc::new(TimestampNanosecondArray::from(scaled(1_000_000_000)).with_timezone(zone))),
        ];
        for (unit, column) in columns {
            let path = folder.path().join(format!("{unit}{zone}.parquet"));
            write_parquet(&path, &RecordBatch::try_from_iter([("at", column)]).unwrap(), 2);
            let check = |filter: Expr, expected: &[&str]| {
                #[derive(Row, Clone, Debug)]
                struct At {
                    at: DateTime<Utc>,
                }
                #[derive(Row, Clone, Debug)]
                struct Nothing {
                    other: Option<u8>,
                }
                let address = path.display().to_string();
                let at = cx().read().filter(filter.clone()).parquet::<At>(&address).collect().unwrap();
                let expected: Vec<_> = expected
                    .iter()
                    .filter(|text| unit != "ns" || **text != far)
                    .map(|text| instant(text))
                    .collect();
                assert_eq!(
                    at.iter().map(|row| row.at).collect::<Vec<_>>(),
                    expected,
                    "{unit} {zone} {filter}"
                );
                let without =
                    cx().read().filter(filter.clone()).parquet::<Nothing>(&address).collect().unwrap();
                assert_eq!(without.len(), expected.len(), "{unit} {zone} {filter}");
                assert!(without.iter().all(|row| row.other.is_none()));
            };
            check(col("at").gt(lit("2026-11-28T12:30:00Z")), &[texts[3], far]);
            check(col("at").lt_eq(lit("2026-11-28T13:30:00+01:00")), &texts[..3]);
            check(col("at").eq(lit(instant(texts[2]))), &texts[2..3]);
            check(col("at").lt(lit("2026-11-28T12:30:00.000001Z")), &texts[..3]);
            check(col("at").lt(lit(instant("1970-01-01T00:00:00Z"))), &texts[..1]);
            check(col("at").eq(lit(far)), &[far]);
            let error = cx()
                .read()
                .filter(col("at").gt(lit("2026-11-28T12:30:00")))
                .parquet::<DateTime<Utc>>("/nowhere");
            assert_eq!(error.count().unwrap_err().class(), Class::Config);
        }
    }
}

#[test]
fn a_nanosecond_that_no_row_holds_does_not_keep_others_from_being_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let column: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_000, 1_001, 2_000]));
    write_parquet(&path, &RecordBatch::try_from_iter([("value", column)]).unwrap(), 10);
    let read =
        |filter: Expr| cx().read().filter(filter).parquet::<NaiveDateTime>(&path.display().to_string());
    let micros = |micros| DateTime::from_timestamp_micros(micros).unwrap().naive_utc();
    assert_eq!(read(col("value").eq(lit(micros(1)))).collect().unwrap(), [micros(1)]);
    assert_eq!(read(col("value").gt_eq(lit(micros(2)))).collect().unwrap(), [micros(2)]);
    assert_eq!(read(col("value").gt(lit(micros(1)))).collect().unwrap_err().class(), Class::Data);
}

#[test]
fn numbers_compare_by_their_value_in_whatever_type_a_file_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let columns: [ArrayRef; 2] = [
        Arc::new(Int32Array::from(vec![1, -5, i32::MAX])),
        Arc::new(Int64Array::from(vec![1, -5, i32::MAX.into()])),
    ];
    for (at, column) in columns.into_iter().enumerate() {
        let path = folder.path().join(format!("{at}.parquet"));
        write_parquet(&path, &RecordBatch::try_from_iter([("value", column)]).unwrap(), 1);
        let read = |filter: Expr| {
            cx().read().filter(filter).parquet::<i64>(&path.display().to_string()).collect().unwrap()
        };
        assert_eq!(read(col("value").lt(lit(5_000_000_000_i64))), [1, -5, i64::from(i32::MAX)]);
        assert_eq!(read(col("value").eq(lit(5_000_000_000_i64))), [0_i64; 0]);
        assert_eq!(read(col("value").lt(lit(0.5))), [-5]);
        assert_eq!(read(col("value").gt_eq(lit("2147483647"))), [i64::from(i32::MAX)]);
    }
    let path = folder.path().join("decimal.parquet");
    let decimals = Decimal128Array::from(vec![10, 15, -5]).with_precision_and_scale(6, 1).unwrap();
    write_parquet(
        &path,
        &RecordBatch::try_from_iter([("value", Arc::new(decimals) as ArrayRef)]).unwrap(),
        1,
    );
    let read = cx().read().filter(col("value").lt(lit("1.25"))).parquet::<Money>(&path.display().to_string());
    let texts: Vec<String> = read.collect().unwrap().iter().map(Decimal::to_string).collect();
    assert_eq!(texts, ["1.00", "-0.50"]);
}

#[test]
fn folders_without_a_field_have_the_type_of_the_literal() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Id {
        id: i64,
    }
    let folder = tempfile::tempdir().unwrap();
    for (id, name) in ["year=2025/day=2025-03-01", "year=2026/day=2026-11-28"].iter().enumerate() {
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![id as i64]));
        write_parquet(
            &folder.path().join(name).join("a.parquet"),
            &RecordBatch::try_from_iter([("id", ids)]).unwrap(),
            9,
        );
    }
    let read = |filter: Expr| {
        cx().read()
            .hive_partitions()
            .filter(filter)
            .parquet::<Id>(&folder.path().display().to_string())
            .collect()
    };
    assert_eq!(read(col("year").eq(lit(2026))).unwrap(), [Id { id: 1 }]);
    assert_eq!(read(col("year").gt(lit("2025"))).unwrap(), [Id { id: 1 }]);
    assert_eq!(
        read(col("day").lt(lit(NaiveDate::from_ymd_opt(2026, 1, 1).unwrap()))).unwrap(),
        [Id { id: 0 }]
    );
    assert_eq!(read(col("day").like(lit("2026-%"))).unwrap(), [Id { id: 1 }]);
    assert_eq!(read(col("day").eq(lit(5))).unwrap_err().class(), Class::Data);
}

#[test]
fn a_column_of_the_row_has_the_same_name_in_the_filter_where_files_call_it_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let (days, names): (ArrayRef, ArrayRef) =
        (Arc::new(Date32Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["a", "b"])));
    write_parquet(&path, &RecordBatch::try_from_iter([("day", days), ("name", names)]).unwrap(), 9);
    let read = |filter: Expr| {
        let rows = cx().read().filter(filter).parquet::<(NaiveDate, String)>(&path.display().to_string());
        rows.collect().unwrap().into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!(read(col("_1").gt(lit("1970-01-02"))), ["b"]);
    assert_eq!(read(col("day").gt(lit("1970-01-02"))), ["b"]);
}

#[test]
fn a_long_filter_is_no_deep_one_and_a_deep_one_is_a_config_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    write_parquet(&path, &RecordBatch::try_from_iter([("value", numbers)]).unwrap(), 100);
    let read = |filter: Expr| cx().read().filter(filter).parquet::<i64>(&path.display().to_string());
    let long = (0..500).map(|n| col("value").eq(lit(n * 2))).reduce(Expr::or).unwrap();
    assert_eq!(read(long).count().unwrap(), 500);
    let deep = (0..500).fold(col("value").eq(lit(1)), |inner, _| !inner);
    let error = read(deep).count().unwrap_err();
    assert_eq!(error.class(), Class::Config, "{error}");
    assert!(error.to_string().contains("nests more than 100 levels deep"), "{error}");
}

/// A file that is not Parquet: opening it gives a data error.
fn garbage() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    std::fs::write(&path, "garbage that nobody must read").unwrap();
    assert_eq!(cx().read_parquet::<Sale>(&text(&path)).count().unwrap_err().class(), Class::Data);
    (folder, path)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
