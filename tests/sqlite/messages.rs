//! Mistakes of a job: found before rows are read, with what to do.

use kiln::{Class, Context, Error, Row};
use kiln_connectors::Retry;
use kiln_connectors::sqlite::ReadSqlite;

use crate::Db;

fn error_of<T: Row>(db: &Db, table: &str) -> Error {
    Context::local(1).read_sqlite::<T>(&db.url(), table).count().unwrap_err()
}

#[derive(kiln::Row)]
struct Order {
    id: i64,
    customer: String,
}

#[derive(kiln::Row)]
struct Misspelt {
    id: i64,
    custmer: String,
}

#[derive(kiln::Row)]
struct Narrow {
    id: i16,
}

#[test]
fn a_wrong_column_is_refused_before_a_row_is_read() {
    // Whoever reads a row ends with an error.
    let db = Db::new(
        "CREATE TABLE t (id INTEGER, customer TEXT, price NUMERIC);
         INSERT INTO t VALUES ('no number', x'ff', 'no number')",
    );
    let error = error_of::<Order>(&db, "t");
    assert!(error.to_string().contains("is not an integer"), "the trap works: {error}");
    let error = error_of::<Misspelt>(&db, "t");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unknown_column"));
    assert!(error.to_string().contains("did you mean `customer`?"), "{error}");
    let error = error_of::<Narrow>(&db, "t");
    assert!(error.to_string().contains("the column `id` is Int64, expected Int16"), "{error}");
    let cx = Context::local(1);
    let error = cx.copy(cx.sqlite(db.path()).table("t").scan()).schema().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unsupported_type"));
    assert!(
        error.to_string().contains("`price` is NUMERIC")
            && error.to_string().contains(".text_for(\"price\")")
    );
}

#[test]
fn files_and_tables_that_are_not_there_are_named() {
    let db = Db::new("CREATE TABLE orders (id INTEGER, customer TEXT)");
    let error = error_of::<Order>(&db, "ordres");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unknown_table"));
    assert!(error.to_string().contains("did you mean `orders`?"), "{error}");
    let cx = Context::local(1);
    let error = cx.read_sqlite::<Order>("no/such.db", "t").count().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "no_such_file"), "{error}");
    assert!(!std::path::Path::new("no").exists(), "no file is made");
    std::fs::write(
        db.folder.path().join("other.db"),
        "this is no database at all, but it is long enough".repeat(30),
    )
    .unwrap();
    let other = db.folder.path().join("other.db");
    let error = cx.sqlite(&other).table("t").read::<Order>().count().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "not_a_database"), "{error}");
    for (read, says) in [
        (cx.sqlite(db.path()), "neither a table nor a query"),
        (cx.sqlite(db.path()).query("SELEC 1"), "syntax error"),
        (cx.sqlite(db.path()).table("orders").filter("no_column = 1"), "no_column"),
        (cx.sqlite(db.path()).table("orders").split_by("idd"), "did you mean `id`?"),
    ] {
        let error = read.read::<Order>().count().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn what_sqlite_finds_wrong_in_a_row_is_data() {
    let db = Db::new("CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1), (-9223372036854775808)");
    let cx = Context::local(1);
    let error = cx.sqlite(db.path()).table("t").filter("abs(id) > 0").read::<i64>().count().unwrap_err();
    assert_eq!(error.class(), Class::Data, "{error}");
}

#[test]
fn a_locked_file_is_asked_again_and_then_transient() {
    let db = Db::new("CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1)");
    let writer = db.open();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let cx = Context::local(1);
    let once = Retry { tries: 2, first_pause: std::time::Duration::from_millis(1), ..Retry::default() };
    let error = cx.sqlite(db.path()).table("t").retry(once).read::<i64>().count().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Transient, "source_busy"), "{error}");
    assert!(error.to_string().contains("try 2"), "{error}");
    let ends = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(700));
        writer.execute_batch("COMMIT").unwrap();
    });
    assert_eq!(cx.read_sqlite::<i64>(&db.url(), "t").count().unwrap(), 1);
    ends.join().unwrap();
}
