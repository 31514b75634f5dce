//! MySQL and MariaDB as publishing needs them: connections, quoting, the ledger and the staging tables.

use std::cell::RefCell;
use std::time::Duration;

use kiln::{Error, Result};

use super::super::address::Address;
use super::super::session::{Purpose, Session, identifier, literal};
use crate::publish::{Check, Connection, Database, NoCommit, PUBLISHES, STAGING, TARGETS, Texts};
use crate::retry::Retry;

/// How long the drop of a staging table waits for who still writes to it, in seconds.
const DROP_SECONDS: u32 = 2;

/// A database of the server, which holds the target, its ledger and its staging tables.
pub(super) struct MysqlDatabase {
    pub(super) address: Address,
    pub(super) schema: String,
    pub(super) retry: Retry,
    pub(super) answer_limit: Duration,
}

impl MysqlDatabase {
    /// A table beside the target, as SQL names it.
    pub(super) fn beside(&self, name: &str) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(name))
    }
}

/// One connection, whose waits end when `check` says so.
struct MysqlConnection<'c> {
    session: RefCell<Session>,
    check: Check<'c>,
}

impl Connection for MysqlConnection<'_> {
    fn execute(&self, what: &str, sql: &str) -> Result<u64> {
        self.session.borrow_mut().texts(what, sql, self.check).map(|(_, changed)| changed)
    }

    fn query(&self, what: &str, sql: &str) -> Result<Texts> {
        self.session.borrow_mut().texts(what, sql, self.check).map(|(rows, _)| rows)
    }

    fn commit(&self) -> Result<(), NoCommit> {
        self.session.borrow_mut().commit(self.check)
    }
}

impl Database for MysqlDatabase {
    fn connect<'c>(&self, check: Check<'c>) -> Result<Box<dyn Connection + 'c>> {
        let session = Session::connect(&self.address, Purpose::Write, self.answer_limit, check)?;
        Ok(Box::new(MysqlConnection { session: RefCell::new(session), check }))
    }

    fn retry(&self) -> Retry {
        self.retry
    }

    fn begin(&self) -> String {
        // The session has the isolation level in which a statement sees what others have committed before it.
        "START TRANSACTION".to_owned()
    }

    fn literal(&self, text: &str) -> String {
        literal(text)
    }

    fn table(&self, name: &str) -> String {
        self.beside(name)
    }

    fn has_ledger(&self, connection: &dyn Connection) -> Result<bool> {
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME IN ({}, {})",
            literal(&self.schema),
            literal(TARGETS),
            literal(PUBLISHES)
        );
        let rows = connection.query("the ledger of publishes cannot be looked up", &sql)?;
        Ok(rows.first().and_then(|row| row.first()).is_some_and(|count| count.as_deref() == Some("2")))
    }

    fn create_ledger(&self) -> Vec<String> {
        let (targets, publishes) = (self.table(TARGETS), self.table(PUBLISHES));
        // Equal names are equal byte by byte.
        let text = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
        vec![
            format!(
                "CREATE TABLE IF NOT EXISTS {targets} (target varchar(512) {text} PRIMARY KEY, epoch bigint NOT NULL,
                     forgotten bigint NOT NULL) ENGINE = InnoDB"
            ),
            format!(
                "CREATE TABLE IF NOT EXISTS {publishes} (
                     target varchar(512) {text} NOT NULL, epoch bigint NOT NULL, run_id varchar(512) {text},
                     write_number bigint NOT NULL, attempt bigint NOT NULL, publish varchar(64) {text} NOT NULL,
                     change_kind varchar(20) NOT NULL, predicate longtext {text}, staging varchar(64) {text} NOT NULL,
                     mark varchar(64), part_count bigint, row_count bigint, byte_count bigint,
                     claimed_at datetime(6) NOT NULL, published_at datetime(6), PRIMARY KEY (target, epoch)) ENGINE = InnoDB"
            ),
        ]
    }

    fn insert_target(&self, target: &str) -> String {
        format!(
            "INSERT INTO {} (target, epoch, forgotten) VALUES ({}, 0, 0) ON DUPLICATE KEY UPDATE epoch = epoch",
            self.table(TARGETS),
            literal(target)
        )
    }

    fn now(&self) -> &'static str {
        "SYSDATE(6)"
    }

    fn ago(&self, age: Duration) -> String {
        format!("SYSDATE(6) - INTERVAL {} SECOND", age.as_secs())
    }

    fn stagings(&self, connection: &dyn Connection) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND LEFT(TABLE_NAME, {}) = {}",
            literal(&self.schema),
            STAGING.len(),
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
        let what = "the staging table cannot be dropped";
        connection.execute(what, &format!("SET lock_wait_timeout = {DROP_SECONDS}"))?;
        connection.execute(what, &format!("DROP TABLE IF EXISTS {}", self.beside(name))).map(drop)
    }
}
