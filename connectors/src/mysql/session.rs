//! One connection: opened as the address asks, with settings of its own, driven by the thread that uses it.
//!
//! As with PostgreSQL, each session owns a small tokio runtime without threads, and a session that only holds a snapshot open
//! is not driven at all.

use std::time::Duration;

use kiln::{Error, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Conn, DriverError, Opts, OptsBuilder, QueryResult, Row, SslOpts, Value};
use tokio::runtime::{Builder, Handle, Runtime};

use super::address::{Address, Tls};
use super::errors;
use super::types::Described;
use crate::publish::{NoCommit, Texts};
use crate::wait::{Check, wait};

/// How long a connection may take to come about, with authentication and encryption.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);
/// The first question whether an idle peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The longest packet, and so the longest row, that the protocol knows.
const MAX_PACKET: usize = 1 << 30;
/// How long the end of a connection may take: a server that still sends rows is not waited for.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);
/// How long the rows that nobody wants any more are read, before the server is told to stop; and after that.
const DRAIN_LIMIT: Duration = Duration::from_millis(100);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The error of a statement that was told to stop.
const INTERRUPTED: u16 = 1317;

/// Values are written and read in one form, whatever the settings of the server and of the user, no limit cuts what is read,
/// and a connection that waits for tasks, or for one that reads slowly, is not ended.
const SETTINGS: &str = "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = '', sql_select_limit = 18446744073709551615, \
    sql_big_selects = 1, sql_auto_is_null = 0, wait_timeout = 2147483, net_write_timeout = 86400, net_read_timeout = 3600";
/// What is written is refused where it does not fit, or is what was meant: 0 is a number also where the server counts.
const WRITE_SETTINGS: &str = "SET sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO', \
    innodb_lock_wait_timeout = 300";
/// The limits of MariaDB on transactions that wait.
const MARIADB_SETTINGS: &str = "SET idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0";

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Statements of a transaction see the moment of its beginning.
    Read,
    /// Statements see what others have committed before them.
    Write,
}

/// A connection and what drives it.
pub(super) struct Session {
    /// These two are taken when the session is dropped.
    runtime: Option<Runtime>,
    conn: Option<Conn>,
    /// How long a reply may take.
    limit: Duration,
    pub(super) is_mariadb: bool,
    /// Whether the rows of a statement have not all been read.
    is_reading: bool,
}

