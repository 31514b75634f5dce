//! Values of all types, nulls and extremes, against what `psql` prints for them.

use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use kiln::{Bytes, Context, Decimal};
use kiln_connectors::postgres::ReadPostgres;

use crate::server::{Database, Server};

#[derive(kiln::Row, Clone, Copy, Debug, PartialEq)]
enum Mood {
    Sad,
    Happy,
}

#[derive(kiln::Row, Clone, Debug)]
struct Everything {
    id: i64,
    flag: Option<bool>,
    small: Option<i16>,
    middle: Option<i32>,
    large: Option<i64>,
    single: Option<f32>,
    double: Option<f64>,
    price: Option<Decimal<12, 2>>,
    exact: Option<Decimal<38, 10>>,
    tiny: Option<Decimal<5, 5>>,
    text: Option<String>,
    padded: Option<String>,
    doc: Option<String>,
    docb: Option<String>,
    mark: Option<Mood>,
    key: Option<String>,
    raw: Option<Bytes>,
    day: Option<NaiveDate>,
    at: Option<NaiveDateTime>,
    instant: Option<DateTime<Utc>>,
    span: Option<String>,
    clock: Option<String>,
    many: Option<String>,
    number: Option<u32>,
    ints: Option<Vec<Option<i32>>>,
    texts: Option<Vec<Option<String>>>,
    prices: Option<Vec<Option<Decimal<12, 2>>>>,
    positive: Option<i32>,
}

const COLUMNS: &str = "id bigint, flag boolean, small smallint, middle integer, large bigint, single real,
    double double precision, price numeric(12,2), exact numeric(38,10), tiny numeric(3,5), text varchar, padded char(6),
    doc json, docb jsonb, mark mood, key uuid, raw bytea, day date, at timestamp, instant timestamptz, span interval,
    clock time, many numeric, number oid, ints integer[], texts text[], prices numeric(12,2)[], positive positive";

/// Each column as text that the test can make, too.
const PRINTED: &str = "id, flag::int, small, middle, large, single, double, price, exact, tiny, encode(text::bytea, 'hex'),
    padded, doc, docb, mark, key, encode(raw, 'hex'), day, to_char(at, 'YYYY-MM-DD HH24:MI:SS.US'),
    to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), span, clock, many, number, array_to_string(ints, ',', 'N'),
    array_to_string(texts, ',', 'N'), array_to_string(prices, ',', 'N'), positive";

fn create(db: &Database) {
    db.sql(&format!(
        "CREATE TYPE mood AS ENUM ('Sad', 'Happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
         CREATE TABLE everything ({COLUMNS})"
    ));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}

fn listed<T: ToString>(list: &Option<Vec<Option<T>>>) -> String {
    let item = |item: &Option<T>| item.as_ref().map_or("N".to_owned(), T::to_string);
    list.as_ref().map(|list| list.iter().map(item).collect::<Vec<_>>().join(",")).unwrap_or_default()
}

impl Everything {
    /// As [`PRINTED`] has it; floats are compared as numbers.
    fn printed(&self) -> Vec<String> {
        let time = "%Y-%m-%d %H:%M:%S%.6f";
        vec![
            self.id.to_string(),
            self.flag.map(|flag| u8::from(flag).to_string()).unwrap_or_default(),
            shown(&self.small),
            shown(&self.middle),
            shown(&self.large),
            shown(&self.single),
            shown(&self.double),
            shown(&self.price),
            shown(&self.exact),
            shown(&self.tiny),
            self.text.as_ref().map(|text| hex(text.as_bytes())).unwrap_or_default(),
            shown(&self.padded),
            shown(&self.doc),
            shown(&self.docb),
            self.mark.map(|mark| format!("{mark:?}")).unwrap_or_default(),
            shown(&self.key),
            self.raw.as_ref().map(|raw| hex(raw)).unwrap_or_default(),
            self.day.map(|day| day.format("%Y-%m-%d").to_string()).unwrap_or_default(),
            self.at.map(|at| at.format(time).to_string()).unwrap_or_default(),
            self.instant.map(|at| at.format(time).to_string()).unwrap_or_default(),
            shown(&self.span),
            shown(&self.clock),
            shown(&self.many),
            shown(&self.number),
            listed(&self.ints),
            listed(&self.texts),
            listed(&self.prices),
            shown(&self.positive),
        ]
    }
}

