//! The part of a task: its rows go into the staging table of the attempt by INSERTs of many rows, in a transaction of its own.

use std::fmt::Write;

use arrow::array::RecordBatch;
use kiln::connect::{PartWriter, SinkTask, reached};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};

use super::super::session::{Purpose, Session, identifier};
use super::columns::PART;
use super::encode::{BadValue, Rows};
use super::{MysqlSink, MysqlStage, PERMIT_LIMIT};
use crate::gate::{self, Permit};
use crate::publish::{NoCommit, claim_lost};
use crate::retry::unreachable;

/// Bytes of one statement, about: far below the 16 MiB that a server takes unless it is told otherwise.
const CHUNK: usize = 1 << 20;

/// The rows of one part, counted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct MysqlPart {
    /// Its number in the staging table.
    pub(super) number: i64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// Writes one part. Nothing is opened before the first row comes.
pub(super) struct Part<'t> {
    sink: &'t MysqlSink,
    stage: &'t MysqlStage,
    task: &'t SinkTask<'t>,
    open: Option<Open>,
    part: MysqlPart,
}

/// A transaction that is under way, and a statement that is being written.
struct Open {
    session: Session,
    sql: String,
    /// What every statement begins with.
    begin: String,
    /// Rows in the statement.
    rows: u64,
    _permit: Permit,
}

impl<'t> Part<'t> {
    pub(super) fn new(sink: &'t MysqlSink, stage: &'t MysqlStage, task: &'t SinkTask<'t>) -> Part<'t> {
        // Two attempts at a partition, which may be alive at the same time, have two numbers.
        let number = (task.partition() as i64) << 32 | i64::from(task.attempt());
        Part { sink, stage, task, open: None, part: MysqlPart { number, rows: 0, bytes: 0 } }
    }

    fn begin(&self) -> Result<Open> {
        let check = || self.task.check();
        let address = self.sink.server()?;
        let server = format!("{address} to write");
        let permit = gate::enter(&server, self.sink.settings.max_connections, PERMIT_LIMIT, &check)?;
        let connected = self.sink.settings.retry.run(&format!("connecting to {address}"), &check, || {
            let mut session =
                Session::connect(&address, Purpose::Write, self.sink.settings.answer_limit, &check)?;
            session.limit_statements(self.sink.settings.statement_timeout, &check)?;
            session.execute("the rows cannot be staged", "START TRANSACTION", &check)?;
            Ok(session)
        });
        let session = connected.map_err(unreachable)?;
        let names: Vec<String> = self.stage.columns.iter().map(|column| identifier(&column.name)).collect();
        let names = names.iter().map(String::as_str).chain([PART]).collect::<Vec<_>>().join(", ");
        let begin = format!("INSERT INTO {} ({names}) VALUES ", self.stage.staging);
        Ok(Open { session, sql: begin.clone(), begin, rows: 0, _permit: permit })
    }

    /// The error about a value: its partition, the row in it, from 1, and the column.
    fn bad_value(&self, bad: &BadValue) -> Error {
        let row = self.part.rows + 1;
        let error = Error::data(bad.bad.what).at("partition", self.task.partition()).at("row", row);
        let error = match self.stage.columns.get(bad.column) {
            Some(column) => error.at("column", &column.name),
            None => error,
        };
        error.at("table", &self.stage.target).help(bad.bad.help)
    }
}

impl Open {
    /// Sends the statement; the server numbers the rows of its errors within it.
    fn send(&mut self, part: &mut MysqlPart, task: &SinkTask<'_>) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let sent = self.session.texts("the rows cannot be staged", &self.sql, &|| task.check());
        let first = part.rows - self.rows + 1;
        let (_, staged) = sent.map_err(|error| {
            // It is dropped once nobody may publish it.
            let error = if error.reason_word() == "unknown_table" { claim_lost() } else { error };
            error.at("partition", task.partition()).at("rows from", first)
        })?;
        if staged != self.rows {
            return Err(Error::bug(format!("the server has staged {staged} rows of {}", self.rows)));
        }
        part.bytes += self.sql.len() as u64;
        self.rows = 0;
        self.sql.clear();
        let _ = write!(self.sql, "{}", self.begin);
        Ok(())
    }
}

impl PartWriter for Part<'_> {
    type Part = MysqlPart;

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let rows = Rows::of(batch, &self.stage.columns)?;
        for row in 0..batch.num_rows() {
            if open.rows > 0 {
                open.sql.push(',');
            }
            rows.put(row, self.part.number, &mut open.sql).map_err(|bad| self.bad_value(&bad))?;
            self.part.rows += 1;
            open.rows += 1;
            if open.sql.len() >= CHUNK {
                open.send(&mut self.part, self.task)?;
            }
        }
        self.open = Some(open);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<MysqlPart> {
        let Some(mut open) = self.open.take() else { return Ok(self.part) };
        open.send(&mut self.part, self.task)?;
        reached("table.part_sent");
        let task = self.task;
        open.session.commit(&|| task.check()).map_err(|no| match no {
            // The task runs again, under another number.
            NoCommit::Refused(error) | NoCommit::Unanswered(error) => error.at("partition", task.partition()),
        })?;
        reached("table.part_staged");
        Ok(self.part)
    }
}
