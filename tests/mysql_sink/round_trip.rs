//! MariaDB to Parquet and back: random tables of all types, nulls and extremes are equal to what they were.

use kiln::Context;
use kiln_connectors::mysql::{ReadMysql, WriteMysql};

use crate::server::{Database, Server};

/// A column: its name, its type, random values for it, and extremes.
const COLUMNS: [(&str, &str, &str, &[&str]); 29] = [
    ("tiny", "tinyint", "FLOOR(RAND() * 256) - 128", &["127", "-128"]),
    ("utiny", "tinyint unsigned", "FLOOR(RAND() * 256)", &["255", "0"]),
    ("small", "smallint", "FLOOR(RAND() * 65536) - 32768", &["32767", "-32768"]),
    ("umedium", "mediumint unsigned", "FLOOR(RAND() * 16777216)", &["16777215"]),
    ("middle", "int", "FLOOR(RAND() * 4294967296) - 2147483648", &["2147483647", "-2147483648"]),
    ("umiddle", "int unsigned", "FLOOR(RAND() * 4294967296)", &["4294967295"]),
    (
        "large",
        "bigint",
        "CAST(FLOOR((RAND() - 0.5) * 1.8e19) AS SIGNED)",
        &["9223372036854775807", "-9223372036854775808"],
    ),
    (
        "ularge",
        "bigint unsigned",
        "CAST(CONV(HEX(RANDOM_BYTES(8)), 16, 10) AS UNSIGNED)",
        &["18446744073709551615", "0"],
    ),
    (
        "single",
        "float",
        "RAND() * POW(10, (RAND() - 0.5) * 60)",
        &["3.4028234e38", "-1.1754944e-38", "0.1", "-0"],
    ),
    (
        "dbl",
        "double",
        "RAND() * POW(10, (RAND() - 0.5) * 600)",
        &["1.7976931348623157e308", "2.2250738585072014e-308"],
    ),
    (
        "price",
        "decimal(12,2)",
        "(RAND() - 0.5) * POW(10, RAND() * 10)",
        &["9999999999.99", "-9999999999.99", "0"],
    ),
    (
        "exact",
        "decimal(38,10)",
        "CAST((RAND() - 0.5) AS DECIMAL(38,20)) * CAST(POW(10, FLOOR(RAND() * 28)) AS DECIMAL(38,0))",
        &["9999999999999999999999999999.9999999999", "-0.0000000001"],
    ),
    ("many", "decimal(65,30)", "CAST(RAND() AS DECIMAL(65,30)) * 1000", &["1e34", "-1e-30"]),
    ("flag", "tinyint(1)", "RAND() < 0.5", &["1", "0"]),
    ("one", "bit(1)", "RAND() < 0.5", &["1", "0"]),
    ("bits", "bit(64)", "CAST(CONV(HEX(RANDOM_BYTES(8)), 16, 10) AS UNSIGNED)", &["18446744073709551615"]),
    (
        "txt",
        "longtext",
        "REPEAT(CHAR(FLOOR(RAND() * 1000) + 0x4e00 USING ucs2), FLOOR(RAND() * 40))",
        &["''", "'é😀'", "'a\\\\b\\'c\\0d '"],
    ),
    ("latin", "varchar(40) character set latin1", "CONVERT(UNHEX('E9E8C4') USING latin1)", &["''", "'é '"]),
    ("padded", "char(6)", "LEFT(MD5(RAND()), FLOOR(RAND() * 6))", &["''", "'abcdef'"]),
    ("doc", "json", "JSON_OBJECT('k', RAND(), 'é', NULL)", &["'{\"a\":  [1, null]}'", "'null'"]),
    ("mark", "enum('Sad','Happy')", "ELT(1 + FLOOR(RAND() * 2), 'Sad', 'Happy')", &["'Sad'"]),
    ("tags", "set('a','b','c')", "FLOOR(RAND() * 8)", &["''", "'a,c'"]),
    ("mac", "inet6", "INET6_NTOA(RANDOM_BYTES(16))", &["'::'", "'ffff::1'"]),
    ("raw", "longblob", "RANDOM_BYTES(1 + FLOOR(RAND() * 100))", &["''", "x'00FF0A27'"]),
    ("fixed", "binary(4)", "RANDOM_BYTES(4)", &["x'01'"]),
    (
        "day",
        "date",
        "DATE('0001-01-01') + INTERVAL FLOOR(RAND() * 3652058) DAY",
        &["'0000-01-01'", "'9999-12-31'"],
    ),
    (
        "at",
        "datetime(6)",
        "TIMESTAMP('0001-01-01') + INTERVAL FLOOR(RAND() * 315537897599) SECOND + INTERVAL FLOOR(RAND() * 999999) MICROSECOND",
        &["'9999-12-31 23:59:59.999999'", "'0001-01-01'"],
    ),
    (
        "instant",
        "timestamp(6) NULL",
        "TIMESTAMP('1970-01-02') + INTERVAL FLOOR(RAND() * 2147300000) SECOND + INTERVAL FLOOR(RAND() * 999999) MICROSECOND",
        &["'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01'"],
    ),
    ("clock", "time(6)", "SEC_TO_TIME(RAND() * 86399)", &["'00:00'", "'23:59:59.999999'"]),
];
/// Read and written as text.
const AS_TEXT: [&str; 1] = ["many"];

