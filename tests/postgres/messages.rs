//! Mistakes of a job: found before rows are read, with what to do, and without the password.

use kiln::{Class, Context, Error, Row};
use kiln_connectors::Retry;
use kiln_connectors::postgres::ReadPostgres;

use crate::job::{Ended, Job};
use crate::server::{Database, PASSWORD, Server};

fn job(url: &str, table: &str) -> Job {
    let job = Job::new(env!("CARGO_BIN_EXE_read_postgres")).on("local[1]");
    job.option("--url", url).option("--table", table)
}

fn hides(ended: &Ended, password: &str) {
    let result = ended.result.as_deref().unwrap_or_default();
    for text in [&*ended.stderr, &*ended.stdout, result] {
        assert!(!text.contains(password), "the password is in\n{text}");
    }
}

fn error_of<T: Row>(db: &Database, table: &str) -> Error {
    let cx = Context::local(1);
    cx.read_postgres::<T>(&db.url(), table).count().unwrap_err()
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
    ended.fails(77, "auth", &["password authentication failed", "PGPASSWORD"]);
    hides(&ended, "Wrong-Battery-7");
    let ended = job(&db.tcp_url("kiln"), "t").env("PGPASSWORD", "Wrong-Battery-8").run();
    ended.exits(77);
    hides(&ended, "Wrong-Battery-8");
    let ended = job(&db.tcp_url("kiln"), "t").run();
    ended.fails(77, "auth", &["PGPASSWORD"]);
}

#[test]
fn the_password_is_taken_from_where_it_is() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT 1::bigint AS id, 'x'::text AS text");
    let folder = tempfile::tempdir().unwrap();
    let passfile = folder.path().join("pgpass");
    std::fs::write(&passfile, format!("localhost:{}:*:kiln:{PASSWORD}\n", db.server().port())).unwrap();
    std::fs::set_permissions(&passfile, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for cluster in ["local[1]", "local-cluster[2,1]"] {
        let job = || job(&db.tcp_url("kiln"), "t").on(cluster);
        let by_variable = job().env("PGPASSWORD", PASSWORD).env("KILN_LOG", "debug").run().ok();
        hides(&by_variable, PASSWORD);
        job().env("PGPASSFILE", &passfile).run().ok();
    }
    let in_address = job(&db.tcp_url(&format!("kiln:{PASSWORD}")), "t").env("KILN_LOG", "debug").run().ok();
    hides(&in_address, PASSWORD);
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let cx = Context::local(1);
    let read = cx.postgres(&db.tcp_url("kiln")).table("t").password_file(&file).read::<Line>();
    assert_eq!(read.count().unwrap(), 1);
}

#[test]
fn a_password_is_in_no_error_whatever_is_wrong() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT 1::int AS id, 'x'::text AS text");
    let password = "Purple-Staple-9";
    let urls = [
        format!("postgres://kiln:{password}@localhost:badport/db"),
        format!("mysql://kiln:{password}@localhost/db"),
        format!("postgres://kiln:{password}@localhost/db?sslmode=never"),
        format!("postgres://kiln:{password}@localhost:1/db"),
        format!("postgres://kiln@localhost:1/db?password={password}"),
        db.tcp_url(&format!("nobody:{password}")),
        db.tcp_url(&format!("kiln:{password}")) + "?sslmode=require",
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
    db.sql("CREATE SCHEMA shop; CREATE TABLE shop.orders (id bigint, text text); CREATE TABLE \"Big\" (id bigint)");
    let ended = job(&db.url(), "shop.ordres").run();
    ended.fails(78, "config", &["there is no table `shop.ordres`", "did you mean `shop.orders`?"]);
    job(&db.url(), "orders").run().fails(78, "config", &["did you mean `shop.orders`?"]);
    let error = error_of::<Misspelt>(&db, "shop.orders");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unknown_column"));
    assert!(error.to_string().contains("did you mean `text`?"), "{error}");
    assert!(error_of::<Line>(&db, "Big").to_string().contains("\"Big\""));
    assert_eq!(Context::local(1).read_postgres::<i64>(&db.url(), "\"Big\"").count().unwrap(), 0);
    let cx = Context::local(1);
    let error =
        cx.postgres(&db.url()).table("shop.orders").split_by("idd").read::<Line>().count().unwrap_err();
    assert!(error.to_string().contains("did you mean `id`?"), "{error}");
    let url = db.url().replace("/db", "/nodb");
    let error = cx.postgres(&url).table("t").read::<Line>().count().unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unknown_database"), "{error}");
}