impl Session {
    /// Connects; `limit` bounds every later wait for a reply.
    ///
    /// # Errors
    /// By the table of errors, with the server.
    pub(super) fn connect(
        address: &Address,
        purpose: Purpose,
        limit: Duration,
        check: Check<'_>,
    ) -> Result<Session> {
        let cannot_run = |e| Error::io("a connection cannot be driven", e);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot_run)?;
        // The client takes the provider of the process; one that the program has chosen stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = options(address)?;
        let connected = wait(&runtime, check, HANDSHAKE_LIMIT, async {
            open(address, options).await.map_err(errors::of_connect)
        });
        let conn = Some(connected.map_err(|e| e.at("server", address))?);
        let mut session =
            Session { runtime: Some(runtime), conn, limit, is_mariadb: false, is_reading: false };
        session.set_up(purpose, check)?;
        Ok(session)
    }

    fn set_up(&mut self, purpose: Purpose, check: Check<'_>) -> Result<()> {
        self.execute("the connection cannot be set up", SETTINGS, check)?;
        let rows = self.query("the version cannot be read", "SELECT VERSION()", check)?;
        let version = rows.first().map(|row| text(row, 0)).transpose()?.unwrap_or_default();
        self.is_mariadb = version.contains("MariaDB");
        if self.is_mariadb {
            self.execute("the connection cannot be set up", MARIADB_SETTINGS, check)?;
        }
        let isolation = match purpose {
            Purpose::Read => "REPEATABLE READ",
            Purpose::Write => {
                self.execute("the connection cannot be set up", WRITE_SETTINGS, check)?;
                "READ COMMITTED"
            }
        };
        let isolation = format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}");
        self.execute("the connection cannot be set up", &isolation, check)
    }

    /// Ends statements that take longer than `limit`.
    pub(super) fn limit_statements(&mut self, limit: Option<Duration>, check: Check<'_>) -> Result<()> {
        let Some(limit) = limit else { return Ok(()) };
        let sql = match self.is_mariadb {
            true => format!("SET max_statement_time = {}", limit.as_secs_f64().max(0.001)),
            false => format!("SET max_execution_time = {}", limit.as_millis().max(1)),
        };
        self.execute("the time of statements cannot be limited", &sql, check)
    }

    /// Begins a transaction that sees the moment of its beginning and changes nothing.
    pub(super) fn begin(&mut self, check: Check<'_>) -> Result<()> {
        let sql = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        self.execute("a transaction cannot be begun", sql, check)
    }

    /// Runs a statement without results.
    pub(super) fn execute(&mut self, what: &str, sql: &str, check: Check<'_>) -> Result<()> {
        self.run(check, async |conn| conn.query_drop(sql).await.map_err(|e| errors::of(what, e)))
    }

    /// The rows of a small query.
    pub(super) fn query(&mut self, what: &str, sql: &str, check: Check<'_>) -> Result<Vec<Row>> {
        self.run(check, async |conn| conn.exec(sql, ()).await.map_err(|e| errors::of(what, e)))
    }

    /// The rows of a small query that cannot be prepared, as text.
    pub(super) fn query_as_text(&mut self, what: &str, sql: &str, check: Check<'_>) -> Result<Vec<Row>> {
        self.run(check, async |conn| conn.query(sql).await.map_err(|e| errors::of(what, e)))
    }

    /// The rows of a statement as texts, and how many rows it has changed.
    pub(super) fn texts(&mut self, what: &str, sql: &str, check: Check<'_>) -> Result<(Texts, u64)> {
        self.run(check, async |conn| {
            let failed = |e| errors::of(what, e);
            let mut result = conn.query_iter(sql).await.map_err(failed)?;
            let rows: Vec<Row> = result.collect().await.map_err(failed)?;
            let changed = result.affected_rows();
            result.drop_result().await.map_err(failed)?;
            let texts = |row: &Row| -> Result<Vec<Option<String>>> {
                (0..row.len()).map(|at| optional(row, at)).collect()
            };
            Ok((rows.iter().map(texts).collect::<Result<Texts>>()?, changed))
        })
    }

    /// Commits the transaction.
    pub(super) fn commit(&mut self, check: Check<'_>) -> Result<(), NoCommit> {
        let what = "the transaction cannot be committed";
        let mut is_refused = false;
        let committed = self.run(check, async |conn| {
            let done = conn.query_drop("COMMIT").await;
            is_refused = matches!(done, Err(mysql_async::Error::Server(_)));
            done.map_err(|e| errors::of(what, e))
        });
        committed.map_err(|error| match is_refused {
            true => NoCommit::Refused(error),
            false => NoCommit::Unanswered(error),
        })
    }

    /// The columns of a query, which does not run, with their names.
    pub(super) fn describe(
        &mut self,
        what: &str,
        sql: &str,
        check: Check<'_>,
    ) -> Result<Vec<(String, Described)>> {
        self.run(check, async |conn| {
            let failed = |e| errors::of(what, e);
            let statement = conn.prep(sql).await.map_err(failed)?;
            if statement.num_params() > 0 {
                let mismatch =
                    DriverError::StmtParamsMismatch { required: statement.num_params(), supplied: 0 };
                return Err(failed(mismatch.into()));
            }
            let columns = statement.columns();
            let named = columns.iter().map(|column| (column.name_str().into_owned(), Described::of(column)));
            Ok(named.collect())
        })
    }

    /// Runs a query whose rows are read by [`next_row`](Session::next_row), and gives its columns.
    pub(super) fn start(&mut self, sql: &str, check: Check<'_>) -> Result<Vec<Described>> {
        let columns = self.run(check, async |conn| {
            let result = conn.exec_iter(sql, ()).await;
            let result = result.map_err(|e| errors::of("the rows cannot be read", e))?;
            // Dropped, it leaves its rows to be read.
            Ok(result.columns_ref().iter().map(Described::of).collect())
        })?;
        self.is_reading = true;
        Ok(columns)
    }

    /// Reads rows and hands them to `take`, until that wants no more or they end; returns whether they have.
    pub(super) fn read(
        &mut self,
        check: Check<'_>,
        mut take: impl FnMut(Vec<Value>) -> Result<bool>,
    ) -> Result<bool> {
        let ended = self.run(check, async |conn| {
            let mut rows = QueryResult::<BinaryProtocol>::new(conn);
            loop {
                let row = rows.next().await.map_err(|e| errors::of("the rows cannot be read", e))?;
                match row {
                    None => return Ok(true),
                    Some(row) => {
                        if !take(row.unwrap())? {
                            return Ok(false);
                        }
                    }
                }
            }
        })?;
        self.is_reading = !ended;
        Ok(ended)
    }

    /// Ends the statement whose rows are being read, so that the connection and its snapshot can be used again.
    ///
    /// # Errors
    /// When the connection is of no more use.
    pub(super) fn stop(&mut self, address: &Address) -> Result<()> {
        if !self.is_reading {
            return Ok(());
        }
        if self.drain(DRAIN_LIMIT).is_err() {
            let id = self.conn.as_ref().map_or(0, Conn::id);
            let begun = std::time::Instant::now();
            let check = || match begun.elapsed() > STOP_LIMIT {
                true => Err(Error::transient("a statement did not stop")),
                false => Ok(()),
            };
            let mut other = Session::connect(address, Purpose::Read, STOP_LIMIT, &check)?;
            other.execute("a statement cannot be stopped", &format!("KILL QUERY {id}"), &check)?;
            self.drain(STOP_LIMIT)?;
        }
        self.is_reading = false;
        Ok(())
    }

    /// Reads the rows that are left, for so long.
    fn drain(&mut self, limit: Duration) -> Result<()> {
        let begun = std::time::Instant::now();
        let check = || match begun.elapsed() > limit {
            true => Err(Error::transient("rows are left")),
            false => Ok(()),
        };
        self.run(&check, async |conn| {
            let drained = QueryResult::<BinaryProtocol>::new(conn).drop_result().await;
            match drained {
                Err(mysql_async::Error::Server(error)) if error.code == INTERRUPTED => Ok(()),
                drained => drained.map_err(|e| errors::of("the rows cannot be read", e)),
            }
        })
    }

    /// Drives the connection until `work` is done.
    fn run<T>(&mut self, check: Check<'_>, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        match (&self.runtime, &mut self.conn) {
            (Some(runtime), Some(conn)) => wait(runtime, check, self.limit, work(conn)),
            _ => Err(Error::bug("a connection is used after its end")),
        }
    }
}

