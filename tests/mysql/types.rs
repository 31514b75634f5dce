//! Values of all types, nulls and extremes, against what the server's own client prints for them.

use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use kiln::{Bytes, Class, Context, Decimal};
use kiln_connectors::mysql::ReadMysql;

use crate::server::{Database, Server};

#[derive(kiln::Row, Clone, Copy, Debug, PartialEq)]
enum Mood {
    Sad,
    Happy,
}

#[derive(kiln::Row, Clone, Debug)]
struct Everything {
    id: i64,
    tiny: Option<i8>,
    utiny: Option<u8>,
    small: Option<i16>,
    usmall: Option<u16>,
    medium: Option<i32>,
    umedium: Option<u32>,
    middle: Option<i32>,
    umiddle: Option<u32>,
    large: Option<i64>,
    ularge: Option<u64>,
    single: Option<f32>,
    double: Option<f64>,
    price: Option<Decimal<12, 2>>,
    exact: Option<Decimal<38, 10>>,
    positive: Option<Decimal<5, 0>>,
    many: Option<String>,
    flag: Option<bool>,
    one: Option<bool>,
    bits: Option<u64>,
    text: Option<String>,
    latin: Option<String>,
    padded: Option<String>,
    doc: Option<String>,
    mark: Option<Mood>,
    tags: Option<String>,
    mac: Option<String>,
    key: Option<String>,
    raw: Option<Bytes>,
    fixed: Option<Bytes>,
    day: Option<NaiveDate>,
    at: Option<NaiveDateTime>,
    instant: Option<DateTime<Utc>>,
    clock: Option<String>,
    year: Option<i16>,
    place: Option<String>,
}

const COLUMNS: &str = "id bigint, tiny tinyint, utiny tinyint unsigned, small smallint, usmall smallint unsigned,
    medium mediumint, umedium mediumint unsigned, middle int, umiddle int unsigned, large bigint, ularge bigint unsigned,
    single float, `double` double, price decimal(12,2), exact decimal(38,10), positive decimal(5,0) unsigned,
    many decimal(65,30), flag tinyint(1), one bit(1), bits bit(64), text longtext, latin varchar(40) character set latin1,
    padded char(6), doc json, mark enum('Sad','Happy'), tags set('a','b','c'), mac inet6, `key` uuid, raw longblob,
    fixed binary(4), day date, at datetime(6), instant timestamp(6) null, clock time(6), year year, place point";

/// Each column as text that the test can make, too.
const PRINTED: &str = "id, tiny, utiny, small, usmall, medium, umedium, middle, umiddle, large, ularge, single + 0e0, `double`,
    price, exact, positive, many, flag, one + 0, bits + 0, HEX(text), HEX(CONVERT(latin USING utf8mb4)), padded, doc, mark,
    tags, mac, `key`, HEX(raw), HEX(fixed), day, at, instant, clock, year + 0, ST_AsText(place)";

