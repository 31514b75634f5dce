//! CSV and JSON lines.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use kiln::{Class, Row};

use crate::files::{Item, ItemView, cx, file, items, says};

#[test]
fn csv_columns_are_found_by_the_names_in_the_header() {
    let (_folder, _, address) = file("a.csv", "extra,name,id\n1,\"a, b\",2\n2,,3\n3,\"say \"\"x\"\"\n!\",4");
    let rows = cx().read_csv::<Item>(&address).collect().unwrap();
    let item = |id, name: Option<&str>| Item { id, name: name.map(str::to_owned) };
    assert_eq!(rows, [item(2, Some("a, b")), item(3, None), item(4, Some("say \"x\"\n!"))]);
}

#[test]
fn an_empty_field_is_an_empty_string_where_the_field_is_no_option() {
    let (_folder, _, address) = file("a.csv", "a,b\n,x\ny,\n");
    let rows = cx().read_csv::<(String, Option<String>)>(&address).collect().unwrap();
    assert_eq!(rows, [(String::new(), Some("x".to_owned())), ("y".to_owned(), None)]);
}

#[test]
fn csv_without_a_header_is_read_by_position_with_the_delimiter_that_was_given() {
    let (_folder, _, address) = file("a.csv", "1\tx\r\n2\ty\r\n");
    let rows = cx().read().header(false).delimiter(b'\t').csv::<(u8, String)>(&address).collect().unwrap();
    assert_eq!(rows, [(1, "x".to_owned()), (2, "y".to_owned())]);
    let items = cx().read().header(false).delimiter(b'\t').csv::<Item>(&address).count().unwrap();
    assert_eq!(items, 2);
}

#[test]
fn a_csv_value_of_another_type_is_an_error_with_file_line_column_and_value() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,\"two\nlines\"\n\nx7,b\n");
    let error = cx().read_csv::<Item>(&address).collect().unwrap_err();
    says(error, &["`x7` is no Int64", &address, "line 5", "column id"]);
}

#[test]
fn an_empty_csv_field_that_is_no_option_is_an_error_with_its_line() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,a\n,b\n");
    let error = cx().read_csv::<Item>(&address).collect().unwrap_err();
    says(error, &["a field is empty, expected Int64", &address, "line 3", "column id"]);
}

#[test]
fn a_csv_record_with_too_many_fields_is_an_error_with_its_line() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,a\n2,b,c\n");
    let error = cx().read_csv::<Item>(&address).collect().unwrap_err();
    says(error, &["fields, expected 2", &address, "line 3"]);
}

#[test]
fn a_csv_header_without_a_wanted_column_is_an_error_that_names_it() {
    let (_folder, _, address) = file("a.csv", "ID,name\n1,a\n");
    let error = cx().read_csv::<Item>(&address).collect().unwrap_err();
    says(error, &["the column `id` is missing, expected Int64; found the columns ID, name", &address]);
}

#[test]
fn a_large_csv_file_is_cut_where_records_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    out.write_all(b"id,name\n").unwrap();
    let long = "x,\n\"\"y\n".repeat(2_000);
    let count = 10_000;
    (0..count).for_each(|id| writeln!(out, "{id},\"{long}\"").unwrap());
    out.into_inner().unwrap();
    assert!(path.metadata().unwrap().len() > 130 << 20, "it is cut into three");
    let rows = cx().read_csv::<Item>(&path.display().to_string());
    let length = long.len() as u64 - 2_000;
    let sums =
        rows.map(count_number_bytes).reduce(|a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2)).unwrap().unwrap();
    assert_eq!(sums, (count, count * (count - 1) / 2, count * length));
}

/// One, the number, and the length of the name.
fn count_number_bytes(item: ItemView<'_>) -> (u64, u64, u64) {
    (1, item.id as u64, item.name.map_or(0, str::len) as u64)
}

#[test]
fn compressed_csv_and_json_are_read() {
    let gzip = |text: &str| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    let (_folder, _, csv) = file("a.csv.gz", gzip("id,name\n0,\n1,name 1\n"));
    assert_eq!(cx().read_csv::<Item>(&csv).collect().unwrap(), items(0..2));
    let (_folder, _, json) = file("a.json.gz", gzip("{\"id\":0}\n{\"id\":1,\"name\":\"name 1\"}\n"));
    assert_eq!(cx().read_json::<Item>(&json).collect().unwrap(), items(0..2));
    let (_folder, _, zstd) = file("a.csv.zst", zstd::encode_all(&b"id,name\n0,\n"[..], 1).unwrap());
    assert_eq!(cx().read_csv::<Item>(&zstd).collect().unwrap(), items(0..1));
}

