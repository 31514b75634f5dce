//! Rows that are written to files and read back are unchanged, for the types that each format supports.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::File;
use std::path::Path;

use arrow::ipc::writer::{FileWriter, StreamWriter};
use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use kiln::row::ipc;
use kiln::{Bytes, Context, Row};
use proptest::prelude::*;

use crate::everything::{
    Everything, Level, Money, bytes, date, everything, float, instant, level, money, text,
};

/// Types that CSV supports: no nested columns, and no `Some` with an empty string.
#[derive(Row, Clone, Debug, PartialEq)]
struct Flat {
    byte: u8,
    number: Option<i64>,
    size: usize,
    flag: bool,
    text: String,
    word: Option<String>,
    date: NaiveDate,
    clock: Option<NaiveDateTime>,
    instant: DateTime<Utc>,
    money: Money,
    price: Option<Money>,
    level: Option<Level>,
    float: f64,
    floats: Option<f64>,
    single: f32,
}

/// Types that JSON supports: floats that are numbers, and maps with string keys and without nulls.
#[derive(Row, Clone, Debug, PartialEq)]
struct Tree {
    flat: Option<Flat>,
    bytes: Bytes,
    lists: Vec<Vec<Option<Money>>>,
    times: Option<Vec<(NaiveDate, Option<DateTime<Utc>>)>>,
    map: BTreeMap<String, Vec<Money>>,
    maps: Option<BTreeMap<String, BTreeMap<String, NaiveDateTime>>>,
    boxed: Box<Option<i8>>,
    levels: Vec<Level>,
}

/// Writes rows as one or more files below the path.
type Write<T> = fn(&Context, &[T], &str) -> kiln::Result<()>;
/// Reads all files below the path.
type Read<T> = fn(&Context, &str) -> kiln::Result<Vec<T>>;

/// Writes the rows and reads them back.
fn through<T: Row + Clone + Debug + PartialEq>(
    rows: &[T],
    write: Write<T>,
    read: Read<T>,
) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows").display().to_string();
    let cx = Context::local(1);
    write(&cx, rows, &output).unwrap();
    let read = read(&cx, &output);
    prop_assert_eq!(read.map_err(|e| TestCaseError::fail(e.to_string()))?, rows);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn everything_comes_back_from_parquet(rows in prop::collection::vec(everything(), 0..6)) {
        through(
            &rows,
            |cx, rows, at| cx.parallelize_in(1, rows.to_vec()).write().row_group_rows(2).parquet(at),
            |cx, at| cx.read_parquet(at).collect(),
        )?;
    }

    #[test]
    fn everything_comes_back_from_arrow(rows in prop::collection::vec(everything(), 1..6)) {
        through(&rows, |_, rows, at| write_arrow(rows, Path::new(at)), |cx, at| cx.read_arrow(at).collect())?;
        through(&rows, |_, rows, at| write_stream(rows, Path::new(at)), |cx, at| cx.read_arrow(at).collect())?;
    }

    #[test]
    fn what_csv_holds_comes_back_from_csv(rows in prop::collection::vec(flat(equal()), 1..6)) {
        through(
            &rows,
            |cx, rows, at| cx.parallelize_in(1, rows.to_vec()).write().csv(at),
            |cx, at| cx.read_csv(at).collect(),
        )?;
        through(
            &rows,
            |cx, rows, at| cx.parallelize_in(1, rows.to_vec()).write().header(false).delimiter(b';').csv(at),
            |cx, at| cx.read().header(false).delimiter(b';').csv(at).collect(),
        )?;
    }

    #[test]
    fn what_json_holds_comes_back_from_json(rows in prop::collection::vec(tree(), 1..6)) {
        through(
            &rows,
            |cx, rows, at| cx.parallelize_in(1, rows.to_vec()).write().json(at),
            |cx, at| cx.read_json(at).collect(),
        )?;
    }
}

/// Writes a batch of one row and a batch of the rest.
fn write_arrow(rows: &[Everything], path: &Path) -> kiln::Result<()> {
    let batch = ipc::batch_of(rows.iter())?;
    let mut writer = FileWriter::try_new(File::create(path).unwrap(), &batch.schema())?;
    writer.write(&batch.slice(0, 1))?;
    writer.write(&batch.slice(1, rows.len() - 1))?;
    Ok(writer.finish()?)
}

fn write_stream(rows: &[Everything], path: &Path) -> kiln::Result<()> {
    let batch = ipc::batch_of(rows.iter())?;
    let mut writer = StreamWriter::try_new(File::create(path).unwrap(), &batch.schema())?;
    writer.write(&batch)?;
    Ok(writer.finish()?)
}

fn flat(floats: BoxedStrategy<f64>) -> impl Strategy<Value = Flat> {
    let numbers = (any::<u8>(), any::<Option<i64>>(), any::<usize>(), any::<bool>());
    let word = prop::option::of(text().prop_filter("CSV has no empty `Some`", |text| !text.is_empty()));
    let times = (date(), prop::option::of(instant()), instant());
    let small = (money(), prop::option::of(money()), prop::option::of(level()));
    let floats = (floats.clone(), prop::option::of(floats));
    (numbers, (text(), word), times, small, floats).prop_map(
        |(
            (byte, number, size, flag),
            (text, word),
            (date, clock, instant),
            (money, price, level),
            floats,
        )| Flat {
            byte,
            number,
            size,
            flag,
            text,
            word,
            date,
            clock: clock.map(|clock| clock.naive_utc()),
            instant,
            money,
            price,
            level,
            float: floats.0,
            floats: floats.1,
            single: floats.0 as f32,
        },
    )
}

/// All floats but NaN, which does not equal itself.
fn equal() -> BoxedStrategy<f64> {
    float().prop_filter("a NaN equals nothing", |float| !float.is_nan()).boxed()
}

fn finite() -> BoxedStrategy<f64> {
    (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO).boxed()
}

fn tree() -> impl Strategy<Value = Tree> {
    let single_is_finite = |flat: &Flat| flat.single.is_finite();
    let flat = prop::option::of(flat(finite()).prop_filter("JSON has no such float", single_is_finite));
    let lists = prop::collection::vec(prop::collection::vec(prop::option::of(money()), 0..3), 0..3);
    let times = prop::option::of(prop::collection::vec((date(), prop::option::of(instant())), 0..3));
    let map = prop::collection::btree_map(text(), prop::collection::vec(money(), 0..3), 0..3);
    let inner = prop::collection::btree_map(text(), instant().prop_map(|at| at.naive_utc()), 0..3);
    let maps = prop::option::of(prop::collection::btree_map(text(), inner, 0..3));
    let rest = (bytes(), any::<Option<i8>>(), prop::collection::vec(level(), 0..3));
    (flat, lists, times, map, maps, rest).prop_map(
        |(flat, lists, times, map, maps, (bytes, boxed, levels))| Tree {
            flat,
            bytes,
            lists,
            times,
            map,
            maps,
            boxed: Box::new(boxed),
            levels,
        },
    )
}
