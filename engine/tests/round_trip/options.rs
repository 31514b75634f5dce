//! All values of the options for reading and writing: rows come back, or both sides reject the option.

use kiln::{Class, Compression, Context, Row};
use proptest::prelude::*;

use crate::everything::text;

type Triple = (i64, Option<String>, String);

fn cx() -> Context {
    Context::local(1)
}

/// A temporary folder, and a path in it that does not exist.
fn output() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("rows").display().to_string();
    (folder, address)
}

/// Strings of special characters of CSV, of `marks` and of others.
fn with_marks(marks: Vec<u8>) -> impl Strategy<Value = String> {
    let marks = marks.into_iter().map(|mark| char::from(mark).to_string());
    let others = [",", "\"", "\n", "\r", "\r\n", "\u{feff}", "a", "7", "-", " ", "é", "𝄞"].map(str::to_owned);
    let part = prop::sample::select(marks.chain(others).collect::<Vec<_>>());
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

/// Rows of such strings. An empty string in an `Option` is a null in CSV.
fn triples(marks: Vec<u8>) -> impl Strategy<Value = Vec<Triple>> {
    let word =
        prop::option::of(with_marks(marks.clone()).prop_filter("it is a null", |text| !text.is_empty()));
    prop::collection::vec((any::<i64>(), word, with_marks(marks)), 1..5)
}

/// Two special characters of CSV, and rows that contain them.
fn marked() -> impl Strategy<Value = (u8, u8, Vec<Triple>)> {
    (0..128_u8, 0..128_u8)
        .prop_flat_map(|(delimiter, quote)| (Just(delimiter), Just(quote), triples(vec![delimiter, quote])))
}

fn compressions() -> [Compression; 6] {
    use Compression::{Brotli, Gzip, Lz4, None, Snappy, Zstd};
    [None, Zstd, Gzip, Snappy, Lz4, Brotli]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn csv_comes_back_with_every_delimiter_and_quote_that_is_not_refused(
        (delimiter, quote, rows) in marked(),
        header in any::<bool>(),
    ) {
        let (_folder, at) = output();
        let dataset = cx().parallelize_in(1, rows.clone());
        let written = dataset.write().header(header).delimiter(delimiter).quote(quote).csv(&at);
        prop_assume!(written.is_ok());
        let read = cx().read().header(header).delimiter(delimiter).quote(quote).csv::<Triple>(&at);
        prop_assert_eq!(read.collect().map_err(|e| TestCaseError::fail(e.to_string()))?, rows);
    }

    #[test]
    fn csv_comes_back_with_every_null_value_or_a_value_that_is_one_is_refused(
        null in prop_oneof![with_marks(vec![b';']), text(), Just("0".to_owned())],
        rows in triples(vec![b'0']),
        takes_null in any::<bool>(),
    ) {
        let mut rows = rows;
        if takes_null {
            rows[0].2.clone_from(&null);
        }
        let is_null = |text: &str| !text.is_empty() && text == null;
        let is_refused = rows.iter().any(|(id, word, text)| {
            is_null(&id.to_string()) || word.as_deref().is_some_and(is_null) || is_null(text)
        });
        let (_folder, at) = output();
        let written = cx().parallelize_in(1, rows.clone()).write().header(false).null_value(&null).csv(&at);
        prop_assert_eq!(written.as_ref().err().map(kiln::Error::class), is_refused.then_some(Class::Data));
        if written.is_ok() {
            let read = cx().read().header(false).null_value(&null).csv::<Triple>(&at).collect();
            prop_assert_eq!(read.map_err(|e| TestCaseError::fail(e.to_string()))?, rows);
        }
    }

    #[test]
    fn rows_come_back_under_any_column_names(
        names in prop::collection::btree_set("\\PC{0,4}|[,\"\n\r\u{feff}a]{0,3}", 3),
        rows in triples(vec![]),
    ) {
        // A tuple reads `_1` as its first column, wherever it is.
        prop_assume!(names.iter().all(|name| !name.starts_with('_')));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (_folder, at) = output();
        let dataset = cx().parallelize_in(1, rows.clone());
        dataset.write().names(names.iter().copied()).csv(&at).unwrap();
        prop_assert_eq!(&cx().read_csv::<Triple>(&at).collect().unwrap(), &rows);
        dataset.write().names(names).mode(kiln::Mode::Overwrite).parquet(&at).unwrap();
        prop_assert_eq!(&cx().read_parquet::<Triple>(&at).collect().unwrap(), &rows);
    }

    #[test]
    fn lines_come_back_from_text_files_as_they_are(
        lines in prop::collection::vec(prop_oneof![with_marks(vec![]), text()], 0..5),
        compression in prop::sample::select(vec![Compression::None, Compression::Gzip, Compression::Zstd]),
    ) {
        let is_line = |line: &String| !line.contains('\n') && !line.ends_with('\r');
        let lines: Vec<String> = lines.into_iter().filter(is_line).collect();
        let (_folder, at) = output();
        cx().parallelize_in(1, lines.clone()).write().compression(compression).text(&at).unwrap();
        let read: Vec<String> = cx().read_text(&at).collect().unwrap();
        prop_assert_eq!(read, lines);
    }

    #[test]
    fn without_multi_line_rows_come_back_unless_a_field_holds_a_newline(rows in triples(vec![])) {
        let (_folder, at) = output();
        cx().parallelize_in(1, rows.clone()).write().csv(&at).unwrap();
        let read = cx().read().multi_line(false).csv::<Triple>(&at).collect();
        let holds = |text: &str| text.contains('\n');
        if rows.iter().any(|(_, word, text)| word.as_deref().is_some_and(holds) || holds(text)) {
            prop_assert_eq!(read.unwrap_err().class(), Class::Data);
        } else {
            prop_assert_eq!(read.unwrap(), rows);
        }
    }

    #[test]
    fn parquet_comes_back_with_every_size_that_is_not_refused(
        rows in triples(vec![]),
        file_bytes in prop::sample::select(vec![0, 1, 100, 4 << 30, (4 << 30) + 1, u64::MAX]),
        group_rows in prop::sample::select(vec![0, 1, 2, 3, usize::MAX]),
        is_sorted in any::<bool>(),
    ) {
        let mut rows = rows;
        rows.sort();
        let (_folder, at) = output();
        let dataset = cx().parallelize_in(1, rows.clone());
        let write = dataset.write().target_file_bytes(file_bytes).row_group_rows(group_rows);
        let write = if is_sorted { write.sorted_by(["_1", "_2"]) } else { write };
        let is_refused = !(1..=4 << 30).contains(&file_bytes) || group_rows == 0;
        let written = write.parquet(&at);
        prop_assert_eq!(written.as_ref().err().map(kiln::Error::class), is_refused.then_some(Class::Config));
        if written.is_ok() {
            prop_assert_eq!(cx().read_parquet::<Triple>(&at).collect().unwrap(), rows);
        }
    }
}

#[test]
fn each_byte_is_a_delimiter_or_a_quote_on_both_sides_or_on_none() {
    let row = [(1_i64, "a".to_owned())];
    let (_folder, at) = output();
    for mark in 0..=u8::MAX {
        for (delimiter, quote) in [(mark, b'"'), (b',', mark), (mark, mark), (mark, mark ^ 1)] {
            let dataset = cx().parallelize_in(1, row.clone());
            let write = dataset.write().mode(kiln::Mode::Overwrite).delimiter(delimiter).quote(quote);
            let read = cx().read().delimiter(delimiter).quote(quote);
            let is_refused = match write.csv(&at) {
                Ok(()) => {
                    assert_eq!(
                        read.csv::<(i64, String)>(&at).collect().unwrap(),
                        row,
                        "{delimiter:#x} {quote:#x}"
                    );
                    continue;
                }
                Err(error) => error.class(),
            };
            let other = read.csv::<(i64, String)>(&at).collect().unwrap_err().class();
            assert_eq!((is_refused, other), (Class::Config, Class::Config), "{delimiter:#x} {quote:#x}");
        }
    }
}

/// Writes in one format and reads back.
fn comes_back<T: Row + PartialEq>(
    written: kiln::Result<()>,
    read: impl Fn() -> kiln::Result<Vec<T>>,
    rows: &[T],
) -> bool {
    match written {
        Ok(()) => read().unwrap() == rows,
        Err(error) => {
            assert_eq!(error.class(), Class::Config, "{error}");
            false
        }
    }
}

#[test]
fn each_format_comes_back_with_each_compression_or_refuses_it() {
    let lines: Vec<String> = (0..100).map(|id| format!("line {id}")).collect();
    let cx = cx();
    for (number, compression) in compressions().into_iter().enumerate() {
        let dataset = cx.parallelize_in(1, lines.clone());
        let write = || dataset.write().compression(compression);
        let outputs = [(); 4].map(|()| output());
        let [parquet, csv, json, text] = [0, 1, 2, 3].map(|at| outputs[at].1.as_str());
        let found = [
            comes_back(write().parquet(parquet), || cx.read_parquet(parquet).collect(), &lines),
            comes_back(write().csv(csv), || cx.read_csv(csv).collect(), &lines),
            comes_back(write().json(json), || cx.read_json(json).collect(), &lines),
            comes_back(write().text(text), || cx.read_text(text).collect(), &lines),
        ];
        let is_of_text = number < 3;
        assert_eq!(found, [true, is_of_text, is_of_text, is_of_text], "{compression:?}");
    }
}