/// Compares the table as Kiln reads it with what `psql` prints.
fn assert_equal(db: &Database, splits: usize, context: &str) -> usize {
    let cx = Context::local(2);
    let mut read = cx.postgres(&db.url()).table("everything").splits(splits);
    for column in ["span", "clock", "many"] {
        read = read.text_for(column);
    }
    let mut rows = read.read::<Everything>().collect().unwrap();
    rows.sort_by_key(|row| row.id);
    let printed = db.sql(&format!("SET TimeZone = 'UTC'; SELECT {PRINTED} FROM everything ORDER BY id"));
    assert_eq!(rows.len(), printed.lines().count());
    for (row, line) in rows.iter().zip(printed.lines()) {
        let expected: Vec<&str> = line.split('|').collect();
        let found = row.printed();
        assert_eq!(found.len(), expected.len());
        for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
            // The shortest text of a float differs in its form, not in its value.
            let is_same = match n {
                5 => {
                    found.parse::<f32>().ok().map(f32::to_bits)
                        == expected.parse::<f32>().ok().map(f32::to_bits)
                }
                6 => {
                    found.parse::<f64>().ok().map(f64::to_bits)
                        == expected.parse::<f64>().ok().map(f64::to_bits)
                }
                _ => found == expected,
            };
            assert!(is_same, "row {}, column {n}: {found:?} is not {expected:?}; {context}", row.id);
        }
    }
    rows.len()
}

#[test]
fn nulls_and_extremes_are_read_as_psql_prints_them() {
    let db = Server::shared();
    create(&db);
    let nines = "9".repeat(28) + ".9999999999";
    db.sql(&format!(
        "INSERT INTO everything (id) VALUES (0);
         INSERT INTO everything VALUES
         (1, true, 32767, 2147483647, 9223372036854775807, '3.4028235e38', '1.7976931348623157e308', 9999999999.99, {nines},
          0.00999, 'é😀', 'ab', '{{\"a\": [1, null]}}', '{{\"a\":  1}}', 'Happy', 'FFFFFFFF-0000-4000-8000-0123456789AB',
          '\\x00ff7c0a', '9999-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', '-1 mon 3 days 00:00:01',
          '23:59:59.999999', 1e100, 4294967295, '{{1,NULL,-2147483648}}', '{{\"a b\",NULL,\"\"}}', '{{1.50,NULL}}', 1),
         (2, false, -32768, -2147483648, -9223372036854775808, '-1e-45', '5e-324', -9999999999.99, -{nines}, -0.00999, '', '',
          'null', '[]', 'Sad', '00000000-0000-0000-0000-000000000000', '', '0001-01-01', '0001-01-01 00:00:00',
          '0001-01-01 00:00:00+00', '178000000 years', '00:00:00', 'NaN', 0, '{{}}', '{{}}', '{{}}', 2147483647),
         (3, NULL, 0, 0, 0, 'NaN', 'NaN', 0, 0, 0, 'x', 'abcdef', '1', '1', NULL, NULL, NULL, '1970-01-01',
          '2000-01-01', '1999-12-31 23:59:59.999999+00', '0', '12:00', 'Infinity', NULL, NULL, NULL, NULL, NULL),
         (4, NULL, 0, 0, 0, '-Infinity', '-0', 0.01, 0.0000000001, 0.00001, 'x', 'x', '1', '1', NULL, NULL, NULL, '1582-10-10',
          '1883-11-18 12:00:00.000001', '1969-12-31 23:59:59.999999+00', '1 us', '12:00', 0.1, NULL, NULL, NULL, NULL, NULL)"
    ));
    assert_eq!(assert_equal(&db, 1, ""), 5);
}

