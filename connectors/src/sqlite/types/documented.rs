//! The table of types in the docs, made from the code.

use std::fmt::Write;

use super::*;

/// What the table in the docs says about a declared type: its name, an example, the type of a row's field, remarks.
const DOCUMENTED: [(&str, &str, &str, &str); 11] = [
    ("`INTEGER`, and all with `INT`", "INTEGER", "`i64`", "a field may be `bool`: 0 and 1"),
    ("`REAL`, and all with `REAL`, `FLOA`, `DOUB`", "REAL", "`f64`", "integers up to 2^53 are floats, too"),
    ("`BOOLEAN`, and all with `BOOL`", "BOOLEAN", "`bool`", "0 and 1"),
    (
        "`TEXT`, and all with `CHAR`, `CLOB`, `TEXT`; `JSON`",
        "TEXT",
        "`String`",
        "a field may be a date, a timestamp or a decimal, as below",
    ),
    ("`BLOB`, and all with `BLOB`", "BLOB", "`Bytes`", ""),
    ("`DATE`", "DATE", "`NaiveDate`", "text as `2026-11-20`"),
    (
        "`DATETIME`, `TIMESTAMP`",
        "DATETIME",
        "`NaiveDateTime`",
        "text as `2026-11-20 10:00:00.5`, with a blank or a `T`, up to 6 decimals, without a zone",
    ),
    (
        "`DECIMAL(12, 2)`, `NUMERIC(12, 2)`",
        "DECIMAL(12,2)",
        "`Decimal<12, 2>`",
        "up to 15 digits; a float is the shortest number that gives it",
    ),
    ("`DECIMAL(20, 2)`", "DECIMAL(20,2)", "", "SQLite keeps 15 digits of a number with decimals: cast it"),
    ("`NUMERIC`, `DECIMAL`", "NUMERIC", "", "integers, floats and text may be in it: cast it"),
    (
        "none, or any other",
        "",
        "as the field asks",
        "without a row type, as the first value that is not null",
    ),
];

/// The table of types in the docs, as Markdown.
fn markdown() -> String {
    let mut text = String::from("| SQLite | Arrow and Parquet | field of a row | |\n|---|---|---|---|\n");
    for (name, example, field, remark) in DOCUMENTED {
        let column = match Declared::of(example) {
            Declared::Known(decoded) => format!("`{}`", spelled(&decoded.data_type())),
            Declared::Refused(_) => "as text by `text_for`".to_owned(),
            Declared::Open => "by the values".to_owned(),
        };
        let field = if field.is_empty() { "`String`, by `text_for`" } else { field };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {name} | {column} | {field} | {remark} |");
    }
    text
}

fn spelled(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, None) => "Timestamp(Microsecond)".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn the_table_in_the_docs_is_made_from_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/connectors-types.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains(&markdown()), "put this table into docs/connectors-types.md:\n{}", markdown());
}
