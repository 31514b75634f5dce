//! The commit: one transaction that moves the staged rows and writes the ledger, and what follows when its reply is lost.

use kiln::connect::reached;
use kiln::{Error, Result};

use super::ledger::{for_commit, lock, record};
use super::rules::{self, Change, Claim, Counts, Entry, Verdict};
use super::{Connection, Database, NoCommit, connected};

/// The reason of the error of a [`Move`] that finds fewer staged rows than the parts have.
pub(crate) const STAGING_LOST: &str = "staging_lost";

/// Moves the staged rows into the target, in a transaction that is open; it is given the later publishes of which it must
/// remove no row ([`fenced_by_run`](rules::fenced_by_run) is the error), and returns the mark by which the database recognises its rows.
pub(crate) type Move<'m> = &'m dyn Fn(&dyn Connection, &[Entry]) -> Result<Option<String>>;

/// How a try ended without a commit that is known of.
enum Failure {
    /// Nothing is committed.
    Before(Error),
    /// Nobody has answered.
    Unanswered(Error),
}

/// Publishes: the rows are in the target, and the publish is in the ledger, or neither.
///
/// The transaction is tried again after a transient error, which is safe: a try that finds its publish in the ledger has
/// committed before. A commit is not interrupted by a cancel, which waits for it.
///
/// # Errors
/// Fenced by the rules; that of the move; transient with the reason `outcome_unknown` when the reply to the commit was
/// lost and the ledger cannot be read.
pub(crate) fn commit(
    database: &dyn Database,
    claim: &Claim,
    change: &Change,
    counts: Counts,
    move_rows: Move<'_>,
) -> Result<()> {
    let tried = database.retry().run("publishing", &|| Ok(()), || {
        match attempt(database, claim, change, counts, move_rows) {
            Ok(()) => Ok(Ok(())),
            // Rows that are gone do not come back.
            Err(Failure::Before(error)) if error.reason_word() == STAGING_LOST => Ok(Err(error)),
            Err(Failure::Before(error)) => Err(error),
            Err(Failure::Unanswered(error)) => match has_committed(database, claim) {
                Ok(true) => {
                    log::warn!("the reply to the commit was lost; the ledger has the publish: {error}");
                    Ok(Ok(()))
                }
                Ok(false) => Err(error),
                Err(cause) => Ok(Err(outcome_unknown(claim, &cause))),
            },
        }
    });
    tried.map_err(crate::retry::unreachable)?
}

/// One try.
fn attempt(
    database: &dyn Database,
    claim: &Claim,
    change: &Change,
    counts: Counts,
    move_rows: Move<'_>,
) -> Result<(), Failure> {
    let connection = database.connect(&|| Ok(())).map_err(Failure::Before)?;
    let prepared = prepare(database, &*connection, claim, change, counts, move_rows);
    if !prepared.map_err(Failure::Before)? {
        return Ok(());
    }
    reached("table.recorded");
    match connection.commit() {
        Ok(()) => {
            reached("table.committed");
            Ok(())
        }
        Err(NoCommit::Refused(error)) => Err(Failure::Before(error)),
        Err(NoCommit::Unanswered(error)) => Err(Failure::Unanswered(error)),
    }
}

/// All but the commit; returns whether there is something to commit.
fn prepare(
    database: &dyn Database,
    connection: &dyn Connection,
    claim: &Claim,
    change: &Change,
    counts: Counts,
    move_rows: Move<'_>,
) -> Result<bool> {
    connection.execute("a transaction cannot be begun", &database.begin())?;
    let (_, forgotten) = lock(database, connection, &claim.target)?;
    reached("table.locked");
    let entries = for_commit(database, connection, claim)?;
    let Verdict::Commit(newer) = rules::judge(&entries, forgotten, claim, change)? else { return Ok(false) };
    let mark = move_rows(connection, &newer)?;
    reached("table.moved");
    record(database, connection, claim, counts, mark.as_deref())?;
    Ok(true)
}

/// Whether the publish is in the ledger. The row lock makes the answer final: it is given after the transaction whose reply
/// was lost has ended.
fn has_committed(database: &dyn Database, claim: &Claim) -> Result<bool> {
    connected(database, "asking for the outcome of the commit", &|| Ok(()), |connection| {
        connection.execute("a transaction cannot be begun", &database.begin())?;
        lock(database, connection, &claim.target)?;
        let entries = for_commit(database, connection, claim)?;
        let mut own = entries.iter().filter(|entry| entry.claim.publish == claim.publish);
        Ok(own.any(|own| own.published.is_some()))
    })
}

fn outcome_unknown(claim: &Claim, cause: &Error) -> Error {
    Error::transient(
        "the reply to the commit was lost, and the database does not answer whether it took place",
    )
    .reason("outcome_unknown")
    .at("table", &claim.target)
    .because(cause)
    .help("run the job again with the same run id: it finds its publish in the ledger, or publishes")
}
