//! One connection: opened as the address asks, in a transaction that reads or writes, driven by the thread that uses it.
//!
//! Each session owns a small tokio runtime without threads. A task is synchronous, so its thread drives the connection
//! while it waits for rows, and nothing runs in the background. A session that holds a snapshot open is not driven at all:
//! the server needs no answer from it.

use std::future::Future;
use std::time::Duration;

use kiln::{Error, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::Severity;
use tokio_postgres::{Client, Config, Row, SimpleQueryMessage, Statement};

use super::address::{Address, Tls};
use super::{errors, tls};
use crate::publish::{NoCommit, Texts};
use crate::wait::{Check, wait};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// The same with authentication and encryption, for each host.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(60);
/// The first question whether an idle peer is still there, and the pause between further ones.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));
/// How many of these questions may stay without an answer.
const KEEPALIVE_TRIES: u32 = 3;
/// How long the end of a connection may take: a server that still sends rows is not waited for.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// Values are written and read in one form, whatever the settings of the server and of the role; a transaction that
/// waits for tasks is not ended for being idle.
const SETTINGS: &str = "SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; \
    SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; \
    SET LOCAL idle_in_transaction_session_timeout = 0;";

/// A connection and what drives it.
pub(super) struct Session {
    /// These three are taken when the session is dropped.
    runtime: Option<Runtime>,
    client: Option<Client>,
    connection: Option<JoinHandle<()>>,
    /// How long a reply may take.
    limit: Duration,
}

impl Session {
    /// Connects; `limit` bounds every later wait for a reply.
    pub(super) fn connect(address: &Address, limit: Duration, check: Check<'_>) -> Result<Session> {
        let cannot_run = |e| Error::io("a connection cannot be driven", e);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot_run)?;
        let (config, tls) = (config(address)?, tls::connector(address)?);
        let connected = wait(&runtime, check, HANDSHAKE_LIMIT, async {
            let connected = config.connect(tls).await;
            connected.map_err(|e| errors::of("cannot connect to the PostgreSQL server", e))
        });
        let (client, connection) = connected.map_err(|e| e.at("server", address))?;
        let connection = runtime.spawn(async {
            // The client's next request reports the same error.
            let _ = connection.await;
        });
        Ok(Session { runtime: Some(runtime), client: Some(client), connection: Some(connection), limit })
    }

    /// Begins a transaction that sees one state of the database and changes nothing.
    pub(super) fn begin(&self, statement_timeout: Option<Duration>, check: Check<'_>) -> Result<()> {
        let timeout = statement_timeout
            .map(|limit| format!("SET LOCAL statement_timeout = {};", limit.as_millis().max(1)))
            .unwrap_or_default();
        let sql = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {SETTINGS} {timeout}");
        self.execute("a transaction cannot be begun", &sql, check)
    }

    /// Makes the transaction see what the one that exported `snapshot` sees; in the server's list of activities it is called
    /// `tag`.
    pub(super) fn join(&self, snapshot: &str, tag: &str, check: Check<'_>) -> Result<()> {
        let (snapshot, tag) = (literal(snapshot), literal(tag));
        let sql = format!("SET LOCAL application_name = {tag}; SET TRANSACTION SNAPSHOT {snapshot}");
        // A connection that breaks here says nothing about the snapshot.
        let is_refused = |e: &tokio_postgres::Error| {
            e.code()
                .is_some_and(|code| !["08", "53", "57"].iter().any(|class| code.code().starts_with(class)))
        };
        self.wait(check, async {
            self.client()?.batch_execute(&sql).await.map_err(|e| match is_refused(&e) {
                true => errors::snapshot_lost(errors::of("it cannot be imported", e)),
                false => errors::of("the snapshot cannot be imported", e),
            })
        })
    }

    /// Runs statements without results.
    pub(super) fn execute(&self, what: &str, sql: &str, check: Check<'_>) -> Result<()> {
        self.wait(check, async { self.client()?.batch_execute(sql).await.map_err(|e| errors::of(what, e)) })
    }

    /// The rows of a small query.
    pub(super) fn query(&self, what: &str, sql: &str, check: Check<'_>) -> Result<Vec<Row>> {
        self.wait(check, async { self.client()?.query(sql, &[]).await.map_err(|e| errors::of(what, e)) })
    }

    /// Begins a transaction that sees what was committed before each statement, and that waits no longer than `lock_limit`
    /// for the lock of another one.
    pub(super) fn begin_write(lock_limit: Duration, statement_timeout: Option<Duration>) -> String {
        let timeout = statement_timeout
            .map(|limit| format!("SET LOCAL statement_timeout = {};", limit.as_millis().max(1)))
            .unwrap_or_default();
        let lock = lock_limit.as_millis().max(1);
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {SETTINGS} SET LOCAL lock_timeout = {lock}; {timeout}"
        )
    }

    /// Runs statements; gives the rows of the last one as texts, and how many rows it has changed or given.
    pub(super) fn texts(&self, what: &str, sql: &str, check: Check<'_>) -> Result<(Texts, u64)> {
        let messages = self
            .wait(check, async { self.client()?.simple_query(sql).await.map_err(|e| errors::of(what, e)) })?;
        let (mut rows, mut changed) = (Vec::new(), 0);
        for message in messages {
            match message {
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
                }
                SimpleQueryMessage::CommandComplete(count) => changed = count,
                _ => rows.clear(),
            }
        }
        Ok((rows, changed))
    }

    /// Commits the transaction. An answer of the server that it ends the connection leaves the outcome open.
    pub(super) fn commit(&self, check: Check<'_>) -> Result<(), NoCommit> {
        const WHAT: &str = "the transaction cannot be committed";
        let done = self.wait(check, async { Ok(self.client()?.batch_execute("COMMIT").await) });
        match done {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let is_answer = error.as_db_error().is_some_and(|db| {
                    db.parsed_severity() == Some(Severity::Error) && !db.code().code().starts_with("08")
                });
                let error = errors::of(WHAT, error);
                Err(if is_answer { NoCommit::Refused(error) } else { NoCommit::Unanswered(error) })
            }
            Err(error) => Err(NoCommit::Unanswered(error)),
        }
    }

    /// The columns of a query, which does not run.
    pub(super) fn describe(&self, what: &str, sql: &str, check: Check<'_>) -> Result<Statement> {
        self.wait(check, async { self.client()?.prepare(sql).await.map_err(|e| errors::of(what, e)) })
    }

    /// The client, for requests whose replies are read bit by bit.
    pub(super) fn client(&self) -> Result<&Client> {
        self.client.as_ref().ok_or_else(|| Error::bug("a connection is used after its end"))
    }

    /// Drives the connection until `work` is done.
    pub(super) fn wait<T>(&self, check: Check<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.runtime {
            Some(runtime) => wait(runtime, check, self.limit, work),
            None => Err(Error::bug("a connection is used after its end")),
        }
    }
}

