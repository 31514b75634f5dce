//! Values of all declared types, nulls and extremes, and values that do not fit.

use kiln::chrono::{NaiveDate, NaiveDateTime};
use kiln::{Bytes, Class, Context, Decimal};
use kiln_connectors::sqlite::ReadSqlite;

use crate::Db;

#[derive(kiln::Row, Clone, Debug, PartialEq)]
struct Everything {
    id: i64,
    large: Option<i64>,
    real: Option<f64>,
    flag: Option<bool>,
    text: Option<String>,
    raw: Option<Bytes>,
    day: Option<NaiveDate>,
    at: Option<NaiveDateTime>,
    price: Option<Decimal<12, 2>>,
    any: Option<i64>,
    odd: Option<String>,
}

const TABLE: &str =
    "CREATE TABLE everything (id INTEGER PRIMARY KEY, large BIGINT, real DOUBLE, flag BOOLEAN,
    text VARCHAR(20), raw BLOB, day DATE, at DATETIME, price DECIMAL(12, 2), any, odd NUMERIC)";

fn day(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

fn at(text: &str) -> Option<NaiveDateTime> {
    text.parse().ok()
}

#[test]
fn nulls_and_extremes_are_read_as_they_are() {
    let db = Db::new(&format!(
        "{TABLE}; INSERT INTO everything (id) VALUES (0);
         INSERT INTO everything VALUES
             (1, 9223372036854775807, 1.7976931348623157e308, 1, 'é😀', x'00ff', '9999-12-31', '9999-12-31 23:59:59.999999',
              9999999999.99, 7, 'x'),
             (2, -9223372036854775808, -9e999, 0, '', x'', '0000-01-01', '0000-01-01T00:00', -9999999999.99, -7, x'0aff'),
             (3, 0, 5e-324, 1, 'a' || char(0) || 'b', x'27', '1969-12-31', '1969-12-31 23:59:59.5', 0.01, 0, 0.1),
             (-5, 0, 4, 0, '1', zeroblob(3), '2024-02-29', '1582-10-10 00:00:00', 12, 1, 12345678901234567)"
    ));
    let cx = Context::local(2);
    let rows = cx.sqlite(db.path()).table("everything").text_for("odd").read::<Everything>();
    let mut rows = rows.collect().unwrap();
    rows.sort_by_key(|row| row.id);
    let none = Everything {
        id: 0,
        large: None,
        real: None,
        flag: None,
        text: None,
        raw: None,
        day: None,
        at: None,
        price: None,
        any: None,
        odd: None,
    };
    let price = |units| Decimal::from_units(units).ok();
    let expected = [
        Everything {
            id: -5,
            large: Some(0),
            real: Some(4.0),
            flag: Some(false),
            text: Some("1".into()),
            raw: Some(Bytes::from(vec![0, 0, 0])),
            day: day("2024-02-29"),
            at: at("1582-10-10T00:00:00"),
            price: price(1200),
            any: Some(1),
            odd: Some("12345678901234567".into()),
        },
        none,
        Everything {
            id: 1,
            large: Some(i64::MAX),
            real: Some(f64::MAX),
            flag: Some(true),
            text: Some("é😀".into()),
            raw: Some(Bytes::from(vec![0, 255])),
            day: day("9999-12-31"),
            at: at("9999-12-31T23:59:59.999999"),
            price: price(999_999_999_999),
            any: Some(7),
            odd: Some("x".into()),
        },
        Everything {
            id: 2,
            large: Some(i64::MIN),
            real: Some(f64::NEG_INFINITY),
            flag: Some(false),
            text: Some(String::new()),
            raw: Some(Bytes::new()),
            day: day("0000-01-01"),
            at: at("0000-01-01T00:00:00"),
            price: price(-999_999_999_999),
            any: Some(-7),
            odd: Some("0AFF".into()),
        },
        Everything {
            id: 3,
            large: Some(0),
            real: Some(5e-324),
            flag: Some(true),
            text: Some("a\0b".into()),
            raw: Some(Bytes::from(vec![39])),
            day: day("1969-12-31"),
            at: at("1969-12-31T23:59:59.500"),
            price: price(1),
            any: Some(0),
            odd: Some("0.1".into()),
        },
    ];
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
}

#[test]
fn decimals_of_all_sizes_come_back() {
    let db = Db::new("CREATE TABLE t (id INTEGER PRIMARY KEY, price DECIMAL(15, 2))");
    let connection = db.open();
    let mut units: Vec<i64> =
        (0..2000_i64).map(|n| (n * 7_919_777_777_777) % 1_000_000_000_000_000).collect();
    units.extend([0, 1, -1, 999_999_999_999_999, -999_999_999_999_999]);
    for (id, units) in units.iter().enumerate() {
        // As an application writes it, by text that SQLite makes a float of.
        let text =
            format!("{}{}.{:02}", if *units < 0 { "-" } else { "" }, units.abs() / 100, units.abs() % 100);
        connection.execute("INSERT INTO t VALUES (?1, ?2)", (id as i64, text)).unwrap();
    }
    let reals: i64 = connection
        .query_row("SELECT count(*) FROM t WHERE typeof(price) = 'real'", [], |row| row.get(0))
        .unwrap();
    assert!(reals > 1900, "{reals} are stored as floats");
    let rows = Context::local(1).read_sqlite::<(i64, Decimal<15, 2>)>(&db.url(), "t").collect().unwrap();
    let found: Vec<i128> = rows.iter().map(|(_, price)| price.units()).collect();
    assert_eq!(found, units.iter().map(|units| i128::from(*units)).collect::<Vec<_>>());
}

#[test]
fn a_value_of_another_class_is_data_with_table_rowid_and_column() {
    let db = Db::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, amount INTEGER, day DATE, name TEXT, flag BOOLEAN, price DECIMAL(5, 2));
         INSERT INTO t VALUES (1, 1, '2026-01-01', 'a', 1, 1), (77, 'many', '2026-13-01', x'ff', 2, 1.005)",
    );
    let cx = Context::local(1);
    for (column, says) in [
        ("amount", "a TEXT is not an integer"),
        ("day", "a TEXT is not a date"),
        ("name", "a BLOB is not text"),
        ("flag", "the INTEGER 2 is not a boolean"),
        ("price", "the REAL 1.005 is not a decimal of 5 digits with 2 decimals"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let copy = cx.copy(cx.sqlite(db.path()).table("t").columns([column]).scan());
        let error = copy.write().parquet(folder.path().join("out").to_str().unwrap()).unwrap_err();
        assert_eq!(error.class(), Class::Data, "{error}");
        let text = error.to_string();
        let place = format!("table t, rowid 77, column {column}");
        assert!(text.contains(says) && text.contains(&place) && text.contains("text_for"), "{text}");
        let as_text = cx.sqlite(db.path()).table("t").columns([column]).text_for(column).read::<String>();
        assert_eq!(as_text.collect().unwrap().len(), 2, "{column}");
    }
}

