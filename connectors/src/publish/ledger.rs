//! The ledger: who may publish to a target, and what was published.

use kiln::connect::{is_sabotaged, reached};
use kiln::{Error, Result};

use super::rules::{self, Answer, Change, Claim, Counts, Entry, Publisher};
use super::{
    CLAIM_AGE, Check, Connection, Database, MAX_PUBLISHES, NoCommit, PUBLISHES, STAGING, TARGETS, Texts,
    connected,
};

const UNREADABLE: &str = "the ledger of publishes cannot be read";
const UNWRITABLE: &str = "the ledger of publishes cannot be written";

/// The columns of an [`Entry`], in the order in which [`entry`] takes them.
const COLUMNS: &str = "target, run_id, write_number, attempt, epoch, publish, staging, change_kind, predicate, mark, \
     part_count, row_count, byte_count, CASE WHEN published_at IS NULL THEN 0 ELSE 1 END";

/// What the run has published by this write before, by the ledger; nothing is claimed.
///
/// # Errors
/// Fenced when a newer attempt has published it.
pub(crate) fn published_before(
    database: &dyn Database,
    publisher: &Publisher,
    check: Check<'_>,
) -> Result<Option<Counts>> {
    if publisher.run_id.is_none() {
        return Ok(None);
    }
    let entries = connected(database, "reading the ledger", check, |connection| {
        match database.has_ledger(connection)? {
            true => of_run(database, connection, publisher),
            false => Ok(Vec::new()),
        }
    })?;
    let done: Vec<Entry> = entries.into_iter().filter(|entry| entry.published.is_some()).collect();
    Ok(match rules::begin(&done, publisher)? {
        Answer::Published(counts) => Some(counts),
        Answer::Attempt(_) => None,
    })
}

/// Claims the target, or gives what the run has published before. With `is_missing` there is no such table any more, and
/// what was published to it is forgotten.
///
/// # Errors
/// Fenced when a newer attempt of the run has begun.
pub(crate) fn claim(
    database: &dyn Database,
    publisher: &Publisher,
    change: &Change,
    is_missing: bool,
    check: Check<'_>,
) -> Result<Result<Claim, Counts>> {
    let claimed = connected(database, "claiming the target", check, |connection| {
        if !database.has_ledger(connection)? {
            for statement in database.create_ledger() {
                connection.execute("the ledger of publishes cannot be created", &statement)?;
            }
        }
        connection.execute(UNWRITABLE, &database.begin())?;
        connection.execute(UNWRITABLE, &database.insert_target(&publisher.target))?;
        let (epoch, _) = lock(database, connection, &publisher.target)?;
        if is_missing {
            let (publishes, target) = (database.table(PUBLISHES), database.literal(&publisher.target));
            let sql = format!("DELETE FROM {publishes} WHERE target = {target} AND published_at IS NOT NULL");
            connection.execute(UNWRITABLE, &sql)?;
        }
        let attempt = match rules::begin(&of_run(database, connection, publisher)?, publisher)? {
            Answer::Published(counts) => return Ok(Err(counts)),
            Answer::Attempt(attempt) => attempt,
        };
        let claim = claim_of(publisher, attempt, epoch + 1);
        record_claim(database, connection, &claim, change)?;
        match connection.commit() {
            // A claim that is there after all is taken again, by its UUID.
            Err(NoCommit::Refused(error) | NoCommit::Unanswered(error)) => Err(error),
            Ok(()) => Ok(Ok(claim)),
        }
    })?;
    if claimed.is_ok() {
        reached("table.claimed");
    }
    Ok(claimed)
}

fn claim_of(publisher: &Publisher, attempt: u32, epoch: u64) -> Claim {
    let Publisher { target, run_id, write_number, publish, .. } = publisher.clone();
    let staging = format!("{STAGING}{}", publish.replace('-', ""));
    Claim { target, run_id, write_number, attempt, epoch, publish, staging }
}