/// Tells the server that the connection ends, if that is quickly done; else the server finds out by itself.
impl Drop for Session {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if let Some(conn) = self.conn.take() {
            // Where another runtime drives this thread, nothing may be waited for; and rows that are left would be read.
            let closes = Handle::try_current().is_err() && !self.is_reading;
            let close = async {
                match closes {
                    true => tokio::time::timeout(CLOSE_LIMIT, conn.disconnect()).await.is_ok(),
                    false => false,
                }
            };
            if Handle::try_current().is_err() {
                runtime.block_on(close);
            }
        }
        runtime.shutdown_background();
    }
}

/// Opens a connection; without encryption, where that is only preferred and the server has none.
async fn open(address: &Address, options: OptsBuilder) -> mysql_async::Result<Conn> {
    match Conn::new(options.clone()).await {
        Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
            if address.tls == Tls::Preferred =>
        {
            Conn::new(options.ssl_opts(None)).await
        }
        opened => opened,
    }
}

fn options(address: &Address) -> Result<OptsBuilder> {
    let password = address.password()?;
    Ok(OptsBuilder::from_opts(Opts::default())
        .ip_or_hostname(address.host.as_str())
        .tcp_port(address.port)
        .socket(address.socket.as_deref())
        .prefer_socket(false)
        .user(Some(address.user.as_str()))
        .pass(password.as_ref().map(|password| password.reveal()))
        .db_name(Some(address.database.as_str()).filter(|name| !name.is_empty()))
        .tcp_keepalive(Some(KEEPALIVE))
        .max_allowed_packet(Some(MAX_PACKET))
        .wait_timeout(Some(usize::MAX))
        .ssl_opts(encryption(address)?))
}

fn encryption(address: &Address) -> Result<Option<SslOpts>> {
    let options = SslOpts::default();
    Ok(match address.tls {
        Tls::Disabled => None,
        _ if address.socket.is_some() => None,
        Tls::Preferred | Tls::Required => Some(options.with_danger_accept_invalid_certs(true)),
        Tls::VerifyIdentity => {
            let authorities = authorities(address)?.into_iter().map(Into::into).collect();
            Some(options.with_disable_built_in_roots(true).with_root_certs(authorities))
        }
    })
}

/// The certificates of authorities: those of the file, or of the system.
fn authorities(address: &Address) -> Result<Vec<Vec<u8>>> {
    match &address.ca {
        Some(path) => {
            let unreadable = |e| Error::io("`ssl-ca` cannot be read", e).at("file", path.display());
            Ok(vec![std::fs::read(path).map_err(unreadable)?])
        }
        None => {
            let found = rustls_native_certs::load_native_certs().certs;
            if found.is_empty() {
                let error = Error::config("this system has no certificates of authorities");
                return Err(error
                    .help("install them (`apt-get install ca-certificates`), or name a file by `ssl-ca`"));
            }
            Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect())
        }
    }
}

/// A value of a row of the catalogue, as text; nothing for a null.
pub(super) fn optional(row: &Row, at: usize) -> Result<Option<String>> {
    let unexpected = || Error::config("the catalogue of the server is not as expected");
    match row.as_ref(at).ok_or_else(unexpected)? {
        Value::NULL => Ok(None),
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).map(Some).map_err(|_| unexpected()),
        Value::Int(int) => Ok(Some(int.to_string())),
        Value::UInt(int) => Ok(Some(int.to_string())),
        Value::Double(double) => Ok(Some(double.to_string())),
        _ => Err(unexpected()),
    }
}

/// The same, where there is no null.
pub(super) fn text(row: &Row, at: usize) -> Result<String> {
    Ok(optional(row, at)?.unwrap_or_default())
}

/// A text as SQL writes it, whatever the mode of the session is.
pub(super) fn literal(text: &str) -> String {
    format!("_utf8mb4 X'{}'", hex(text.as_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A name as SQL writes it.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_names_cannot_be_ended_from_within() {
        assert_eq!(literal("a'b\\"), "_utf8mb4 X'6127625C'");
        assert_eq!(identifier("a`b"), "`a``b`");
    }
}