#[test]
fn columns_without_a_type_are_read_as_the_row_type_asks_or_as_their_first_value() {
    let db = Db::new(
        "CREATE TABLE t (a, b NUMERIC); INSERT INTO t VALUES (NULL, 1), (1.5, 2);
         CREATE VIEW v AS SELECT count(*) AS n, max(a) AS most, 'x' AS word, NULL AS void FROM t",
    );
    let cx = Context::local(1);
    let rows = cx.read_sqlite::<(i64, f64, String, Option<String>)>(&db.url(), "v").collect().unwrap();
    assert_eq!(rows, [(2, 1.5, "x".to_owned(), None)]);
    use kiln::connect::Scan;
    let plan = cx.sqlite(db.path()).table("v").scan().plan(None).unwrap();
    let types: Vec<String> = plan.schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Int64", "Float64", "Utf8", "Utf8"]);
    let rows = cx.sqlite(db.path()).query("SELECT sum(b) AS total FROM t; ").read::<i64>().collect().unwrap();
    assert_eq!(rows, [3]);
}

#[test]
fn a_strict_table_and_generated_columns_are_read() {
    let db = Db::new(
        "CREATE TABLE t (id INT PRIMARY KEY, n INT, twice INT AS (n * 2) VIRTUAL, kept TEXT AS (n || '!') STORED) STRICT;
         INSERT INTO t (id, n) VALUES (1, 4), (2, NULL)",
    );
    let rows =
        Context::local(1).read_sqlite::<(i64, Option<i64>, Option<i64>, Option<String>)>(&db.url(), "t");
    let expected = [(1, Some(4), Some(8), Some("4!".to_owned())), (2, None, None, None)];
    assert_eq!(rows.collect().unwrap(), expected);
}
