//! PostgreSQL to Parquet and back: random tables of all types, nulls and extremes are equal to what they were.

use kiln::{Context, Mode};
use kiln_connectors::postgres::{ReadPostgres, WritePostgres};

use crate::server::{Database, Server};

/// A column: its name, its type, random values for it, and extremes.
const COLUMNS: [(&str, &str, &str, &[&str]); 33] = [
    ("flag", "boolean", "random() < 0.5", &["true", "false"]),
    ("small", "smallint", "((random() - 0.5) * 65535)::smallint", &["32767", "-32768"]),
    ("middle", "integer", "((random() - 0.5) * 4e9)::integer", &["2147483647", "-2147483648"]),
    (
        "large",
        "bigint",
        "((random() - 0.5) * 1.8e19)::bigint",
        &["9223372036854775807", "-9223372036854775808"],
    ),
    ("number", "oid", "(random() * 4294967295)::bigint::oid", &["0", "4294967295"]),
    (
        "single",
        "real",
        "(random() * 10 ^ ((random() - 0.5) * 60))::real",
        &["'NaN'", "'-Infinity'", "'-0'", "'1e-45'", "'3.4028235e38'"],
    ),
    (
        "double",
        "double precision",
        "(random() * 10 ^ ((random() - 0.5) * 600))::double precision",
        &["'NaN'", "'Infinity'", "'-0'", "'5e-324'", "'1.7976931348623157e308'"],
    ),
    (
        "price",
        "numeric(12,2)",
        "((random() - 0.5) * 10 ^ (random() * 10))::numeric(12,2)",
        &["9999999999.99", "-9999999999.99", "0"],
    ),
    (
        "exact",
        "numeric(38,10)",
        "((random() - 0.5)::numeric * 10::numeric ^ (random() * 28)::int)::numeric(38,10)",
        &["9999999999999999999999999999.9999999999", "-0.0000000001"],
    ),
    ("tiny", "numeric(3,5)", "((random() - 0.5) * 0.019)::numeric(3,5)", &["0.00999", "-0.00999"]),
    ("coarse", "numeric(5,-2)", "((random() - 0.5) * 1e7)::numeric(5,-2)", &["9999900", "-100"]),
    (
        "text",
        "text",
        "repeat(chr((random() * 40000)::int + 100), (random() * 40)::int)",
        &["''", "'é😀'", "E'\\\\N\\n'"],
    ),
    ("words", "varchar(20)", "left(md5(random()::text), (random() * 20)::int)", &["''", "repeat('é', 20)"]),
    ("padded", "char(6)", "left(md5(random()::text), (random() * 6)::int)", &["''", "'abcdef'"]),
    ("label", "name", "left(md5(random()::text), 9)::name", &["repeat('x', 63)::name"]),
    ("doc", "json", "json_build_object('k', random())", &["'{\"a\": [1, null]}'", "' null'"]),
    ("docb", "jsonb", "jsonb_build_array(random(), NULL, 'é')", &["'[]'", "'\"x\"'"]),
    ("mark", "mood", "(ARRAY['Sad', 'Happy'])[1 + (random() * 1)::int]::mood", &["'Sad'"]),
    ("key", "uuid", "gen_random_uuid()", &["'FFFFFFFF-0000-4000-8000-0123456789AB'"]),
    (
        "raw",
        "bytea",
        "decode(repeat(md5(random()::text), (random() * 9)::int), 'hex')",
        &["''", "'\\x00ff7c0a'"],
    ),
    ("day", "date", "DATE '0001-01-01' + (random() * 3652058)::int", &["'4713-01-01 BC'", "'5874897-12-31'"]),
    (
        "at",
        "timestamp",
        "TIMESTAMP '0001-01-01' + random() * interval '9998 years'",
        &["'4713-01-01 BC'", "'294246-12-31 23:59:59.999999'"],
    ),
    (
        "instant",
        "timestamptz",
        "TIMESTAMPTZ '0001-01-01 00:00+00' + random() * interval '9998 years'",
        &["'1969-12-31 23:59:59.999999+00'", "'9999-12-31 23:59:59.999999+00'"],
    ),
    ("clock", "time", "TIME '00:00' + random() * interval '1 day'", &["'00:00'", "'23:59:59.999999'"]),
    (
        "span",
        "interval",
        "(random() - 0.5) * interval '100 years'",
        &["'178000000 years'", "'-1 mon 3 days 00:00:01'"],
    ),
    (
        "many",
        "numeric",
        "random()::numeric * 10::numeric ^ (random() * 60)::int",
        &["'NaN'", "'Infinity'", "1e100"],
    ),
    (
        "zoned",
        "timetz",
        "(TIME '00:00' + random() * interval '1 day')::text || '+02' ",
        &["'24:00:00-15:59'"],
    ),
    ("host", "inet", "('10.0.' || (random() * 255)::int || '.1')::inet", &["'::1/64'", "'10.1.2.3/8'"]),
    (
        "span_of",
        "int4range",
        "int4range((random() * 9)::int, 10 + (random() * 9)::int)",
        &["'empty'", "'(,)'"],
    ),
    ("bits", "bit(5)", "(random() * 31)::int::bit(5)", &["B'10101'"]),
    ("ints", "integer[]", "ARRAY[(random() * 1000)::int, NULL]", &["'{}'", "'{1,NULL,-2147483648}'"]),
    ("texts", "text[]", "ARRAY[md5(random()::text), NULL, '']", &["'{}'", "'{\"a b\",\"\"}'"]),
    ("positive", "positive", "1 + (random() * 1000)::int", &["1", "2147483647"]),
];
/// Columns that are read as the text that the server prints.
const AS_TEXT: [&str; 6] = ["span", "many", "zoned", "host", "span_of", "bits"];
const ROWS: u64 = 2000;