fn create(db: &Database) {
    db.sql(&format!("CREATE TABLE everything ({COLUMNS})"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn shown<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map_or("NULL".to_owned(), T::to_string)
}

fn with<T>(value: &Option<T>, text: impl Fn(&T) -> String) -> String {
    shown(&value.as_ref().map(text))
}

impl Everything {
    /// As [`PRINTED`] has it; floats are compared as numbers.
    fn printed(&self) -> Vec<String> {
        let time = "%Y-%m-%d %H:%M:%S%.6f";
        vec![
            self.id.to_string(),
            shown(&self.tiny),
            shown(&self.utiny),
            shown(&self.small),
            shown(&self.usmall),
            shown(&self.medium),
            shown(&self.umedium),
            shown(&self.middle),
            shown(&self.umiddle),
            shown(&self.large),
            shown(&self.ularge),
            with(&self.single, |single| f64::from(*single).to_string()),
            shown(&self.double),
            shown(&self.price),
            shown(&self.exact),
            shown(&self.positive),
            shown(&self.many),
            shown(&self.flag.map(u8::from)),
            shown(&self.one.map(u8::from)),
            shown(&self.bits),
            with(&self.text, |text| hex(text.as_bytes())),
            with(&self.latin, |text| hex(text.as_bytes())),
            shown(&self.padded),
            shown(&self.doc),
            with(&self.mark, |mark| format!("{mark:?}")),
            shown(&self.tags),
            shown(&self.mac),
            shown(&self.key),
            with(&self.raw, |raw| hex(raw)),
            with(&self.fixed, |raw| hex(raw)),
            with(&self.day, |day| day.format("%Y-%m-%d").to_string()),
            with(&self.at, |at| at.format(time).to_string()),
            with(&self.instant, |at| at.format(time).to_string()),
            shown(&self.clock),
            shown(&self.year),
            shown(&self.place),
        ]
    }
}

/// Compares the table as Kiln reads it with what the client prints.
fn assert_equal(db: &Database, splits: usize, context: &str) -> usize {
    let cx = Context::local(2);
    let mut read = cx.mysql(&db.url()).table("everything").split_by("id").splits(splits);
    for column in ["many", "clock", "place"] {
        read = read.text_for(column);
    }
    let mut rows = read.read::<Everything>().collect().unwrap();
    rows.sort_by_key(|row| row.id);
    let printed = db.sql(&format!("SET time_zone = '+00:00'; SELECT {PRINTED} FROM everything ORDER BY id"));
    assert_eq!(rows.len(), printed.lines().count());
    for (row, line) in rows.iter().zip(printed.lines()) {
        let expected: Vec<&str> = line.split('\t').collect();
        let found = row.printed();
        assert_eq!(found.len(), expected.len());
        for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
            let number = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
            let is_same = found == expected || (matches!(n, 11 | 12) && number(found) == number(expected));
            assert!(is_same, "row {}, column {n}: {found:?} is not {expected:?}; {context}", row.id);
        }
    }
    rows.len()
}

#[test]
fn nulls_and_extremes_are_read_as_the_client_prints_them() {
    let db = Server::shared();
    create(&db);
    let nines = "9".repeat(28) + ".9999999999";
    db.sql(&format!(
        "SET time_zone = '+00:00';
         INSERT INTO everything (id) VALUES (0);
         INSERT INTO everything VALUES
         (1, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615,
          3.4028234e38, 1.7976931348623157e308, 9999999999.99, {nines}, 99999, 1e34, 1, b'1', 18446744073709551615,
          'é😀', 'é', 'ab ', '{{\"a\":  1}}', 'Happy', 'a,c', 'ffff::1', 'FFFFFFFF-0000-4000-8000-0123456789AB', x'00ff0a',
          x'01', '9999-12-31', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '838:59:59.999999', 2155, POINT(1, 2)),
         (2, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, -3.4028234e38, -1.7976931348623157e308,
          -9999999999.99, -{nines}, 0, -1e-30, 0, b'0', 0, '', '', '', 'null', 'Sad', '', '::',
          '00000000-0000-0000-0000-000000000000', '', '', '0000-01-01', '0001-01-01 00:00:00', '1970-01-01 00:00:01',
          '-838:59:59', 1901, POINT(-1.5, 0)),
         (3, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0.1, 2.2250738585072014e-308, 0.01, 0.0000000001, 1, 0.1, 1, b'1', 9223372036854775808,
          'x', 'x', 'abcdef', '1', 'Sad', 'b', '1::', uuid(), 'x', 'abcd', '1582-10-10', '1883-11-18 12:00:00.000001',
          '2026-11-28 12:00:00', '00:00:00', 0, NULL)"
    ));
    assert_eq!(assert_equal(&db, 1, ""), 4);
    assert_eq!(assert_equal(&db, 3, ""), 4);
}

#[test]
fn random_tables_are_read_as_the_client_prints_them() {
    for round in 0..3 {
        let db = Server::shared();
        create(&db);
        let seed = std::process::id() % 997 + round;
        let some = |value: &str| format!("IF(RAND() < 0.15, NULL, {value})");
        let values = [
            "FLOOR(RAND() * 256) - 128",
            "FLOOR(RAND() * 256)",
            "FLOOR(RAND() * 65536) - 32768",
            "FLOOR(RAND() * 65536)",
            "FLOOR(RAND() * 16777216) - 8388608",
            "FLOOR(RAND() * 16777216)",
            "FLOOR(RAND() * 4294967296) - 2147483648",
            "FLOOR(RAND() * 4294967296)",
            "CAST(FLOOR((RAND() - 0.5) * 1.8e19) AS SIGNED)",
            "CAST(CONV(HEX(RANDOM_BYTES(8)), 16, 10) AS UNSIGNED)",
            "RAND() * POW(10, (RAND() - 0.5) * 60)",
            "RAND() * POW(10, (RAND() - 0.5) * 600)",
            "(RAND() - 0.5) * POW(10, RAND() * 10)",
            "CAST((RAND() - 0.5) AS DECIMAL(38,20)) * CAST(POW(10, FLOOR(RAND() * 28)) AS DECIMAL(38,0))",
            "FLOOR(RAND() * 99999)",
            "CAST(RAND() AS DECIMAL(65,30)) * CAST(POW(10, FLOOR(RAND() * 30)) AS DECIMAL(35,0))",
            "RAND() < 0.5",
            "RAND() < 0.5",
            "CAST(CONV(HEX(RANDOM_BYTES(8)), 16, 10) AS UNSIGNED)",
            "REPEAT(CHAR(FLOOR(RAND() * 1000) + 0x4e00 USING ucs2), FLOOR(RAND() * 40))",
            "LEFT(CONVERT(UNHEX('E9E8C4D6DFFC41') USING latin1), FLOOR(RAND() * 7))",
            "LEFT(MD5(RAND()), FLOOR(RAND() * 6))",
            "JSON_OBJECT('k', RAND(), 'é', NULL)",
            "ELT(1 + FLOOR(RAND() * 2), 'Sad', 'Happy')",
            "FLOOR(RAND() * 8)",
            "INET6_NTOA(RANDOM_BYTES(16))",
            "UUID()",
            "RANDOM_BYTES(1 + FLOOR(RAND() * 100))",
            "RANDOM_BYTES(4)",
            "DATE('0001-01-01') + INTERVAL FLOOR(RAND() * 3652058) DAY",
            "TIMESTAMP('0001-01-01') + INTERVAL FLOOR(RAND() * 315537897599) SECOND + INTERVAL FLOOR(RAND() * 999999) MICROSECOND",
            "TIMESTAMP('1970-01-02') + INTERVAL FLOOR(RAND() * 2147300000) SECOND + INTERVAL FLOOR(RAND() * 999999) MICROSECOND",
            "SEC_TO_TIME((RAND() - 0.5) * 6000000)",
            "FLOOR(1901 + RAND() * 254)",
            "POINT(FLOOR(RAND() * 1000), 0.5)",
        ];
        let values = values.map(some).join(", ");
        db.sql(&format!(
            "SET time_zone = '+00:00', rand_seed1 = {seed}, rand_seed2 = {seed}, sql_mode = '';
             INSERT INTO everything SELECT seq, {values} FROM seq_1_to_2000"
        ));
        assert_eq!(assert_equal(&db, 5, &format!("seed {seed}")), 2000);
    }
}

#[test]
fn a_query_is_read_with_the_types_of_its_result() {
    let db = Server::shared();
    let cx = Context::local(1);
    let query = "SELECT 1 AS a, 'x' AS b, CAST(1.25 AS DECIMAL(4,2)) AS c, NULL AS d -- a remark";
    let rows = cx.mysql(&db.url()).query(query).read::<(i64, String, Decimal<4, 2>, Option<String>)>();
    assert_eq!(rows.collect().unwrap(), [(1, "x".to_owned(), Decimal::from_units(125).unwrap(), None)]);
    let words = cx.mysql(&db.url()).query("SELECT CONCAT(seq, 'é') AS w FROM seq_1_to_3;");
    assert_eq!(words.read::<String>().collect().unwrap(), ["1é", "2é", "3é"]);
}

#[test]
fn settings_of_the_server_do_not_change_what_is_read() {
    let server = Server::start_with(
        "default-time-zone=+09:00\nsql_mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH\n\
         init_connect='SET sql_select_limit=2, NAMES latin1'\ncharacter-set-server=latin1",
    );
    let db = server.database();
    db.sql(
        "CREATE TABLE t (id int, at timestamp NULL, f float, c char(5) character set utf8mb4, n varchar(5) character set utf8mb4);
         SET time_zone = '+00:00'; INSERT INTO t SELECT seq, '2026-01-02 03:04:05', 0.1, 'ab', 'é' FROM seq_1_to_5",
    );
    db.sql(&format!("CREATE USER plain IDENTIFIED BY 'p'; GRANT SELECT ON {}.* TO plain", db.name()));
    let cx = Context::local(1);
    let read = cx.mysql(&db.tcp_url("plain:p")).table("t").text_for("at").text_for("f");
    let rows = read.read::<(i64, String, String, String, String)>().collect().unwrap();
    assert_eq!(rows.len(), 5, "no limit cuts what is read");
    let texts = ["2026-01-02 03:04:05", "0.10000000149011612", "ab", "é"].map(str::to_owned);
    let [at, f, c, n] = texts;
    assert_eq!(rows[0], (1, at, f, c, n));
}

#[test]
fn a_value_that_no_column_holds_has_its_place_and_a_way_out() {
    let db = Server::shared();
    db.sql(
        "SET sql_mode = ''; CREATE TABLE t (id int primary key, day date, part date, clock time, flag tinyint(1));
         INSERT INTO t VALUES (1, '2026-01-01', '2026-01-01', '10:00', 1), (2, '0000-00-00', '2026-00-10', '24:00', 2)",
    );
    let cx = Context::local(1);
    for (column, says, text) in [
        ("day", "does not exist", "0000-00-00"),
        ("part", "does not exist", "2026-00-10"),
        ("clock", "beyond a day", "24:00:00"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let copy = cx.copy(cx.mysql(&db.url()).table("t").columns([column]).scan());
        let error = copy.write().parquet(out.to_str().unwrap()).unwrap_err();
        assert_eq!(error.class(), Class::Data, "{error}");
        let place = format!("row 2, column {column}");
        assert!(error.to_string().contains(says) && error.to_string().contains(&place), "{error}");
        let read = cx.mysql(&db.url()).table("t").columns([column]).text_for(column).read::<String>();
        assert_eq!(read.collect().unwrap()[1], text);
    }
    let error = cx.mysql(&db.url()).table("t").columns(["flag"]).read::<bool>().collect().unwrap_err();
    assert!(error.class() == Class::Data && error.to_string().contains("no boolean"), "{error}");
    assert_eq!(cx.mysql(&db.url()).table("t").columns(["flag"]).read::<i8>().collect().unwrap(), [1, 2]);
    let nulls = cx.mysql(&db.url()).table("t").columns(["day"]).zero_dates_as_null();
    assert_eq!(nulls.read::<Option<NaiveDate>>().collect().unwrap()[1], None);
    let part = cx.mysql(&db.url()).table("t").columns(["part"]).zero_dates_as_null();
    assert!(part.read::<Option<NaiveDate>>().collect().is_err(), "a part of a date is not nothing");
}

#[test]
fn what_a_row_cannot_hold_is_still_given_to_copies() {
    use kiln::connect::Scan;
    let db = Server::shared();
    db.sql("CREATE TABLE t (clock time(6), flag tinyint(1), at timestamp NULL, one bit, bits bit(9), big bigint unsigned)");
    let cx = Context::local(1);
    let plan = cx.mysql(&db.url()).table("t").bool_for("flag").scan().plan(None).unwrap();
    let types: Vec<String> = plan.schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Time64(µs)", "Boolean", "Timestamp(µs, \"UTC\")", "Boolean", "UInt64", "UInt64"]);
    let plan = cx.mysql(&db.url()).table("t").scan().plan(None).unwrap();
    assert_eq!(plan.schema.field(1).data_type().to_string(), "Int8", "a number unless somebody asks");
}

#[test]
fn a_type_that_no_column_holds_is_refused_with_the_ways_out() {
    let db = Server::shared();
    db.sql("CREATE TABLE t (g geometry, d decimal(39, 0))");
    let cx = Context::local(1);
    for (column, says) in [("g", "a geometry"), ("d", "39 digits")] {
        let copy = cx.copy(cx.mysql(&db.url()).table("t").columns([column]).scan());
        let error = copy.schema().unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (Class::Config, "unsupported_type"), "{error}");
        let way = format!(".text_for(\"{column}\")");
        assert!(error.to_string().contains(says) && error.to_string().contains(&way), "{error}");
    }
}