#[test]
fn random_tables_are_read_as_psql_prints_them() {
    for round in 0..3 {
        let db = Server::shared();
        create(&db);
        let seed = f64::from(std::process::id() % 997 + round) / 1000.0;
        let some = |value: &str| format!("CASE WHEN random() < 0.15 THEN NULL ELSE {value} END");
        let values = [
            "random() < 0.5",
            "((random() - 0.5) * 65535)::smallint",
            "((random() - 0.5) * 4e9)::integer",
            "((random() - 0.5) * 1.8e19)::bigint",
            "(random() * 10 ^ ((random() - 0.5) * 60))::real",
            "(random() * 10 ^ ((random() - 0.5) * 600))::double precision",
            "((random() - 0.5) * 10 ^ (random() * 10))::numeric(12,2)",
            "((random() - 0.5)::numeric * 10::numeric ^ (random() * 28)::int)::numeric(38,10)",
            "((random() - 0.5) * 0.019)::numeric(3,5)",
            "repeat(chr((random() * 40000)::int + 100), (random() * 40)::int)",
            "left(md5(random()::text), (random() * 6)::int)",
            "json_build_object('k', random())",
            "jsonb_build_array(random(), NULL, 'é')",
            "(ARRAY['Sad', 'Happy'])[1 + (random() * 1)::int]::mood",
            "gen_random_uuid()",
            "decode(repeat(md5(random()::text), (random() * 9)::int), 'hex')",
            "DATE '0001-01-01' + (random() * 3652058)::int",
            "TIMESTAMP '0001-01-01' + random() * interval '9998 years'",
            "TIMESTAMPTZ '0001-01-01 00:00+00' + random() * interval '9998 years'",
            "(random() - 0.5) * interval '100 years'",
            "TIME '00:00' + random() * interval '1 day'",
            "random()::numeric * 10::numeric ^ (random() * 60)::int",
            "(random() * 4294967295)::bigint::oid",
            "ARRAY(SELECT CASE WHEN random() < 0.3 THEN NULL ELSE (random() * 1000)::int END FROM generate_series(1, (random() * 5 + g * 0)::int))",
            "ARRAY[md5(random()::text), NULL, '']",
            "ARRAY[(random() * 1000)::numeric(12,2)]",
            "1 + (random() * 1000)::int",
        ];
        let values = values.map(some).join(", ");
        db.sql(&format!("SELECT setseed({seed}); INSERT INTO everything SELECT g, {values} FROM generate_series(1, 2000) g"));
        assert_eq!(assert_equal(&db, 5, &format!("setseed({seed})")), 2000);
    }
}

#[test]
fn a_query_is_read_with_the_types_of_its_result() {
    let db = Server::shared();
    let cx = Context::local(1);
    let query = "SELECT 1::smallint AS a, 'x' AS b, 1.25::numeric(4,2) AS c, NULL::int AS d -- a remark";
    let rows = cx.postgres(&db.url()).query(query).read::<(i64, String, Decimal<12, 2>, Option<i32>)>();
    assert_eq!(rows.collect().unwrap(), [(1, "x".to_owned(), Decimal::from_units(125).unwrap(), None)]);
    let words = cx.postgres(&db.url()).query("SELECT g::text || 'é' AS w FROM generate_series(1, 3) g;");
    assert_eq!(words.read::<String>().collect().unwrap(), ["1é", "2é", "3é"]);
}

#[test]
fn settings_of_the_role_do_not_change_what_is_read() {
    let db = Server::shared();
    let database = db.sql("SELECT current_database()");
    db.sql(&format!(
        "ALTER DATABASE {database} SET DateStyle = 'SQL, DMY'; ALTER DATABASE {database} SET TimeZone = 'Asia/Tokyo';
         ALTER DATABASE {database} SET extra_float_digits = -10; ALTER DATABASE {database} SET IntervalStyle = 'iso_8601';
         CREATE TABLE t AS SELECT TIMESTAMPTZ '2026-01-02 03:04:05+00' AS at, 0.1::float8 + 0.2 AS f, interval '1 day' AS i"
    ));
    let cx = Context::local(1);
    let read = cx.postgres(&db.url()).table("t").text_for("at").text_for("f").text_for("i");
    let row = read.read::<(String, String, String)>().collect().unwrap().remove(0);
    assert_eq!(row, ("2026-01-02 03:04:05+00".into(), "0.30000000000000004".into(), "1 day".into()));
}

#[test]
fn what_a_row_cannot_hold_is_still_given_to_copies() {
    use kiln::connect::Scan;
    let db = Server::shared();
    db.sql("CREATE TABLE t (clock time, ints int[], at timestamptz, many numeric(38,10))");
    let cx = Context::local(1);
    let plan = cx.postgres(&db.url()).table("t").scan().plan(None).unwrap();
    let types: Vec<String> = plan.schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    let expected = ["Time64(µs)", "List(Int32)", "Timestamp(µs, \"UTC\")", "Decimal128(38, 10)"];
    assert_eq!(types.len(), expected.len());
    for (found, expected) in types.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}
