//! The source: its settings, its splits, and the reader of one split.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use kiln::connect::{Hold, NetworkShare, Scan, ScanBatches, ScanPlan, ScanTask};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::CopyOutStream;

use super::address::Address;
use super::decode::{BadRow, Decoder, Progress};
use super::session::Session;
use super::types::Decoded;
use super::{errors, plan};
use crate::gate::{self, Permit};
use crate::retry::{Retry, unreachable};
pub(super) use crate::selection::Relation;
use crate::wait::Check;

/// Connections by which one process reads, unless set.
const MAX_CONNECTIONS: usize = 8;
/// How long a task waits for one of them.
const PERMIT_LIMIT: Duration = Duration::from_secs(600);
/// How long an answer of the server is waited for, unless set.
const ANSWER_LIMIT: Duration = Duration::from_secs(1800);

/// A table, view or query of a PostgreSQL database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostgresScan {
    /// The address, or why it is none.
    address: Result<Address, String>,
    pub(super) relation: Relation,
    pub(super) settings: Settings,
}

/// How it is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) columns: Option<Vec<String>>,
    pub(super) filter: Option<String>,
    pub(super) as_text: BTreeSet<String>,
    pub(super) split_by: Option<String>,
    pub(super) splits: Option<usize>,
    pub(super) max_connections: usize,
    pub(super) statement_timeout: Option<Duration>,
    pub(super) answer_limit: Duration,
    pub(super) retry: Retry,
    pub(super) password_file: Option<PathBuf>,
}

/// What one task reads: a statement under a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PostgresSplit {
    /// For errors: `shop.orders, pages from 0 to 4096`.
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) snapshot: String,
    pub(super) columns: Vec<Decoded>,
}

impl PostgresScan {
    pub(super) fn new(url: &str) -> PostgresScan {
        let settings = Settings {
            columns: None,
            filter: None,
            as_text: BTreeSet::new(),
            split_by: None,
            splits: None,
            max_connections: MAX_CONNECTIONS,
            statement_timeout: None,
            answer_limit: ANSWER_LIMIT,
            retry: Retry::default(),
            password_file: None,
        };
        let address = Address::parse(url).map_err(|error| error.to_string());
        PostgresScan { address, relation: Relation::Unset, settings }
    }

    pub(super) fn with_table(mut self, table: &str) -> PostgresScan {
        self.relation = Relation::Table(table.to_owned());
        self
    }

    pub(super) fn with_query(mut self, sql: &str) -> PostgresScan {
        self.relation = Relation::query(sql);
        self
    }

    /// Whether the address has a password in it, as its user's or as a parameter: such an address must not be kept in a file.
    pub fn holds_password(&self) -> bool {
        self.address.as_ref().is_ok_and(Address::holds_password)
    }

    /// The server, with the password file that was set.
    pub(super) fn server(&self) -> Result<Address> {
        let malformed = |text: &String| Error::config(text.as_str()).reason("malformed_address");
        let mut address = self.address.as_ref().map_err(malformed)?.clone();
        address.password_file = self.settings.password_file.clone();
        Ok(address)
    }

    /// Connects and begins, as often as the settings allow; `begin` is tried again with the connection.
    pub(super) fn connect<T>(
        &self,
        check: Check<'_>,
        mut begin: impl FnMut(&Session) -> Result<T>,
    ) -> Result<(Session, T)> {
        let address = self.server()?;
        let connected = self.settings.retry.run(&format!("connecting to {address}"), check, || {
            let session = Session::connect(&address, self.settings.answer_limit, check)?;
            match begin(&session) {
                Ok(begun) => Ok(Ok((session, begun))),
                // It does not come back.
                Err(error) if error.reason_word() == errors::SNAPSHOT_LOST => Ok(Err(error)),
                Err(error) => Err(error),
            }
        });
        connected.map_err(unreachable)?
    }
}

impl Scan for PostgresScan {
    type Split = PostgresSplit;

    fn address(&self) -> String {
        let server = match &self.address {
            Ok(address) => address.to_string(),
            Err(_) => "postgres://".to_owned(),
        };
        match &self.relation {
            Relation::Table(table) => format!("{server} {table}"),
            Relation::Query(_) | Relation::Unset => server,
        }
    }

