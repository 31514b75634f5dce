//! PostgreSQL as publishing needs it: connections, quoting, the ledger and the staging tables.

use std::time::Duration;

use kiln::{Error, Result};

use super::super::address::Address;
use super::super::session::{Session, literal};
use crate::publish::{Check, Connection, Database, NoCommit, PUBLISHES, STAGING, TARGETS, Texts};
use crate::retry::Retry;

/// How long a transaction waits for a lock of another publish.
const LOCK_LIMIT: Duration = Duration::from_secs(300);
/// How long the drop of a staging table waits for who still writes to it.
const DROP_LIMIT: Duration = Duration::from_secs(2);
/// What attempts that create the ledger at the same time lock.
const LEDGER_LOCK: i64 = 0x6b69_6c6e;

/// A database, and the schema of its ledger.
pub(super) struct PostgresDatabase {
    pub(super) address: Address,
    /// The schema of the ledger and of the staging tables, as SQL writes it.
    pub(super) schema: String,
    pub(super) retry: Retry,
    pub(super) answer_limit: Duration,
    pub(super) statement_timeout: Option<Duration>,
}

impl PostgresDatabase {
    /// A staging table, as SQL names it.
    pub(super) fn staging(&self, name: &str) -> String {
        format!("{}.{name}", self.schema)
    }
}

/// One connection, whose waits end when `check` fails.
struct PostgresConnection<'c> {
    session: Session,
    check: Check<'c>,
}

impl Connection for PostgresConnection<'_> {
    fn execute(&self, what: &str, sql: &str) -> Result<u64> {
        self.session.texts(what, sql, self.check).map(|(_, changed)| changed)
    }

    fn query(&self, what: &str, sql: &str) -> Result<Texts> {
        self.session.texts(what, sql, self.check).map(|(rows, _)| rows)
    }

    fn commit(&self) -> Result<(), NoCommit> {
        self.session.commit(self.check)
    }
}

impl Database for PostgresDatabase {
    fn connect<'c>(&self, check: Check<'c>) -> Result<Box<dyn Connection + 'c>> {
        let session = Session::connect(&self.address, self.answer_limit, check)?;
        Ok(Box::new(PostgresConnection { session, check }))
    }

    fn retry(&self) -> Retry {
        self.retry
    }

    fn begin(&self) -> String {
        Session::begin_write(LOCK_LIMIT, self.statement_timeout)
    }

    fn literal(&self, text: &str) -> String {
        literal(text)
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{name}", self.schema)
    }

    fn has_ledger(&self, connection: &dyn Connection) -> Result<bool> {
        let is_there = |name| format!("to_regclass({}) IS NOT NULL", literal(&self.table(name)));
        let sql = format!("SELECT CASE WHEN {} AND {} THEN 1 END", is_there(TARGETS), is_there(PUBLISHES));
        let rows = connection.query("the ledger of publishes cannot be looked up", &sql)?;
        Ok(rows.first().and_then(|row| row.first()).is_some_and(Option::is_some))
    }

    fn create_ledger(&self) -> Vec<String> {
        let (targets, publishes) = (self.table(TARGETS), self.table(PUBLISHES));
        vec![
            // One at a time: two that create a table at the same time fail, also with IF NOT EXISTS.
            format!("BEGIN; SELECT pg_advisory_xact_lock({LEDGER_LOCK})"),
            format!(
                "CREATE TABLE IF NOT EXISTS {targets} (
                     target text PRIMARY KEY, epoch bigint NOT NULL, forgotten bigint NOT NULL)"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {publishes} (
                     target text NOT NULL, epoch bigint NOT NULL, run_id text, write_number bigint NOT NULL,
                     attempt bigint NOT NULL, publish text NOT NULL, change_kind text NOT NULL, predicate text,
                     staging text NOT NULL, mark text, part_count bigint, row_count bigint, byte_count bigint,
                     claimed_at timestamptz NOT NULL, published_at timestamptz,
                     PRIMARY KEY (target, epoch))"
            ),
            "COMMIT".to_owned(),
        ]
    }

    fn insert_target(&self, target: &str) -> String {
        format!(
            "INSERT INTO {} (target, epoch, forgotten) VALUES ({}, 0, 0) ON CONFLICT DO NOTHING",
            self.table(TARGETS),
            literal(target)
        )
    }

    fn now(&self) -> &'static str {
        // Not that of the transaction's begin, which may have waited for a lock.
        "clock_timestamp()"
    }

    fn ago(&self, age: Duration) -> String {
        format!("clock_timestamp() - interval '{} s'", age.as_secs())
    }

    fn stagings(&self, connection: &dyn Connection) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT c.relname FROM pg_catalog.pg_class c
             WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace({})::oid AND starts_with(c.relname, {})",
            literal(&self.schema),
            literal(STAGING)
        );
        let rows = connection.query("the staging tables cannot be listed", &sql)?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    fn drop_staging(&self, connection: &dyn Connection, name: &str) -> Result<()> {
        let is_staging = name
            .strip_prefix(STAGING)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !is_staging {
            return Err(Error::bug(format!("`{name}` is no staging table")));
        }
        let limit = DROP_LIMIT.as_millis();
        let sql = format!("SET lock_timeout = {limit}; DROP TABLE IF EXISTS {}", self.staging(name));
        connection.execute("the staging table cannot be dropped", &sql).map(drop)
    }
}
