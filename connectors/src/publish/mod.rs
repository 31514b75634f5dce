//! Publishing into a table of a database: exactly once, and by nobody but the newest attempt.
//!
//! Tasks write their rows into a staging table of the attempt, each row with the number of its part. The driver then
//! moves the rows of the parts that it counts into the target, and records the publish in a ledger, in **one**
//! transaction: both are there, or neither. What follows from the ledger is here, and depends on no dialect of SQL:
//!
//! | step | module | |
//! |---|---|---|
//! | ask | [`ledger`] | a run that has published before is recognised without a claim |
//! | claim | [`ledger`], [`rules`] | the attempt gets an epoch, and takes the claim of an older attempt |
//! | stage | the connector | rows go into the staging table that the claim names |
//! | commit | [`commit`] | the claim is checked under a row lock, rows move, the ledger is written, all in one transaction |
//! | lost reply | [`commit`] | the ledger is read again on a new connection, under the same lock |
//! | sweep | [`ledger`] | staging tables without a claim are dropped |
//!
//! A connector implements [`Database`] and [`Connection`] (connecting, quoting, a few clauses that dialects spell
//! differently, its staging tables) and gives [`commit`] a closure that moves the rows. It needs nothing else: PostgreSQL
//! (`postgres/sink/database.rs`) is the model. Statements are plain SQL with literals in it, and results are read as
//! texts, so that each client can run them.
//!
//! The rules are those of files (`engine/src/publish/head.rs`), and so are the error words.

mod commit;
mod ledger;
mod rules;
mod target;

use std::time::Duration;

use kiln::Result;

use crate::retry::Retry;
pub(crate) use crate::wait::Check;
pub(crate) use commit::{STAGING_LOST, commit};
pub(crate) use ledger::{claim, published_before, sweep, withdraw};
pub(crate) use rules::{Change, Claim, Counts, Entry, Publisher, claim_lost, fenced_by_run};
pub(crate) use target::{Held, What, publisher, report};

/// The table of targets and their epochs, and the ledger of claims and publishes, beside the staging tables.
pub(crate) const TARGETS: &str = "kiln_targets";
/// The ledger: one row for each attempt that may publish, and for each publish.
pub(crate) const PUBLISHES: &str = "kiln_publishes";
/// What the names of staging tables begin with.
pub(crate) const STAGING: &str = "kiln_staging_";

/// An attempt that began longer ago than this, and has not published, loses its claim and its staging table.
pub(crate) const CLAIM_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Publishes of a target that the ledger keeps. An attempt older than the forgotten ones may not remove anything.
pub(crate) const MAX_PUBLISHES: u64 = 1000;

/// Rows of a small query, each value as text.
pub(crate) type Texts = Vec<Vec<Option<String>>>;

/// A connection, with a transaction or without one.
pub(crate) trait Connection {
    /// Runs one statement, and returns how many rows it has changed. `what` begins the message of an error.
    ///
    /// # Errors
    /// By the database's code; transient when the connection broke.
    fn execute(&self, what: &str, sql: &str) -> Result<u64>;

    /// The rows of a small query.
    ///
    /// # Errors
    /// As [`execute`](Connection::execute).
    fn query(&self, what: &str, sql: &str) -> Result<Texts>;

    /// Commits the transaction.
    ///
    /// # Errors
    /// Refused when the database has answered that nothing is committed, unanswered when no answer came.
    fn commit(&self) -> Result<(), NoCommit>;
}

/// Why a commit did not succeed, as far as that is known.
pub(crate) enum NoCommit {
    /// The database has answered, and nothing is committed.
    Refused(kiln::Error),
    /// No answer came: it may be committed or not.
    Unanswered(kiln::Error),
}

/// A database, as publishing needs it.
pub(crate) trait Database {
    /// Connects once; `check` ends every later wait on the connection.
    ///
    /// # Errors
    /// By the database's code; transient, with the reason `cannot_connect`, for a server that cannot be reached.
    fn connect<'c>(&self, check: Check<'c>) -> Result<Box<dyn Connection + 'c>>;

    /// How often a transaction is tried.
    fn retry(&self) -> Retry;

    /// Begins a transaction in which a statement sees what others have committed before it. Waits for locks must have a
    /// limit, after which the error is transient.
    fn begin(&self) -> String;

    /// A text as SQL writes it.
    fn literal(&self, text: &str) -> String;

    /// How SQL names a table of the ledger, [`TARGETS`] or [`PUBLISHES`], with its schema.
    fn table(&self, name: &str) -> String;

    /// Whether the ledger exists.
    ///
    /// # Errors
    /// As [`Connection::query`].
    fn has_ledger(&self, connection: &dyn Connection) -> Result<bool>;

    /// Statements that create the tables of the ledger where they are missing.
    ///
    /// [`TARGETS`]: `target` (text, the key), `epoch` and `forgotten` (64 bits). [`PUBLISHES`]: `target`, `epoch` (64 bits;
    /// together the key), `run_id` (null for a run without a name), `write_number`, `attempt` (32 bits or more), `publish`
    /// (a UUID as text), `change_kind`, `predicate` (null or text), `staging`, `mark` (null or text), `part_count`,
    /// `row_count`, `byte_count` (null or 64 bits), `claimed_at`, `published_at` (null or a time). Times are for readers,
    /// and for [`CLAIM_AGE`].
    fn create_ledger(&self) -> Vec<String>;

    /// Inserts a row into [`TARGETS`] unless one with its key is there.
    fn insert_target(&self, target: &str) -> String;

    /// What follows a query whose rows stay locked until the transaction ends: ` FOR UPDATE`; nothing where a transaction
    /// locks the whole database.
    fn for_update(&self) -> &'static str {
        " FOR UPDATE"
    }

    /// The time of the database, as SQL writes it.
    fn now(&self) -> &'static str {
        "CURRENT_TIMESTAMP"
    }

    /// The time of the database `age` ago, as SQL writes it.
    fn ago(&self, age: Duration) -> String;

    /// The names of all staging tables, which begin with [`STAGING`].
    ///
    /// # Errors
    /// As [`Connection::query`].
    fn stagings(&self, connection: &dyn Connection) -> Result<Vec<String>>;

    /// Drops a staging table, if it is there; without a long wait for whoever still writes to it.
    ///
    /// # Errors
    /// As [`Connection::execute`].
    fn drop_staging(&self, connection: &dyn Connection, name: &str) -> Result<()>;
}

/// Runs `work` on a new connection, as often as the database allows.
pub(crate) fn connected<T>(
    database: &dyn Database,
    what: &str,
    check: Check<'_>,
    mut work: impl FnMut(&dyn Connection) -> Result<T>,
) -> Result<T> {
    let done = database.retry().run(what, check, || work(&*database.connect(check)?));
    done.map_err(crate::retry::unreachable)
}
