//! Connections that see one moment: one of them, or several that begin while commits are held back.

use kiln::{Error, Result};

use super::Consistency;
use super::scan::MysqlScan;
use super::session::Session;
use crate::wait::Check;

/// How long a lock is waited for, in seconds: others wait behind it.
const LOCK_SECONDS: u32 = 10;

/// Begins on `first`, and on more connections where that is possible, so that all of them see one moment of `from`; returns
/// those that do.
///
/// # Errors
/// Auth without the privilege that a lock needs; those of connecting, and of the requests.
pub(super) fn begin(
    scan: &MysqlScan,
    first: Session,
    splits: usize,
    from: &str,
    check: Check<'_>,
) -> Result<Vec<Session>> {
    let mut sessions = vec![first];
    let count = scan.settings.max_connections.min(splits).max(1);
    if scan.settings.consistency == Consistency::ShortLock && count > 1 {
        let mut lock = scan.connect(check)?;
        while sessions.len() < count {
            match scan.connect_once(check) {
                Ok(session) => sessions.push(session),
                // What the server gives is enough.
                Err(error) if error.reason_word() == "too_many_connections" => {
                    log::warn!("{} connections are used of {count}: {error}", sessions.len());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        hold_commits(&mut lock, check)?;
        let begun = sessions.iter_mut().try_for_each(|session| session.begin(check));
        // Also after an error; and if the lock was lost meanwhile, this fails.
        let released = release_commits(&mut lock, check);
        begun.and(released)?;
    } else {
        sessions.iter_mut().try_for_each(|session| session.begin(check))?;
    }
    // A transaction that has used a table keeps it from being changed, emptied or dropped.
    let used = format!("SELECT 1 FROM {from} LIMIT 0");
    for session in &mut sessions {
        session.execute("the rows cannot be read", &used, check)?;
    }
    Ok(sessions)
}

fn hold_commits(lock: &mut Session, check: Check<'_>) -> Result<()> {
    let what = "commits cannot be held back";
    let help = |error: Error| {
        error
            .help("`consistency` other than \"short-lock\" needs no lock; a lock needs `GRANT RELOAD ON *.*`")
    };
    lock.execute(what, &format!("SET lock_wait_timeout = {LOCK_SECONDS}"), check)?;
    let statements: &[&str] = match lock.is_mariadb {
        true => &["BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"],
        false => &["FLUSH TABLES WITH READ LOCK"],
    };
    statements.iter().try_for_each(|sql| lock.execute(what, sql, check)).map_err(help)
}

fn release_commits(lock: &mut Session, check: Check<'_>) -> Result<()> {
    let sql = if lock.is_mariadb { "BACKUP STAGE END" } else { "UNLOCK TABLES" };
    lock.execute("the lock was lost before all connections had begun", sql, check)
}
