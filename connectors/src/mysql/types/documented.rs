//! The table of types in the docs, made from the code.

use std::fmt::Write;

use ColumnType::*;

use super::*;

/// A type of the servers: its name, how a server describes it, the type of a row's field, remarks.
type Documented = (&'static str, Described, &'static str, &'static str);

const NONE: ColumnFlags = ColumnFlags::empty();

const fn plain(kind: ColumnType) -> Described {
    Described { kind, flags: NONE, character_set: BINARY, length: 64, decimals: 0 }
}

const fn unsigned(kind: ColumnType) -> Described {
    Described { flags: ColumnFlags::UNSIGNED_FLAG, ..plain(kind) }
}

const fn decimal(digits: u32, decimals: u8) -> Described {
    Described { length: digits + 2, decimals, ..plain(MYSQL_TYPE_NEWDECIMAL) }
}

const fn text(kind: ColumnType) -> Described {
    Described { character_set: 45, ..plain(kind) }
}

const BIT_1: Described = Described { length: 1, ..plain(MYSQL_TYPE_BIT) };
const ZERO_DATES: &str = "0000-00-00 is an error of class data, or a null by `zero_dates`";

const DOCUMENTED: [Documented; 27] = [
    (
        "`tinyint`, `boolean`",
        plain(MYSQL_TYPE_TINY),
        "`i8`",
        "and wider ones; `bool` for 0 and 1, a copy by `bool_for`",
    ),
    ("`tinyint unsigned`", unsigned(MYSQL_TYPE_TINY), "`u8`", "and wider ones, or `bool`"),
    ("`smallint`", plain(MYSQL_TYPE_SHORT), "`i16`", "and wider ones"),
    ("`smallint unsigned`", unsigned(MYSQL_TYPE_SHORT), "`u16`", "and wider ones"),
    ("`mediumint`, `int`", plain(MYSQL_TYPE_LONG), "`i32`", "and wider ones"),
    ("`mediumint unsigned`, `int unsigned`", unsigned(MYSQL_TYPE_LONG), "`u32`", "and wider ones"),
    ("`bigint`", plain(MYSQL_TYPE_LONGLONG), "`i64`", ""),
    ("`bigint unsigned`", unsigned(MYSQL_TYPE_LONGLONG), "`u64`", ""),
    ("`float`", plain(MYSQL_TYPE_FLOAT), "`f32`", "and `f64`"),
    ("`double`", plain(MYSQL_TYPE_DOUBLE), "`f64`", ""),
    ("`decimal(12, 2)`", decimal(12, 2), "`Decimal<12, 2>`", "up to 38 digits, exact"),
    ("`decimal(65, 30)`", decimal(65, 30), "", "more than 38 digits: cast it, or read it as text"),
    ("`bit(1)`", BIT_1, "`bool`", ""),
    ("`bit(64)`", plain(MYSQL_TYPE_BIT), "`u64`", "as a number; as text, its digits"),
    (
        "`char(n)`, `varchar(n)`, `text`",
        text(MYSQL_TYPE_VAR_STRING),
        "`String`",
        "of any character set; `char(n)` without the blanks at its end",
    ),
    ("`enum`, `set`", text(MYSQL_TYPE_STRING), "`String`", "an `enum` also as a derived enum"),
    ("`json`", plain(MYSQL_TYPE_JSON), "`String`", "as the server prints it"),
    ("`uuid`, `inet4`, `inet6` of MariaDB", text(MYSQL_TYPE_STRING), "`String`", "as the server prints it"),
    ("`binary(n)`, `varbinary(n)`, `blob`", plain(MYSQL_TYPE_BLOB), "`Bytes`", "as text, in hexadecimal"),
    ("`date`", plain(MYSQL_TYPE_DATE), "`NaiveDate`", ZERO_DATES),
    ("`datetime(6)`", plain(MYSQL_TYPE_DATETIME), "`NaiveDateTime`", ZERO_DATES),
    ("`timestamp(6)`", plain(MYSQL_TYPE_TIMESTAMP), "`DateTime<Utc>`", "in UTC; zeros as above"),
    (
        "`time(6)`",
        plain(MYSQL_TYPE_TIME),
        "",
        "for copies; a time below 0 or beyond a day is an error of class data; a row reads it as text",
    ),
    ("`year`", plain(MYSQL_TYPE_YEAR), "`i16`", "and wider ones"),
    ("geometric types", plain(MYSQL_TYPE_GEOMETRY), "", "as text, by `ST_AsText`"),
    ("`vector`", plain(MYSQL_TYPE_VECTOR), "", ""),
    ("`NULL`", plain(MYSQL_TYPE_NULL), "`Option<String>`", "in a query"),
];

/// The table of types in the docs, as Markdown.
fn markdown() -> String {
    let mut text =
        String::from("| MySQL, MariaDB | Arrow and Parquet | field of a row | |\n|---|---|---|---|\n");
    for (name, described, field, remark) in DOCUMENTED {
        let column = match described.decoded() {
            Ok(decoded) => format!("`{}`", spelled(&decoded.data_type())),
            Err(_) => "as text by `text_for`".to_owned(),
        };
        let field = if field.is_empty() { "`String`, by `text_for`" } else { field };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {name} | {column} | {field} | {remark} |");
    }
    text
}

/// A type in the words of Arrow's documentation.
fn spelled(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, None) => "Timestamp(Microsecond)".to_owned(),
        DataType::Timestamp(_, Some(zone)) => format!("Timestamp(Microsecond, {zone})"),
        DataType::Time64(_) => "Time64(Microsecond)".to_owned(),
        other => other.to_string(),
    }
}

#[test]
fn the_table_in_the_docs_is_made_from_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/connectors-types.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains(&markdown()), "put this table into docs/connectors-types.md:\n{}", markdown());
}