    fn label(&self) -> String {
        match &self.relation {
            Relation::Table(table) => format!("read_postgres {table}"),
            Relation::Query(_) | Relation::Unset => "read_postgres query".to_owned(),
        }
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<PostgresSplit>> {
        plan::plan(self, wanted)
    }

    fn network_share(&self, hold: &Hold) -> Option<NetworkShare> {
        plan::network_share(hold)
    }

    fn count_rows(&self, _: &[PostgresSplit], hold: &Hold) -> Result<Option<u64>> {
        plan::count_rows(self, hold)
    }

    fn open<'t>(
        &'t self,
        split: &'t PostgresSplit,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>> {
        let check = || task.check();
        let server = self.server()?;
        let tag = server.tag(&split.snapshot);
        let server = server.to_string();
        let permit = gate::enter(&server, self.settings.max_connections, PERMIT_LIMIT, &check)?;
        let copy = format!("COPY ({}) TO STDOUT (FORMAT binary)", split.sql);
        let begin = |session: &Session| {
            session.begin(self.settings.statement_timeout, &check)?;
            session.join(&split.snapshot, &tag, &check)?;
            session.wait(&check, async {
                let begun = session.client()?.copy_out(copy.as_str()).await;
                begun.map_err(|e| errors::of("the rows cannot be read", e))
            })
        };
        let (session, stream) = self.connect(&check, begin).map_err(|e| e.at("split", &split.name))?;
        task.enter("split", &split.name, "row", 1);
        let decoder = Decoder::new(&split.columns, task.limits());
        Ok(Box::new(Reader {
            session,
            stream: Box::pin(stream),
            decoder,
            bytes: 0,
            split,
            task,
            _permit: permit,
        }))
    }
}

/// Reads one split.
struct Reader<'t> {
    // Before the session, which drives it.
    stream: Pin<Box<CopyOutStream>>,
    session: Session,
    decoder: Decoder,
    bytes: u64,
    split: &'t PostgresSplit,
    task: &'t ScanTask<'t>,
    _permit: Permit,
}

impl ScanBatches for Reader<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Reader { stream, session, decoder, bytes, split, task, .. } = self;
        let fill = async {
            loop {
                match decoder.decode() {
                    Ok(Progress::NeedsMore) => {}
                    // What a rejected row has left in the columns is thrown away.
                    Ok(Progress::Full) if decoder.rows() == 0 => {
                        decoder.finish(task.schema())?;
                        continue;
                    }
                    Ok(done) => return Ok(done),
                    Err(bad) if bad.column.is_some() => {
                        let (row, record) = (bad.row, record(&bad, task));
                        task.reject(row, &record, bad_row(bad, split, task))?;
                        continue;
                    }
                    Err(bad) => return Err(bad_row(bad, split, task)),
                }
                match stream.next().await {
                    Some(Ok(chunk)) => {
                        *bytes += chunk.len() as u64;
                        decoder.feed(chunk);
                    }
                    Some(Err(e)) => {
                        return Err(errors::of("the rows cannot be read", e).at("split", &split.name));
                    }
                    None => {
                        let error =
                            Error::transient("the rows end before their stream").reason("connection_lost");
                        return Err(error.at("split", &split.name));
                    }
                }
            }
        };
        let progress = session.wait(&|| task.check(), fill)?;
        match progress {
            Progress::Ended if decoder.rows() == 0 => Ok(None),
            _ => decoder.finish(task.schema()).map(Some),
        }
    }

    fn bytes_read(&self) -> u64 {
        self.bytes
    }
}

/// A row that cannot be decoded, as JSON.
fn record(bad: &BadRow, task: &ScanTask<'_>) -> String {
    let names = task.schema().fields().iter().map(|field| field.name().clone());
    let values = bad.values.iter().map(|value| value.clone().map_or(Value::Null, Value::String));
    Value::Object(names.zip(values).collect()).to_string()
}

/// The error about a value: its split, the row in it, from 1, and the column.
fn bad_row(bad: BadRow, split: &PostgresSplit, task: &ScanTask<'_>) -> Error {
    let mut error = Error::data(bad.bad.what).at("split", &split.name).at("row", bad.row + 1);
    if let Some(column) = bad.column.and_then(|at| task.schema().fields().get(at)) {
        error = error.at("column", column.name());
    }
    match bad.bad.help {
        Some(help) => error.help(help),
        None => error,
    }
}