#[test]
fn json_objects_are_found_by_name_whatever_else_they_hold() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Nested {
        tags: Vec<u32>,
        place: Option<(i64, f64)>,
    }
    let text = "{\"x\":[1],\"tags\":[1,2],\"place\":{\"_1\":9007199254740993,\"_2\":0.5}}\n\n{\"tags\":[]}";
    let (_folder, _, address) = file("a.json", text);
    let rows = cx().read_json::<Nested>(&address).collect().unwrap();
    let first = Nested { tags: vec![1, 2], place: Some((9007199254740993, 0.5)) };
    assert_eq!(rows, [first, Nested { tags: vec![], place: None }]);
}

#[test]
fn what_is_wrong_in_json_is_an_error_with_file_and_line() {
    for (line, words) in [
        ("{\"id\": 1.5}", vec!["1.5", "Int64", "column id"]),
        ("{\"id\": \"x\"}", vec!["x", "Int64", "column id"]),
        ("{\"name\": \"b\"}", vec!["a value is missing (null)", "column id"]),
        ("{\"id\": 3", vec!["does not end on its line"]),
        ("{\"id\": 3}}", vec!["cannot be read"]),
        ("[1]", vec!["cannot be read"]),
    ] {
        let (_folder, _, address) = file("a.json", format!("{{\"id\": 1}}\n\n{line}\n{{\"id\": 1}}\n"));
        let error = cx().read_json::<Item>(&address).collect().unwrap_err();
        says(error, &[&words[..], &["line 3", &address]].concat());
    }
}

#[test]
fn an_option_that_a_format_does_not_have_is_a_config_error() {
    use kiln::expr::{col, lit};
    let (_folder, _, address) = file("a", "");
    let errors = [
        cx().read().delimiter(b';').parquet::<Item>(&address).count().unwrap_err(),
        cx().read().header(false).json::<Item>(&address).count().unwrap_err(),
        cx().read().filter(col("id").eq(lit(1))).csv::<Item>(&address).count().unwrap_err(),
        cx().read().filter(col("id").eq(lit(1))).text_files(&address).count().unwrap_err(),
        cx().read().delimiter(b'"').csv::<Item>(&address).count().unwrap_err(),
    ];
    errors.iter().for_each(|error| assert_eq!(error.class(), Class::Config, "{error}"));
}

#[test]
fn a_csv_file_may_have_another_quote_and_a_text_for_nulls() {
    let text = "id;name\n1;'a; ''b''\n\"c'\n2;NA\n3;\n4;NAN\nNA;x\n";
    let (_folder, _, address) = file("a.csv", text);
    let read = || cx().read().delimiter(b';').quote(b'\'').null_value("NA");
    let rows = read().csv::<(Option<i64>, Option<String>)>(&address).collect().unwrap();
    let row = |id, name: Option<&str>| (id, name.map(str::to_owned));
    let first = row(Some(1), Some("a; 'b'\n\"c"));
    let others = [row(Some(2), None), row(Some(3), None), row(Some(4), Some("NAN")), row(None, Some("x"))];
    assert_eq!(rows, [&[first][..], &others].concat());
    let error = read().csv::<Item>(&address).collect().unwrap_err();
    says(error, &["a field is empty, expected Int64", "line 7", "column id"]);
}

#[test]
fn a_mark_that_cannot_be_told_from_another_is_a_config_error() {
    let (_folder, _, address) = file("a.csv", "");
    let count = |read: kiln::Read| read.csv::<Item>(&address).count().unwrap_err();
    let errors = [
        count(cx().read().delimiter(b'\'').quote(b'\'')),
        count(cx().read().quote(b',')),
        count(cx().read().quote(b'\n')),
        count(cx().read().delimiter(0xE4)),
        cx().read().quote(b'\'').json::<Item>(&address).count().unwrap_err(),
        cx().read().null_value("NA").text(&address).count().unwrap_err(),
        cx().read().hive_partitions().text(&address).count().unwrap_err(),
    ];
    errors.iter().for_each(|error| assert_eq!(error.class(), Class::Config, "{error}"));
}

/// The error of reading these rows without a header.
fn refused(text: &str) -> kiln::Error {
    let (_folder, _, address) = file("a.csv", text);
    cx().read().header(false).csv::<(i64, String)>(&address).collect().unwrap_err()
}

