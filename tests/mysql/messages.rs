//! Mistakes of a job: found before rows are read, with what to do, and without the password.

use kiln::{Class, Context, Error, Row};
use kiln_connectors::Retry;
use kiln_connectors::mysql::ReadMysql;

use crate::job::{Ended, Job};
use crate::server::{Database, PASSWORD, Server};

fn job(url: &str, table: &str) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_read_mysql")).on("local[1]");
    job.option("--url", url).option("--table", table)
}

fn hides(ended: &Ended, password: &str) {
    let result = ended.result.as_deref().unwrap_or_default();
    for text in [&*ended.stderr, &*ended.stdout, result] {
        assert!(!text.contains(password), "the password is in\n{text}");
    }
}

fn error_of<T: Row>(db: &Database, table: &str) -> Error {
    Context::local(1).read_mysql::<T>(&db.url(), table).count().unwrap_err()
}

#[derive(kiln::Row)]
struct Line {
    id: i64,
    text: String,
}

#[derive(kiln::Row)]
struct Misspelt {
    id: i64,
    txet: String,
}

#[derive(kiln::Row)]
struct Narrow {
    id: i16,
}

#[test]
fn a_wrong_password_is_no_permission_and_is_not_printed() {
    let db = Server::shared();
    let ended = job(&db.tcp_url("kiln:Wrong-Battery-7"), "t").run();
    ended.fails(77, "auth", &["Access denied", "MYSQL_PWD"]);
    hides(&ended, "Wrong-Battery-7");
    let ended = job(&db.tcp_url("kiln"), "t").env("MYSQL_PWD", "Wrong-Battery-8").run();
    ended.exits(77);
    hides(&ended, "Wrong-Battery-8");
    job(&db.tcp_url("kiln"), "t").run().fails(77, "auth", &["MYSQL_PWD"]);
}

#[test]
fn the_password_is_taken_from_where_it_is() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT 1 AS id, 'x' AS text");
    for cluster in ["local[1]", "local-cluster[2,1]"] {
        let job = job(&db.tcp_url("kiln"), "t").on(cluster).option("--consistency", "per-split");
        let by_variable = job.env("MYSQL_PWD", PASSWORD).env("KILN_LOG", "debug").run().ok();
        hides(&by_variable, PASSWORD);
    }
    let in_address = job(&db.tcp_url(&format!("kiln:{PASSWORD}")), "t").env("KILN_LOG", "debug").run().ok();
    hides(&in_address, PASSWORD);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let cx = Context::local(1);
    let read = cx.mysql(&db.tcp_url("kiln")).table("t").password_file(&file).read::<Line>();
    assert_eq!(read.count().unwrap(), 1);
}

#[test]
fn a_password_is_in_no_error_whatever_is_wrong() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT 1 AS id, 'x' AS text");
    let password = "Purple-Staple-9";
    let urls = [
        format!("mysql://kiln:{password}@localhost:badport/db"),
        format!("postgres://kiln:{password}@localhost/db"),
        format!("mysql://kiln:{password}@localhost/db?ssl-mode=never"),
        format!("mysql://kiln:{password}@localhost:1/db"),
        format!("mysql://kiln@localhost:1/db?password={password}"),
        db.tcp_url(&format!("nobody:{password}")),
        db.tcp_url(&format!("kiln:{password}")) + "?ssl-mode=REQUIRED",
    ];
    for url in urls {
        let ended = job(&url, "t").env("KILN_LOG", "debug").run();
        assert_ne!(ended.code(), Some(0));
        hides(&ended, password);
    }
    for table in ["missing", "t; SELECT 1", "t"] {
        let ended = job(&db.url(), table).option("--split-by", "txt").env("KILN_LOG", "debug").run();
        ended.exits(78);
        hides(&ended, PASSWORD);
    }
}

#[test]
fn an_unknown_table_or_column_is_named_with_the_nearest() {
    let db = Server::shared();
    db.sql("CREATE TABLE orders (id bigint, text text); CREATE TABLE `a.b` (id bigint)");
    job(&db.url(), "ordres").run().fails(
        78,
        "config",
        &["there is no table `ordres`", "did you mean `orders`?"],
    );
    let full = format!("{}.ordres", db.name());
    let near = format!("did you mean `{}.orders`?", db.name());
    job(&db.url(), &full).run().fails(78, "config", &[&near]);
    let error = error_of::<Misspelt>(&db, "orders");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unknown_column"));
    assert!(error.to_string().contains("did you mean `text`?"), "{error}");
    let cx = Context::local(1);
    assert_eq!(cx.read_mysql::<i64>(&db.url(), "`a.b`").count().unwrap(), 0);
    assert_eq!(cx.read_mysql::<i64>(&db.url(), &format!("`{}`.`a.b`", db.name())).count().unwrap(), 0);
    let error = cx.mysql(&db.url()).table("orders").split_by("idd").read::<Line>().count().unwrap_err();
    assert!(error.to_string().contains("did you mean `id`?"), "{error}");
    let url = db.url().replace(&format!("/{}?", db.name()), "/nodb?");
    let error = cx.mysql(&url).table("t").read::<Line>().count().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unknown_database"), "{error}");
}

#[test]
fn a_column_of_another_type_is_refused_before_a_row_is_read() {
    let db = Server::shared();
    // Whoever reads a row of the view ends with an error.
    db.sql(
        "CREATE TABLE t AS SELECT seq AS n FROM seq_1_to_10;
         CREATE VIEW v AS SELECT CAST(n + (SELECT m.n FROM t AS m WHERE m.n <> t.n) AS SIGNED) AS id, 'x' AS text FROM t;
         CREATE VIEW w AS SELECT CAST(n + (SELECT m.n FROM t AS m WHERE m.n <> t.n) AS SIGNED) AS id, POINT(n, 1) AS text FROM t",
    );
    let error = error_of::<Line>(&db, "v");
    assert!(error.to_string().contains("more than 1 row"), "the trap works: {error}");
    let error = error_of::<Narrow>(&db, "v");
    assert!(
        error.to_string().contains("the column `id` is") && error.to_string().contains("expected Int16"),
        "{error}"
    );
    let error = error_of::<Line>(&db, "w");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unsupported_type"), "{error}");
}

#[test]
fn a_missing_permission_and_broken_sql_have_their_classes() {
    let db = Server::shared();
    let user = format!("guest{}", db.name());
    db.sql(&format!(
        "CREATE TABLE t AS SELECT 1 AS id, 'x' AS text; CREATE TABLE s AS SELECT 1 AS id;
         CREATE USER {user} IDENTIFIED BY 'g'; GRANT SELECT ON {0}.s TO {user}; GRANT SELECT (id) ON {0}.t TO {user}",
        db.name()
    ));
    let url = db.tcp_url(&format!("{user}:g"));
    let ended = job(&url, "t").run();
    ended.fails(77, "auth", &["denied", "GRANT SELECT"]);
    // Of a table of which one column may be read, that one is.
    let cx = Context::local(1);
    assert_eq!(cx.mysql(&url).query("SELECT id FROM t").read::<i64>().collect().unwrap(), [1]);
    for sql in ["SELEC 1", "SELECT ? AS a", "SELECT :a AS a"] {
        let error = cx.mysql(&db.url()).query(sql).retry(Retry::never()).read::<i64>().count().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{sql}: {error}");
    }
    let error = cx.mysql(&db.url()).read::<i64>().count().unwrap_err();
    assert_eq!(error.class(), Class::Config);
}
