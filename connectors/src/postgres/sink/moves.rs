//! How staged rows get into the target, inside of the transaction that also writes the ledger.

use kiln::connect::is_sabotaged;
use kiln::{Class, Error, Result};

use super::super::session::{identifier, literal};
use super::columns::{Column, PART, Target};
use super::part::PostgresPart;
use crate::publish::{Change, Connection, Entry, STAGING_LOST, fenced_by_run};

/// By what the rows of this transaction are recognised: the system column `xmin` of a row has this number as long as nobody
/// else changes the row.
const MARK: &str = "SELECT (txid_current() % 4294967296)::text";

/// The rows of the parts that count, on their way into the target.
pub(super) struct Rows<'r> {
    pub(super) target: &'r Target,
    /// The staging table, as SQL names it.
    pub(super) staging: &'r str,
    pub(super) parts: &'r [PostgresPart],
}

impl Rows<'_> {
    /// Moves the rows; returns the mark of the transaction.
    ///
    /// # Errors
    /// Data for rows that break a constraint or are outside of the condition; fenced when rows of a later publish would go.
    pub(super) fn apply(
        &self,
        connection: &dyn Connection,
        change: &Change,
        newer: &[Entry],
    ) -> Result<Option<String>> {
        let table = &self.target.name;
        if let Some(create) = &self.target.create {
            connection.execute("the table cannot be created", create).map_err(|e| e.at("table", table))?;
        }
        let applied = self.check(connection, change, newer).and_then(|()| self.change(connection, change));
        applied.map_err(|e| e.at("table", table))?;
        let mark = connection.query("the transaction has no number", MARK)?;
        Ok(mark.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// Whether the rows may go where they are to go.
    fn check(&self, connection: &dyn Connection, change: &Change, newer: &[Entry]) -> Result<()> {
        if let Change::Replace(predicate) = change {
            let outside = format!(
                "SELECT count(*) FROM ({}) AS new WHERE ({predicate}\n) IS NOT TRUE",
                self.selected()
            );
            let outside = count(connection, "the condition cannot be checked", &outside)?;
            if outside > 0 {
                let error =
                    Error::data(format!("{outside} rows are outside of the condition that is replaced"));
                return Err(error.reason("outside_of_condition").at("condition", predicate).help(
                    "rows outside of it would not go with the next replacement: filter the rows, or widen the condition",
                ));
            }
        }
        match newer.iter().find_map(|newer| self.removes(connection, change, newer).transpose()) {
            None => Ok(()),
            Some(Ok(error)) | Some(Err(error)) => Err(error),
        }
    }

    /// The error when the change would remove rows of the later publish `newer`.
    fn removes(&self, connection: &dyn Connection, change: &Change, newer: &Entry) -> Result<Option<Error>> {
        let error = || Some(fenced_by_run(&newer.claim));
        let Some(mark) = newer.mark.as_deref() else { return Ok(error()) };
        let (table, mark) = (&self.target.name, literal(mark));
        let rows = match change {
            Change::Append => return Ok(None),
            Change::Overwrite => return Ok(error()),
            Change::Replace(predicate) => {
                format!("SELECT 1 FROM {table} WHERE ({predicate}\n) AND xmin::text = {mark}")
            }
            Change::Upsert => format!(
                "SELECT 1 FROM {table} AS old JOIN ({}) AS new USING ({}) WHERE old.xmin::text = {mark}",
                self.selected(),
                names(self.target.columns.iter().filter(|column| column.is_key))
            ),
        };
        let sql = format!("SELECT count(*) FROM ({rows} LIMIT 1) AS met");
        let met = count(connection, "rows of later runs cannot be looked for", &sql)?;
        Ok((met > 0).then(error).flatten())
    }

    fn change(&self, connection: &dyn Connection, change: &Change) -> Result<()> {
        let table = &self.target.name;
        // Not TRUNCATE: readers of an older snapshot would find the table empty, and all others would have to wait.
        let delete = match change {
            Change::Append | Change::Upsert => None,
            Change::Overwrite => Some(format!("DELETE FROM {table}")),
            Change::Replace(predicate) => Some(format!("DELETE FROM {table} WHERE ({predicate}\n)")),
        };
        if let Some(delete) = delete {
            connection.execute("the old rows cannot be removed", &delete)?;
        }
        let columns = names(self.target.columns.iter());
        let conflict = if *change == Change::Upsert { self.on_conflict() } else { String::new() };
        let insert = format!("INSERT INTO {table} ({columns}) {}{conflict}", self.selected());
        let written = connection.execute("the rows cannot be written", &insert).map_err(explain)?;
        self.check_count(connection, written)
    }

    /// The new rows, with the types of the target.
    fn selected(&self) -> String {
        let value = |column: &Column| {
            let name = identifier(&column.name);
            column.cast.as_ref().map_or(name.clone(), |cast| format!("{name}::{cast} AS {name}"))
        };
        let values: Vec<String> = self.target.columns.iter().map(value).collect();
        let (values, staging) = (values.join(", "), self.staging);
        if is_sabotaged("parts") {
            return format!("SELECT {values} FROM {staging}");
        }
        // What other attempts at a partition have staged does not count.
        let parts: Vec<String> = self.parts.iter().map(|part| part.number.to_string()).collect();
        format!("SELECT {values} FROM {staging} WHERE {PART} = ANY ('{{{}}}'::bigint[])", parts.join(","))
    }

    fn on_conflict(&self) -> String {
        let (keys, others): (Vec<&Column>, Vec<&Column>) =
            self.target.columns.iter().partition(|column| column.is_key);
        let set: Vec<String> =
            others.iter().map(|column| format!("{0} = EXCLUDED.{0}", identifier(&column.name))).collect();
        let keys = names(keys.into_iter());
        match set.is_empty() {
            true => format!(" ON CONFLICT ({keys}) DO NOTHING"),
            false => format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", set.join(", ")),
        }
    }

    /// Whether all rows that were staged have been written: a staging table is empty after a crash of the server.
    fn check_count(&self, connection: &dyn Connection, written: u64) -> Result<()> {
        let wanted: u64 = self.parts.iter().map(|part| part.rows).sum();
        if written == wanted {
            return Ok(());
        }
        let sql = format!("SELECT count(*) FROM ({}) AS new", self.selected());
        let staged = count(connection, "the staged rows cannot be counted", &sql)?;
        if staged != wanted {
            let error = Error::transient(format!("{staged} of {wanted} staged rows are left"));
            return Err(error.reason(STAGING_LOST).help(
                "the server was restarted or replaced, and staging tables do not outlive that: run the job again",
            ));
        }
        let is_upsert_of_keys = self.target.columns.iter().all(|column| column.is_key);
        if is_upsert_of_keys && written < wanted {
            return Ok(());
        }
        let error = Error::config(format!("the table has taken {written} of {wanted} rows"));
        Err(error.reason("rows_dropped").help("a trigger or a rule of the table drops or adds rows"))
    }
}

/// A number that a query gives.
fn count(connection: &dyn Connection, what: &str, sql: &str) -> Result<u64> {
    let rows = connection.query(what, sql)?;
    let text = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Error::bug(format!("{what}: no number came")))
}

fn names<'c>(columns: impl Iterator<Item = &'c Column>) -> String {
    columns.map(|column| identifier(&column.name)).collect::<Vec<_>>().join(", ")
}

/// The server's words for two new rows of one key would be understood by its authors alone.
fn explain(error: Error) -> Error {
    match error.class() == Class::Data && error.to_string().contains("sqlstate 21000") {
        true => error
            .reason("duplicate_key")
            .help("several new rows have the same key: keep one of them before they are written"),
        false => error,
    }
}