fn columns() -> String {
    COLUMNS.iter().map(|(name, data_type, ..)| format!("{name} {data_type}")).collect::<Vec<_>>().join(", ")
}

/// A table `a` with random rows and the extremes of every column.
fn fill(db: &Database, seed: u32) {
    let random: Vec<String> =
        COLUMNS.iter().map(|(_, _, value, _)| format!("IF(RAND() < 0.15, NULL, {value})")).collect();
    db.sql(&format!(
        "SET time_zone = '+00:00', rand_seed1 = {seed}, rand_seed2 = {seed}, sql_mode = '';
         CREATE TABLE a (id bigint PRIMARY KEY, {0}); CREATE TABLE b (id bigint PRIMARY KEY, {0});
         INSERT INTO a SELECT seq, {1} FROM seq_1_to_500; INSERT INTO a (id) VALUES (0)",
        columns(),
        random.join(", ")
    ));
    for (at, (name, _, _, extremes)) in COLUMNS.iter().enumerate() {
        for (n, extreme) in extremes.iter().enumerate() {
            let id = 10_000 + at * 100 + n;
            db.sql(&format!("SET time_zone = '+00:00'; INSERT INTO a (id, {name}) VALUES ({id}, {extreme})"));
        }
    }
}

#[test]
fn tables_are_equal_after_parquet_and_back() {
    for seed in [1, std::process::id() % 997] {
        let db = Server::shared();
        fill(&db, seed);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows").display().to_string();
        let cx = Context::local(2);
        let mut read = cx.mysql(&db.url()).table("a");
        for column in AS_TEXT {
            read = read.text_for(column);
        }
        cx.copy(read.scan()).write().parquet(&path).unwrap();
        let table = cx.mysql_table(&db.url(), "b").append();
        let rows = cx.copy(cx.read().files_of_parquet(&path));
        rows.write_to(table).unwrap();
        let names: Vec<&str> = COLUMNS.iter().map(|(name, ..)| *name).collect();
        for name in names {
            let differ = db.sql(&format!(
                "SELECT COUNT(*) FROM a JOIN b USING (id) WHERE NOT (HEX(a.{name}) <=> HEX(b.{name}))"
            ));
            assert_eq!(differ, "0", "{name}, seed {seed}");
        }
        assert_eq!(db.sql("SELECT COUNT(*) FROM b"), db.sql("SELECT COUNT(*) FROM a"));
    }
}