#[test]
fn a_quote_that_is_never_closed_is_an_error_with_the_line_on_which_it_was_opened() {
    for (text, line) in [
        ("1,\"abc\n2,d\n3,e\n", "line 1"),
        ("1,a\n2,\"", "line 2"),
        ("1,\"a\r\nb\"\r\n2,\"\"\"\r\n", "line 3"),
        ("\u{feff}\"1\n", "line 1"),
    ] {
        says(refused(text), &["a quote is opened and never closed", "a.csv", line, "cut off"]);
    }
    let (_folder, _, address) = file("a.csv", "id,\"name\n1,a\n");
    let error = cx().read_csv::<(i64, String)>(&address).collect().unwrap_err();
    says(error, &["a quote is opened and never closed", "a.csv", "line 1"]);
    // The record starts on line 1, the quote is on line 2.
    let (_folder, _, address) = file("a.csv", "1,\"a\nb\",\"c\n2,d,e\n");
    let error = cx().read().header(false).csv::<(i64, String, String)>(&address).count().unwrap_err();
    says(error, &["a quote is opened and never closed", "line 2"]);
}

#[test]
fn a_stray_quote_before_quoted_fields_is_an_error_with_its_line() {
    let error = refused("1,a\n2,\"b\n3,\"c\"\n4,\"d\"\n");
    says(error, &["text follows the closing quote of a field", "a.csv", "line 2", "written twice"]);
    // A quote elsewhere in a field is an ordinary character.
    let (_folder, _, address) = file("a.csv", "1,5\"\n2,\"6\"\"\"\n");
    let rows = cx().read().header(false).csv::<(i64, String)>(&address).collect().unwrap();
    assert_eq!(rows, [(1, "5\"".to_owned()), (2, "6\"".to_owned())]);
}

#[test]
fn a_stray_quote_in_a_large_file_is_an_error_with_its_line_however_the_file_is_cut() {
    let mut text = String::from("id,name\n0,name 0\n1,\"name 1\n");
    (2..1_500_000).for_each(|id| text.push_str(&format!("{id},the name of number {id}\n")));
    assert!(text.len() > 40 << 20, "it would be cut into three");
    let (_folder, _, address) = file("a.csv", &text);
    let words = ["a quote is opened and never closed", "a.csv", "line 3"];
    says(cx().read_csv::<Item>(&address).count().unwrap_err(), &words);
    let error = cx().read().multi_line(false).csv::<Item>(&address).count().unwrap_err();
    says(error, &["a quoted field does not end on its line", "a.csv", "line 3", "multi_line"]);
    let (_folder, _, zstd) = file("a.csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    says(cx().read_csv::<Item>(&zstd).count().unwrap_err(), &words);
}

#[test]
fn a_file_without_a_record_has_no_rows_in_every_format_without_an_end_mark() {
    let gzip = |text: &str| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    };
    for text in ["", "\u{feff}", "\n\n"] {
        let zstd = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        for (ending, bytes) in [
            ("", text.as_bytes().to_vec()),
            (".gz", gzip(text)),
            (".gz", [gzip(""), gzip(text)].concat()),
            (".zst", zstd(text)),
        ] {
            let (_folder, _, address) = file(&format!("a{ending}"), &bytes);
            assert_eq!(cx().read_csv::<Item>(&address).count().unwrap(), 0, "{text:?}{ending}");
            assert_eq!(cx().read_json::<Item>(&address).count().unwrap(), 0, "{text:?}{ending}");
            assert_eq!(
                cx().read_text(&address).count().unwrap(),
                text.lines().filter(|line| line.is_empty()).count() as u64
            );
        }
    }
    let (_folder, _, address) = file("a.csv.gz", gzip("id,name"));
    assert_eq!(cx().read_csv::<Item>(&address).count().unwrap(), 0);
}

#[test]
fn a_file_of_no_bytes_is_an_error_in_every_format_with_an_end_mark() {
    for name in ["a.gz", "a.zst"] {
        let (_folder, _, address) = file(name, "");
        let words = ["the compressed file is empty", name];
        says(cx().read_text(&address).count().unwrap_err(), &words);
        says(cx().read_csv::<Item>(&address).count().unwrap_err(), &words);
        says(cx().read_json::<Item>(&address).count().unwrap_err(), &words);
        says(cx().read_text_files(&address).count().unwrap_err(), &words);
    }
    let (_folder, _, address) = file("a", "");
    says(cx().read_parquet::<Item>(&address).count().unwrap_err(), &[&address]);
    says(cx().read_arrow::<Item>(&address).count().unwrap_err(), &[&address]);
}

#[test]
fn a_carriage_return_inside_of_a_line_of_text_is_part_of_it() {
    let (_folder, _, address) = file("a.txt", "a\rb\r\nc\r\r\nd\r");
    assert_eq!(cx().read_text(&address).collect().unwrap(), ["a\rb", "c\r", "d\r"]);
}