/// Tells the server that the connection ends, if that is quickly done; else the server finds out by itself.
impl Drop for Session {
    fn drop(&mut self) {
        drop(self.client.take());
        let Some(runtime) = self.runtime.take() else { return };
        // Where another runtime drives this thread, nothing may be waited for.
        if let (Some(connection), Err(_)) = (self.connection.take(), Handle::try_current()) {
            let _ = runtime.block_on(async { tokio::time::timeout(CLOSE_LIMIT, connection).await });
        }
        runtime.shutdown_background();
    }
}

/// A value of a row of the catalogue.
pub(super) fn value<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, at: usize) -> Result<T> {
    row.try_get(at).map_err(|e| Error::config("the catalogue of the server is not as expected").because(e))
}

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A name as SQL writes it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn config(address: &Address) -> Result<Config> {
    let mut config = Config::new();
    config
        .user(&address.user)
        .dbname(&address.database)
        .port(address.port)
        .application_name(&address.application_name)
        .connect_timeout(CONNECT_LIMIT)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE.0)
        .keepalives_interval(KEEPALIVE.1)
        .keepalives_retries(KEEPALIVE_TRIES)
        .ssl_mode(match address.tls {
            Tls::Disable => SslMode::Disable,
            Tls::Prefer if address.is_socket() => SslMode::Disable,
            Tls::Prefer => SslMode::Prefer,
            Tls::Require | Tls::VerifyCa | Tls::VerifyFull => SslMode::Require,
        });
    match address.is_socket() {
        true => config.host_path(&address.host),
        false => config.host(&address.host),
    };
    if let Some(password) = address.password()? {
        config.password(password.reveal());
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_in_literals_and_names() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    }
}