/// Writes the claim, in place of the claims of older attempts and of those that are too old.
fn record_claim(
    database: &dyn Database,
    connection: &dyn Connection,
    claim: &Claim,
    change: &Change,
) -> Result<()> {
    let (targets, publishes) = (database.table(TARGETS), database.table(PUBLISHES));
    let text = |text: &str| database.literal(text);
    let null = |value: Option<&str>| value.map_or("NULL".to_owned(), text);
    let (target, epoch) = (text(&claim.target), claim.epoch);
    let old = format!("claimed_at < {}", database.ago(CLAIM_AGE));
    let rival = match &claim.run_id {
        Some(run) => format!("(run_id = {} AND write_number = {})", text(run), claim.write_number),
        None => format!("publish = {}", text(&claim.publish)),
    };
    let (kind, predicate) = change.words();
    for statement in [
        format!("UPDATE {targets} SET epoch = {epoch} WHERE target = {target}"),
        format!(
            "DELETE FROM {publishes} WHERE target = {target} AND published_at IS NULL AND ({rival} OR {old})"
        ),
        format!(
            "INSERT INTO {publishes} (target, epoch, run_id, write_number, attempt, publish, change_kind, predicate, \
             staging, claimed_at) VALUES ({target}, {epoch}, {}, {}, {}, {}, {}, {}, {}, {})",
            null(claim.run_id.as_deref()),
            claim.write_number,
            claim.attempt,
            text(&claim.publish),
            text(kind),
            null(predicate),
            text(&claim.staging),
            database.now()
        ),
    ] {
        connection.execute(UNWRITABLE, &statement)?;
    }
    Ok(())
}

/// Locks the row of the target until the transaction ends; returns its epoch and the largest forgotten one.
pub(super) fn lock(database: &dyn Database, connection: &dyn Connection, target: &str) -> Result<(u64, u64)> {
    let sql = format!(
        "SELECT epoch, forgotten FROM {} WHERE target = {}{}",
        database.table(TARGETS),
        database.literal(target),
        database.for_update()
    );
    let rows = connection.query("the target cannot be locked in the ledger", &sql)?;
    let row = rows.first().ok_or_else(|| Error::config("the ledger has lost its target"))?;
    Ok((number(row, 0)?, number(row, 1)?))
}

/// The entries about one write of a run.
fn of_run(database: &dyn Database, connection: &dyn Connection, publisher: &Publisher) -> Result<Vec<Entry>> {
    let Some(run) = &publisher.run_id else { return Ok(Vec::new()) };
    let number = publisher.write_number;
    let which = format!("run_id = {} AND write_number = {number}", database.literal(run));
    entries(database, connection, &publisher.target, &which)
}

/// The entries that decide whether `claim` may publish: of its run, its own, and those after it.
pub(super) fn for_commit(
    database: &dyn Database,
    connection: &dyn Connection,
    claim: &Claim,
) -> Result<Vec<Entry>> {
    let mut which = format!("publish = {} OR epoch > {}", database.literal(&claim.publish), claim.epoch);
    if let Some(run) = &claim.run_id {
        let number = claim.write_number;
        which += &format!(" OR (run_id = {} AND write_number = {number})", database.literal(run));
    }
    entries(database, connection, &claim.target, &which)
}

fn entries(
    database: &dyn Database,
    connection: &dyn Connection,
    target: &str,
    which: &str,
) -> Result<Vec<Entry>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {} WHERE target = {} AND ({which}) ORDER BY epoch DESC",
        database.table(PUBLISHES),
        database.literal(target)
    );
    connection.query(UNREADABLE, &sql)?.iter().map(|row| entry(row)).collect()
}

/// An entry out of [`COLUMNS`].
fn entry(row: &[Option<String>]) -> Result<Entry> {
    let claim = Claim {
        target: text(row, 0)?,
        run_id: optional(row, 1),
        write_number: number(row, 2)?,
        attempt: number(row, 3)?,
        epoch: number(row, 4)?,
        publish: text(row, 5)?,
        staging: text(row, 6)?,
    };
    let change = Change::of_words(&text(row, 7)?, optional(row, 8));
    let published = match number::<u8>(row, 13)? {
        0 => None,
        _ => Some(Counts { parts: number(row, 10)?, rows: number(row, 11)?, bytes: number(row, 12)? }),
    };
    Ok(Entry { claim, change, mark: optional(row, 9), published })
}