#[test]
fn a_column_of_another_type_is_refused_before_a_row_is_read() {
    let db = Server::shared();
    // Whoever reads a row of the view ends with an error.
    db.sql(
        "CREATE FUNCTION trap() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a row was read'; END $$;
         CREATE TABLE t AS SELECT generate_series(1, 10) AS n;
         CREATE VIEW v AS SELECT trap() + n AS id, 'x'::text AS text FROM t;
         CREATE VIEW w AS SELECT trap() + n AS id, interval '1 day' AS text FROM t;
         CREATE VIEW u AS SELECT trap() + n AS id, sum(n) OVER () * 1.5 AS text FROM t",
    );
    let error = error_of::<Line>(&db, "v");
    assert!(error.to_string().contains("a row was read"), "the trap works: {error}");
    let error = error_of::<Narrow>(&db, "v");
    assert_eq!(error.class(), Class::Data);
    assert!(error.to_string().contains("the column `id` is Int64, expected Int16"), "{error}");
    let error = error_of::<Line>(&db, "w");
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "unsupported_type"));
    assert!(
        error.to_string().contains("`text` is interval") && error.to_string().contains(".text_for(\"text\")")
    );
    let error = error_of::<Line>(&db, "u");
    assert!(error.to_string().contains("a number without a precision"), "{error}");
}

#[test]
fn a_missing_permission_and_broken_sql_have_their_classes() {
    let db = Server::shared();
    let role = format!("guest{}", std::process::id());
    db.sql(&format!(
        "CREATE TABLE t AS SELECT 1::bigint AS id, 'x'::text AS text; CREATE ROLE {role} LOGIN PASSWORD 'g'"
    ));
    let ended = job(&db.tcp_url(&format!("{role}:g")), "t").run();
    ended.fails(77, "auth", &["permission denied", "GRANT SELECT"]);
    // Of a table of which one column may be read, that one is.
    db.sql(&format!("GRANT SELECT (id) ON t TO {role}"));
    let cx = Context::local(1);
    let url = db.tcp_url(&format!("{role}:g"));
    let ids = cx.postgres(&url).query("SELECT id FROM t").read::<i64>().collect().unwrap();
    assert_eq!(ids, [1]);
    db.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    let error =
        cx.postgres(&db.url()).query("SELEC 1").retry(Retry::never()).read::<i64>().count().unwrap_err();
    assert_eq!(error.class(), Class::Config);
    let error = cx.postgres(&db.url()).read::<i64>().count().unwrap_err();
    assert_eq!(error.class(), Class::Config);
}

#[test]
fn a_value_that_no_column_holds_has_its_place() {
    let db = Server::shared();
    db.sql("CREATE TABLE t AS SELECT g AS id, CASE WHEN g = 7 THEN 'infinity' ELSE now() END::timestamptz AS at FROM generate_series(1::bigint, 9) g");
    let cx = Context::local(1);
    let read = cx.postgres(&db.url()).table("t").read::<(i64, kiln::chrono::DateTime<kiln::chrono::Utc>)>();
    let error = read.count().unwrap_err();
    assert_eq!(error.class(), Class::Data);
    let text = error.to_string();
    assert!(text.contains("infinity") && text.contains("split public.t, row 7, column at"), "{text}");
    let as_text = cx.postgres(&db.url()).table("t").text_for("at").read::<(i64, String)>();
    assert!(as_text.collect().unwrap().iter().any(|(id, at)| *id == 7 && at == "infinity"));
    // An error in a closure names the row, too.
    let failing = cx.read_postgres::<Line>(&db.url(), "(").count().unwrap_err();
    assert_eq!(failing.class(), Class::Config);
}
