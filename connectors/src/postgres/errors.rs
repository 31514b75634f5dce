//! Errors of PostgreSQL as errors of Kiln: one table from SQLSTATE to class, reason and advice.

use kiln::{Class, Error};
use tokio_postgres::error::DbError;

/// The reason of an error after the connection that exports the snapshot was lost.
pub(super) const SNAPSHOT_LOST: &str = "snapshot_lost";

const TRANSIENT: Class = Class::Transient;
const AUTH: Class = Class::Auth;
const CONFIG: Class = Class::Config;
const DATA: Class = Class::Data;
const RESOURCE: Class = Class::Resource;
const UNAVAILABLE: Class = Class::Unavailable;

const ADVICE_AUTH: &str = "the user comes from the address or PGUSER, the password from the address, `password_file`, PGPASSWORD or ~/.pgpass";
const ADVICE_GRANT: &str = "GRANT SELECT on the table, and USAGE on its schema, to this user; to write, also INSERT, UPDATE and DELETE, and CREATE on \
     the schema of the staging tables";
const ADVICE_TIMEOUT: &str =
    "a longer `statement_timeout`, or smaller splits by `splits`, give a statement the time that it needs";
const ADVICE_CONNECTIONS: &str = "lower `max_connections`, or raise the limit of the server or of the role";

/// What an error whose SQLSTATE begins with the text is; the longest text counts. Only transient errors are retried.
static TABLE: [(&str, Class, Option<&str>, Option<&str>); 39] = [
    ("08", TRANSIENT, Some("connection_lost"), None),
    ("0A", CONFIG, None, None),
    ("21", DATA, None, None),
    ("22", DATA, None, None),
    ("23", DATA, None, None),
    ("25", CONFIG, None, None),
    ("25P03", TRANSIENT, Some("connection_lost"), None),
    ("28", AUTH, None, Some(ADVICE_AUTH)),
    ("2F", CONFIG, None, None),
    ("3D", CONFIG, Some("unknown_database"), None),
    ("3F", CONFIG, None, None),
    ("40", TRANSIENT, Some("serialization"), None),
    ("42", CONFIG, None, None),
    ("42501", AUTH, None, Some(ADVICE_GRANT)),
    ("42P01", CONFIG, Some("unknown_table"), None),
    ("42703", CONFIG, Some("unknown_column"), None),
    ("53", RESOURCE, None, None),
    ("53100", RESOURCE, Some("disk_full"), None),
    ("53200", RESOURCE, Some("out_of_memory"), None),
    ("53300", TRANSIENT, Some("too_many_connections"), Some(ADVICE_CONNECTIONS)),
    ("54", CONFIG, None, None),
    ("55", TRANSIENT, None, None),
    ("55P03", TRANSIENT, Some("lock_timeout"), None),
    ("57", TRANSIENT, None, None),
    ("57014", TRANSIENT, Some("statement_timeout"), Some(ADVICE_TIMEOUT)),
    ("57P01", TRANSIENT, Some("connection_lost"), None),
    ("57P02", TRANSIENT, Some("connection_lost"), None),
    ("57P03", TRANSIENT, Some("server_starting"), None),
    ("57P04", CONFIG, Some("unknown_database"), None),
    ("57P05", TRANSIENT, Some("connection_lost"), None),
    ("58", UNAVAILABLE, None, None),
    ("72000", TRANSIENT, Some(SNAPSHOT_LOST), None),
    ("F0", CONFIG, None, None),
    ("HV", UNAVAILABLE, None, None),
    ("P0", DATA, None, None),
    ("XX", UNAVAILABLE, None, None),
    ("XX001", DATA, Some("data_corrupted"), None),
    ("XX002", DATA, Some("data_corrupted"), None),
    ("", CONFIG, None, None),
];

/// The error of a failed request, where `message` names what failed.
pub(super) fn of(message: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => of_server(message, db),
        None => of_client(message, error),
    }
}

fn of_server(message: &str, db: &DbError) -> Error {
    let code = db.code().code();
    let (_, class, reason, advice) = row(code);
    let mut text = format!("{message}: {}", db.message());
    if let Some(detail) = db.detail() {
        text += &format!(" ({detail})");
    }
    let mut error = Error::new(*class, text).at("sqlstate", code);
    for (what, name) in [("table", db.table()), ("column", db.column()), ("constraint", db.constraint())] {
        if let Some(name) = name.filter(|_| code.starts_with("23")) {
            error = error.at(what, name);
        }
    }
    if let Some(reason) = reason {
        error = error.reason(reason);
    }
    match advice.or(db.hint()) {
        Some(advice) => error.help(advice),
        None => error,
    }
}

/// The row of the table for a SQLSTATE.
fn row(code: &str) -> &'static (&'static str, Class, Option<&'static str>, Option<&'static str>) {
    let fitting = TABLE.iter().filter(|(begin, ..)| code.starts_with(begin));
    fitting.max_by_key(|(begin, ..)| begin.len()).unwrap_or(&TABLE[TABLE.len() - 1])
}

/// An error that the client found by itself: its text names the kind, as the library does not make it public.
fn of_client(message: &str, error: tokio_postgres::Error) -> Error {
    let kind = error.to_string();
    let new = |class, reason| Error::new(class, message).reason(reason).because(&error);
    match kind.as_str() {
        "error performing TLS handshake" if is_refused_tls(&error) => new(CONFIG, "tls").help(
            "`sslmode` and `sslrootcert` of the address say how the server is checked; \
             `sslmode=require` encrypts without a check",
        ),
        "authentication error" | "invalid configuration" => new(AUTH, "auth").help(ADVICE_AUTH),
        "error connecting to server" => new(TRANSIENT, "cannot_connect"),
        _ => new(TRANSIENT, "connection_lost"),
    }
}

/// Whether the handshake failed for a reason that stays: not because the connection broke.
fn is_refused_tls(error: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_none_or(|io| {
        matches!(io.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput)
    })
}

/// The error of a reader that cannot join the snapshot of the plan.
pub(super) fn snapshot_lost(error: Error) -> Error {
    let text = format!("the snapshot that all tasks read is gone: {}", error.message());
    Error::transient(text).reason(SNAPSHOT_LOST).help(
        "the connection that held it open has ended (a restart of the server, or a limit on long transactions); \
         run the job again, which takes a new snapshot",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_its_class() {
        let cases = [
            ("08006", TRANSIENT),
            ("53300", TRANSIENT),
            ("57P01", TRANSIENT),
            ("57P03", TRANSIENT),
            ("40001", TRANSIENT),
            ("40P01", TRANSIENT),
            ("57014", TRANSIENT),
            ("28P01", AUTH),
            ("28000", AUTH),
            ("42501", AUTH),
            ("3D000", CONFIG),
            ("42P01", CONFIG),
            ("42703", CONFIG),
            ("42601", CONFIG),
            ("57P04", CONFIG),
            ("22012", DATA),
            ("22P02", DATA),
            ("53100", RESOURCE),
            ("53200", RESOURCE),
            ("XX001", DATA),
            ("99999", CONFIG),
        ];
        for (code, class) in cases {
            assert_eq!(row(code).1, class, "{code}");
        }
    }

    #[test]
    fn the_longest_beginning_counts() {
        assert_eq!(row("57014").2, Some("statement_timeout"));
        assert_eq!(row("57000").2, None);
    }
}
