//! Errors of SQLite as errors of Kiln: one table from its result codes to class, reason and advice.

use kiln::{Class, Error};
use rusqlite::ErrorCode;

/// The reason of an error after somebody has written while the rows were read.
pub(super) const SOURCE_CHANGED: &str = "source_changed";

const ADVICE_BUSY: &str = "another process writes: run it again, or when nobody writes";
const ADVICE_OPEN: &str = "the file and its folder must be readable; a database with a write-ahead log needs its `-shm` file \
    beside it, or a folder in which it can be made";

/// What an error with a result code is.
fn class(code: ErrorCode) -> (Class, Option<&'static str>, Option<&'static str>) {
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            (Class::Transient, Some("source_busy"), Some(ADVICE_BUSY))
        }
        ErrorCode::SchemaChanged => (Class::Transient, Some(SOURCE_CHANGED), None),
        ErrorCode::OperationInterrupted => (Class::Cancelled, None, None),
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => (Class::Auth, None, None),
        ErrorCode::CannotOpen => (Class::Config, Some("cannot_open"), Some(ADVICE_OPEN)),
        ErrorCode::NotADatabase => (Class::Config, Some("not_a_database"), None),
        ErrorCode::DatabaseCorrupt => (Class::Data, Some("data_corrupted"), None),
        ErrorCode::TypeMismatch | ErrorCode::TooBig | ErrorCode::ConstraintViolation => {
            (Class::Data, None, None)
        }
        ErrorCode::OutOfMemory => (Class::Resource, Some("out_of_memory"), None),
        ErrorCode::DiskFull => (Class::Resource, Some("disk_full"), None),
        ErrorCode::SystemIoFailure => (Class::Unavailable, Some("io"), None),
        _ => (Class::Config, None, None),
    }
}

/// The error of a failed request, where `message` names what failed.
pub(super) fn of(message: &str, error: rusqlite::Error) -> Error {
    let (class, reason, advice) = match error.sqlite_error_code() {
        // What runs out of digits in an expression is an error of the general code.
        Some(ErrorCode::Unknown) if error.to_string().contains("overflow") => (Class::Data, None, None),
        Some(code) => class(code),
        None => (Class::Config, None, None),
    };
    let mut of = Error::new(class, format!("{message}: {error}"));
    if let Some(reason) = reason {
        of = of.reason(reason);
    }
    match advice {
        Some(advice) => of.help(advice),
        None => of,
    }
}

/// The error of a task that sees another state of the file than the plan.
pub(super) fn changed() -> Error {
    let error = Error::transient("the database was written to after the job had begun to read it");
    error.reason(SOURCE_CHANGED).help(
        "run the job again when nobody writes, or in one process (`KILN_CLUSTER=local[…]`), which keeps the state that it read first",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_class() {
        let of = |code: i32| {
            of("it failed", rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
        };
        use rusqlite::ffi::*;
        for (code, expected) in [
            (SQLITE_BUSY, Class::Transient),
            (SQLITE_LOCKED, Class::Transient),
            (SQLITE_SCHEMA, Class::Transient),
            (SQLITE_INTERRUPT, Class::Cancelled),
            (SQLITE_CANTOPEN, Class::Config),
            (SQLITE_NOTADB, Class::Config),
            (SQLITE_ERROR, Class::Config),
            (SQLITE_CORRUPT, Class::Data),
            (SQLITE_FULL, Class::Resource),
            (SQLITE_NOMEM, Class::Resource),
            (SQLITE_IOERR, Class::Unavailable),
            (SQLITE_PERM, Class::Auth),
        ] {
            assert_eq!(of(code).class(), expected, "{code}");
        }
    }
}
