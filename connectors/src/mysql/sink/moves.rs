//! How staged rows get into the target, inside of the transaction that also writes the ledger.

use kiln::connect::is_sabotaged;
use kiln::{Error, Result};

use super::super::session::identifier;
use super::columns::{Column, PART, Target};
use super::part::MysqlPart;
use crate::publish::{Change, Connection, Entry, STAGING_LOST, fenced_by_run};

/// The rows of the parts that count, on their way into the target.
pub(super) struct Rows<'r> {
    pub(super) target: &'r Target,
    /// The staging table, as SQL names it.
    pub(super) staging: &'r str,
    pub(super) parts: &'r [MysqlPart],
}

impl Rows<'_> {
    /// Moves the rows. The server cannot tell the rows of a publish, so there is no mark.
    ///
    /// # Errors
    /// Data for rows that break a constraint or are outside of the condition; fenced when rows of a later publish could go.
    pub(super) fn apply(
        &self,
        connection: &dyn Connection,
        change: &Change,
        newer: &[Entry],
    ) -> Result<Option<String>> {
        let applied = self.check(connection, change, newer).and_then(|()| self.change(connection, change));
        applied.map(|()| None).map_err(|e| e.at("table", &self.target.name))
    }

    /// Whether all rows are there, and may go where they are to go.
    fn check(&self, connection: &dyn Connection, change: &Change, newer: &[Entry]) -> Result<()> {
        let wanted: u64 = self.parts.iter().map(|part| part.rows).sum();
        let staged = format!("SELECT COUNT(*) FROM ({}) AS new", self.selected());
        let staged = count(connection, "the staged rows cannot be counted", &staged)?;
        if staged != wanted && !is_sabotaged("parts") {
            let error = Error::transient(format!("{staged} of {wanted} staged rows are left"));
            return Err(error
                .reason(STAGING_LOST)
                .help("somebody has changed the staging table: run the job again"));
        }
        match change {
            Change::Replace(predicate) => self.check_inside(connection, predicate)?,
            Change::Upsert => self.check_distinct(connection)?,
            Change::Append | Change::Overwrite => {}
        }
        for newer in newer {
            if self.may_remove(connection, change, newer)? {
                return Err(fenced_by_run(&newer.claim));
            }
        }
        Ok(())
    }

    fn check_inside(&self, connection: &dyn Connection, predicate: &str) -> Result<()> {
        let outside =
            format!("SELECT COUNT(*) FROM ({}) AS new WHERE ({predicate}\n) IS NOT TRUE", self.selected());
        match count(connection, "the condition cannot be checked", &outside)? {
            0 => Ok(()),
            outside => {
                let error =
                    Error::data(format!("{outside} rows are outside of the condition that is replaced"));
                Err(error.reason("outside_of_condition").at("condition", predicate).help(
                    "rows outside of it would not go with the next replacement: filter the rows, or widen the condition",
                ))
            }
        }
    }

    /// The server would keep the last of two new rows with one key, and say nothing.
    fn check_distinct(&self, connection: &dyn Connection) -> Result<()> {
        let keys = names(self.target.columns.iter().filter(|column| column.is_key));
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM ({}) AS new GROUP BY {keys} HAVING COUNT(*) > 1) AS doubled",
            self.selected()
        );
        match count(connection, "the keys cannot be checked", &sql)? {
            0 => Ok(()),
            doubled => {
                let error = Error::data(format!("{doubled} keys have several new rows each"));
                Err(error.reason("duplicate_key").help("keep one of them before they are written"))
            }
        }
    }

    /// Whether the change could remove rows of the later publish `newer`. All rows that a replacement has written fulfil its
    /// condition; which ones another publish has written nobody can tell.
    fn may_remove(&self, connection: &dyn Connection, change: &Change, newer: &Entry) -> Result<bool> {
        match (change, &newer.change) {
            (Change::Append, _) => Ok(false),
            (Change::Replace(ours), Change::Replace(theirs)) => {
                let table = &self.target.name;
                let sql = format!("SELECT 1 FROM {table} WHERE ({ours}\n) AND ({theirs}\n) LIMIT 1");
                Ok(!connection.query("the rows of a later run cannot be looked for", &sql)?.is_empty())
            }
            _ => Ok(true),
        }
    }

    fn change(&self, connection: &dyn Connection, change: &Change) -> Result<()> {
        let table = &self.target.name;
        let condition = match change {
            Change::Overwrite => Some(String::new()),
            Change::Replace(predicate) => Some(format!(" WHERE ({predicate}\n)")),
            Change::Append | Change::Upsert => None,
        };
        if let Some(condition) = condition {
            let delete = format!("DELETE FROM {table}{condition}");
            connection.execute("the rows that are there cannot be removed", &delete)?;
        }
        let columns = names(self.target.columns.iter());
        let conflict = if *change == Change::Upsert { self.on_conflict() } else { String::new() };
        let insert = format!("INSERT INTO {table} ({columns}) {}{conflict}", self.selected());
        connection.execute("the rows cannot be written", &insert).map(drop)
    }

    /// The new rows.
    fn selected(&self) -> String {
        let (columns, staging) = (names(self.target.columns.iter()), self.staging);
        if is_sabotaged("parts") {
            return format!("SELECT {columns} FROM {staging}");
        }
        // What other attempts at a partition have staged does not count.
        let parts: Vec<String> = self.parts.iter().map(|part| part.number.to_string()).collect();
        match parts.is_empty() {
            true => format!("SELECT {columns} FROM {staging} WHERE FALSE"),
            false => format!("SELECT {columns} FROM {staging} WHERE {PART} IN ({})", parts.join(",")),
        }
    }

    fn on_conflict(&self) -> String {
        let others = self.target.columns.iter().filter(|column| !column.is_key);
        let mut set: Vec<String> =
            others.map(|column| format!("{0} = VALUES({0})", identifier(&column.name))).collect();
        if set.is_empty() {
            // Rows that are nothing but keys stay as they are.
            let keys = self.target.columns.iter().filter(|column| column.is_key).take(1);
            let table = &self.target.name;
            set = keys.map(|key| format!("{0} = {table}.{0}", identifier(&key.name))).collect();
        }
        format!(" ON DUPLICATE KEY UPDATE {}", set.join(", "))
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