fn optional(row: &[Option<String>], at: usize) -> Option<String> {
    row.get(at).cloned().flatten()
}

fn text(row: &[Option<String>], at: usize) -> Result<String> {
    optional(row, at).ok_or_else(|| Error::config("the ledger of publishes has a null where none can be"))
}

fn number<T: std::str::FromStr>(row: &[Option<String>], at: usize) -> Result<T> {
    let text = text(row, at)?;
    text.parse().map_err(|_| Error::config(format!("the ledger of publishes has `{text}` for a number")))
}

/// Turns the claim into a publish, in the transaction that moves the rows; forgets what is more than [`MAX_PUBLISHES`].
pub(super) fn record(
    database: &dyn Database,
    connection: &dyn Connection,
    claim: &Claim,
    counts: Counts,
    mark: Option<&str>,
) -> Result<()> {
    let (targets, publishes) = (database.table(TARGETS), database.table(PUBLISHES));
    let (target, publish) = (database.literal(&claim.target), database.literal(&claim.publish));
    let mark = mark.map_or("NULL".to_owned(), |mark| database.literal(mark));
    let Counts { parts, rows, bytes } = counts;
    let update = format!(
        "UPDATE {publishes} SET part_count = {parts}, row_count = {rows}, byte_count = {bytes}, mark = {mark}, \
         published_at = {} WHERE target = {target} AND publish = {publish} AND published_at IS NULL",
        database.now()
    );
    match connection.execute(UNWRITABLE, &update)? {
        1 => {}
        // Its entry was taken by the attempt that should have been the only one.
        0 if is_sabotaged("fence") => {}
        changed => return Err(Error::bug(format!("a publish has {changed} entries in the ledger"))),
    }
    let of_target = format!("target = {target} AND published_at IS NOT NULL");
    let surplus = format!(
        "SELECT epoch FROM {publishes} WHERE {of_target} ORDER BY epoch DESC LIMIT 1 OFFSET {MAX_PUBLISHES}"
    );
    let Some(row) = connection.query(UNREADABLE, &surplus)?.into_iter().next() else { return Ok(()) };
    let epoch: u64 = number(&row, 0)?;
    let forget = format!("UPDATE {targets} SET forgotten = {epoch} WHERE target = {target}");
    connection.execute(UNWRITABLE, &forget)?;
    let delete = format!("DELETE FROM {publishes} WHERE {of_target} AND epoch <= {epoch}");
    connection.execute(UNWRITABLE, &delete).map(drop)
}

/// Takes back what an attempt that does not publish has claimed and staged. One try: what is left is dropped later.
pub(crate) fn withdraw(database: &dyn Database, claim: &Claim, check: Check<'_>) -> Result<()> {
    let connection = database.connect(check)?;
    let sql = format!(
        "DELETE FROM {} WHERE target = {} AND publish = {} AND published_at IS NULL",
        database.table(PUBLISHES),
        database.literal(&claim.target),
        database.literal(&claim.publish)
    );
    connection.execute(UNWRITABLE, &sql)?;
    database.drop_staging(&*connection, &claim.staging)
}

/// Drops the staging tables that no attempt may publish any more. What cannot be dropped now is left for the next sweep.
///
/// # Errors
/// When they cannot be listed.
pub(crate) fn sweep(database: &dyn Database, check: Check<'_>) -> Result<()> {
    let connection = database.connect(check)?;
    // Listed first: a claim is in the ledger before its table is made.
    let stagings = database.stagings(&*connection)?;
    let sql = format!("SELECT staging FROM {} WHERE published_at IS NULL", database.table(PUBLISHES));
    let claimed: Texts = connection.query(UNREADABLE, &sql)?;
    let is_claimed = |name: &String| claimed.iter().any(|row| row.first() == Some(&Some(name.clone())));
    for name in stagings.iter().filter(|name| !is_claimed(name)) {
        match database.drop_staging(&*connection, name) {
            Ok(()) => log::info!("dropped the staging table {name} of an attempt that has ended"),
            Err(error) => log::debug!("the staging table {name} stays for now: {error}"),
        }
    }
    Ok(())
}
