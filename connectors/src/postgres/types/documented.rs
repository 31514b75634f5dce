//! The table of types in the docs, made from the code.

use std::fmt::Write;

use super::*;

/// What the table in the docs says about a type of PostgreSQL: its name, its column, the type of a row's field, remarks.
const DOCUMENTED: [(&str, Type, i32, &str, &str); 28] = [
    ("`boolean`", Type::BOOL, -1, "`bool`", ""),
    ("`smallint`", Type::INT2, -1, "`i16`", "and wider ones"),
    ("`integer`", Type::INT4, -1, "`i32`", "and wider ones"),
    ("`bigint`", Type::INT8, -1, "`i64`", ""),
    ("`oid`", Type::OID, -1, "`u32`", ""),
    ("`real`", Type::FLOAT4, -1, "`f32`", "and `f64`"),
    ("`double precision`", Type::FLOAT8, -1, "`f64`", ""),
    (
        "`numeric(12, 2)`",
        Type::NUMERIC,
        4 + (12 << 16 | 2),
        "`Decimal<12, 2>`",
        "up to 38 digits, exact; NaN and infinity are errors of class data",
    ),
    ("`numeric`", Type::NUMERIC, -1, "", "any number of digits may be in it: cast it, or read it as text"),
    ("`text`, `varchar`", Type::TEXT, -1, "`String`", ""),
    ("`char(n)`", Type::BPCHAR, -1, "`String`", "with the spaces at its end"),
    ("`name`", Type::NAME, -1, "`String`", ""),
    ("`json`", Type::JSON, -1, "`String`", "as it was written"),
    ("`jsonb`", Type::JSONB, -1, "`String`", "as the server prints it"),
    ("`xml`", Type::XML, -1, "`String`", ""),
    ("`uuid`", Type::UUID, -1, "`String`", "in lower case, with hyphens"),
    ("`bytea`", Type::BYTEA, -1, "`Bytes`", ""),
    ("`date`", Type::DATE, -1, "`NaiveDate`", "infinity is an error of class data"),
    ("`timestamp`", Type::TIMESTAMP, -1, "`NaiveDateTime`", "infinity is an error of class data"),
    ("`timestamptz`", Type::TIMESTAMPTZ, -1, "`DateTime<Utc>`", "infinity is an error of class data"),
    ("`time`", Type::TIME, -1, "", "for copies; 24:00:00 is an error of class data; a row reads it as text"),
    ("`timetz`", Type::TIMETZ, -1, "", ""),
    ("`interval`", Type::INTERVAL, -1, "", "months, days and seconds are no one number"),
    ("`inet`, `cidr`", Type::INET, -1, "", ""),
    ("`macaddr`", Type::MACADDR, -1, "", ""),
    ("`money`", Type::MONEY, -1, "", "its decimals depend on the server's locale"),
    (
        "`integer[]`",
        Type::INT4_ARRAY,
        -1,
        "`Vec<Option<i32>>`",
        "arrays of all types above; more than one dimension is an error of class data",
    ),
    ("`bit(n)`, ranges, composite and geometric types", Type::BIT, -1, "", ""),
];

/// The table of types in the docs, as Markdown.
fn markdown() -> String {
    let mut text = String::from("| PostgreSQL | Arrow and Parquet | field of a row | |\n|---|---|---|---|\n");
    for (name, data_type, modifier, field, remark) in DOCUMENTED {
        let column = match of(&data_type, modifier) {
            Ok(decoded) => format!("`{}`", spelled(&decoded.data_type())),
            Err(_) => "as text by `text_for`".to_owned(),
        };
        let field = if field.is_empty() { "`String`, by `text_for`" } else { field };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {name} | {column} | {field} | {remark} |");
    }
    text + "| an enum, a domain | `Utf8`, as the type below it | a derived enum or `String`, as the type below it | |\n"
}

/// A type in the words of Arrow's documentation.
fn spelled(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, None) => "Timestamp(Microsecond)".to_owned(),
        DataType::Timestamp(_, Some(zone)) => format!("Timestamp(Microsecond, {zone})"),
        DataType::Time64(_) => "Time64(Microsecond)".to_owned(),
        DataType::List(item) => format!("List({})", spelled(item.data_type())),
        other => other.to_string(),
    }
}

#[test]
fn the_table_in_the_docs_is_made_from_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/connectors-types.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains(&markdown()), "put this table into docs/connectors-types.md:\n{}", markdown());
}
