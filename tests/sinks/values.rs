//! Values that text formats easily lose are read back unchanged.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;

use kiln::{Bytes, Context, Dataset, Row};

/// Writes the rows with `write`; returns the lines of the file, and the rows that `read` finds in it.
fn through<T: Row + Clone>(
    rows: &[T],
    write: impl Fn(&Dataset<T>, &str) -> kiln::Result<()>,
    read: impl Fn(&Context, &str) -> kiln::Result<Vec<T>>,
) -> (Vec<String>, Vec<T>) {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("rows").display().to_string();
    write(&cx.parallelize_in(1, rows.to_vec()).erase(), &output).unwrap();
    let file = fs::read_dir(&output).unwrap().next().unwrap().unwrap().path();
    let lines = fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect();
    (lines, read(&cx, &format!("{output}/")).unwrap())
}

fn csv<T: Row + Clone>(rows: &[T]) -> (Vec<String>, Vec<T>) {
    let write = |rows: &Dataset<T>, to: &str| rows.write().header(false).csv(to);
    through(rows, write, |cx, from| cx.read().header(false).csv::<T>(from).collect())
}

fn json<T: Row + Clone>(rows: &[T]) -> (Vec<String>, Vec<T>) {
    through(rows, |rows, to| rows.write().json(to), |cx, from| cx.read_json::<T>(from).collect())
}

/// Compares as text, in which NaN equals itself.
fn assert_same(found: impl Debug, expected: impl Debug) {
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

#[test]
fn csv_tells_an_empty_text_from_a_null() {
    let text = |text: &str| Some(text.to_owned());
    let (lines, _) = csv(&[(1u64, text("")), (2, None), (3, text("a"))]);
    assert_eq!(lines, ["1,\"\"", "2,", "3,a"]);
    let rows = [("".to_owned(), None), ("a".to_owned(), Some(1u64))];
    let (lines, back) = csv(&rows);
    assert_eq!((lines, &back[..]), (vec!["\"\",".to_owned(), "a,1".to_owned()], &rows[..]));
}

#[test]
fn a_null_that_is_alone_in_its_record_is_a_record_in_csv() {
    let rows = [Some(1u64), None, Some(3)];
    let (lines, back) = csv(&rows);
    assert_eq!((lines, &back[..]), (["1", "\"\"", "3"].map(str::to_owned).to_vec(), &rows[..]));
}

#[test]
fn csv_fields_with_quotes_delimiters_and_line_breaks_come_back() {
    let rows = ["plain", "a,b", "\"", "\"\"x\"", "two\nlines", "\r", " spaces ", "ä,\""];
    let rows: Vec<(String, u64)> = rows.into_iter().map(String::from).zip(0..).collect();
    assert_eq!(csv(&rows).1, rows);
}

#[test]
fn floats_that_are_no_numbers_come_back_from_csv_and_json() {
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 0.1, f64::MAX, f64::MIN_POSITIVE];
    let rows: Vec<(f64, Option<f32>, Vec<f64>)> =
        floats.into_iter().map(|x| (x, Some(x as f32), vec![1.5, x])).collect();
    let (lines, back) = json(&rows);
    assert_eq!(lines[0], r#"{"_1":"NaN","_2":"NaN","_3":[1.5,"NaN"]}"#);
    assert_eq!(lines[1], r#"{"_1":"Infinity","_2":"Infinity","_3":[1.5,"Infinity"]}"#);
    assert_eq!(lines[2], r#"{"_1":"-Infinity","_2":"-Infinity","_3":[1.5,"-Infinity"]}"#);
    assert_same(back, &rows);
    assert_same(json(&[Some(f64::NAN), None, Some(1.0)]).1, [Some(f64::NAN), None, Some(1.0)]);
    let flat: Vec<(f64, Option<f32>)> = rows.iter().map(|row| (row.0, row.1)).collect();
    assert_same(csv(&flat).1, &flat);
}

#[test]
fn bytes_and_maps_come_back_from_json() {
    let map = |key: &str| BTreeMap::from([(key.to_owned(), Some(1u64)), ("none".to_owned(), None)]);
    let nan = BTreeMap::from([("x".to_owned(), f64::NAN)]);
    assert_same(json(&[(1u64, nan.clone())]).1, [(1u64, nan)]);
    let rows = [(Bytes::from(vec![0, 255, 7]), map("a\"b")), (Bytes::new(), BTreeMap::new())];
    assert_same(json(&rows).1, &rows);
}