fn create(db: &Database, table: &str) {
    let columns: Vec<String> = COLUMNS.iter().map(|(name, sql, ..)| format!("{name} {sql}")).collect();
    db.sql(&format!("CREATE TABLE {table} (id bigint PRIMARY KEY, {})", columns.join(", ")));
}

fn fill(db: &Database, seed: f64) {
    let some = COLUMNS
        .map(|(_, sql, value, _)| format!("CASE WHEN random() < 0.15 THEN NULL ELSE ({value})::{sql} END"));
    db.sql(&format!(
        "SELECT setseed({seed}); INSERT INTO a SELECT g, {} FROM generate_series(1, {ROWS}) g",
        some.join(", ")
    ));
    for (n, (name, _, _, extremes)) in COLUMNS.iter().enumerate() {
        for (m, value) in extremes.iter().enumerate() {
            db.sql(&format!("INSERT INTO a (id, {name}) VALUES ({}, {value})", -(1 + (n * 10 + m) as i64)));
        }
    }
}

/// Rows of one table that the other does not have, as the server compares their texts; JSON has no equality.
fn assert_equal(db: &Database, context: &str) {
    let columns: Vec<String> = COLUMNS.iter().map(|(name, ..)| format!("{name}::text")).collect();
    let columns = columns.join(", ");
    for (one, other) in [("a", "b"), ("b", "a")] {
        let sql = format!(
            "SET TimeZone = 'UTC'; SET extra_float_digits = 3; SELECT count(*) FROM
             (SELECT id, {columns} FROM {one} EXCEPT ALL SELECT id, {columns} FROM {other}) AS different"
        );
        assert_eq!(db.sql(&sql), "0", "rows of {one} that are not in {other}; {context}");
    }
    let extremes: usize = COLUMNS.iter().map(|(.., extremes)| extremes.len()).sum();
    assert_eq!(db.sql("SELECT count(*) FROM b"), (ROWS + extremes as u64).to_string());
}

#[test]
fn a_random_table_of_all_types_goes_to_parquet_and_back_and_is_equal() {
    for round in 0..3 {
        let db = Server::shared();
        db.sql(
            "CREATE TYPE mood AS ENUM ('Sad', 'Happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        );
        create(&db, "a");
        create(&db, "b");
        let seed = f64::from(std::process::id() % 997 + round) / 1000.0;
        fill(&db, seed);
        let place = tempfile::tempdir().unwrap();
        let lake = place.path().join("lake").display().to_string();
        let cx = Context::local(2);
        let mut read = cx.postgres(&db.url()).table("a").splits(5);
        for column in AS_TEXT {
            read = read.text_for(column);
        }
        cx.copy(read.scan()).write().parquet(&lake).unwrap();
        let files = || cx.copy(cx.read().files_of_parquet(&lake));
        files().write_to(cx.postgres_table(&db.url(), "b").append()).unwrap();
        assert_equal(&db, &format!("setseed({seed})"));
        // Again, as changes of rows that are there.
        db.sql("UPDATE b SET (small, text, raw) = (1, 'changed', NULL); DELETE FROM b WHERE id % 3 = 0");
        files().write_to(cx.postgres_table(&db.url(), "b").upsert_by(["id"])).unwrap();
        assert_equal(&db, &format!("upsert, setseed({seed})"));
    }
}

#[test]
fn a_created_table_has_the_values_of_every_type() {
    let db = Server::shared();
    db.sql("CREATE TABLE a AS SELECT g::bigint AS id, g % 2 = 0 AS flag, g::smallint AS small, g::real AS single, g::float8 AS double,
        (g / 7.0)::numeric(20,6) AS price, 'é' || g AS text, decode('00ff', 'hex') AS raw, DATE '2026-11-20' + g AS day,
        TIMESTAMP '2026-11-20 01:02:03.000004' AS at, TIMESTAMPTZ '2026-11-20 01:02:03.000004+02' AS instant,
        TIME '01:02:03.000004' AS clock, ARRAY[g, NULL] AS ints, ARRAY['x', NULL] AS texts FROM generate_series(1, 500) g");
    let cx = Context::local(2);
    let rows = cx.copy(cx.postgres(&db.url()).table("a").splits(3).scan());
    rows.write_to(cx.postgres_table(&db.url(), "b").create().mode(Mode::Error)).unwrap();
    for (one, other) in [("a", "b"), ("b", "a")] {
        assert_eq!(
            db.sql(&format!("SELECT count(*) FROM (TABLE {one} EXCEPT ALL TABLE {other}) AS different")),
            "0"
        );
    }
    let types = |table: &str| {
        db.sql(&format!(
            "SELECT string_agg(format_type(atttypid, atttypmod), ',' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"
        ))
    };
    assert_eq!(types("a"), types("b"));
}
