//! Planning: one connection finds the columns and cuts what is read into splits; others are opened for the tasks.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use kiln::connect::{PlannedSplit, ScanPlan};
use kiln::job::Input;
use kiln::{Error, Result};
use rusqlite::{Connection, OptionalExtension};

use super::file::{self, State};
use super::scan::{SNAPSHOTS, SqliteScan, SqliteSplit};
use super::types::{self, Declared, Decoded};
use super::{errors, splits};
use crate::nearest::nearest;
use crate::ranges::Range;
use crate::selection::{self, Relation, Selection, fingerprint};
use crate::wait::never as check;

/// How many rows are looked at to find the type of a column that declares none.
const TYPED_ROWS: u32 = 1000;
/// How a rowid may be called; a column of the same name takes the name away.
const ROWID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// A planned read.
struct Planner<'p> {
    scan: &'p SqliteScan,
    connection: &'p Connection,
    /// What follows FROM, and what errors call it.
    from: String,
    name: String,
    /// The name of the rowid, where there is one.
    rowid: Option<&'static str>,
}

/// A column of what is read.
struct Column {
    name: String,
    declared: String,
}

/// Finds columns and splits. The connections stay open: as long as they do, the state that they see can be read.
pub(super) fn plan(scan: &SqliteScan, wanted: Option<&SchemaRef>) -> Result<ScanPlan<SqliteSplit>> {
    let (path, retry) = (&scan.path, &scan.settings.retry);
    let together = file::open_together(path, scan.settings.max_connections, retry, &check)?;
    let address = || kiln::connect::Scan::address(scan);
    let first = together.connections.first().ok_or_else(|| Error::bug("no connection was opened"))?;
    let planned = Planner::begin(scan, first).and_then(|planner| planner.plan(wanted, &together.state));
    let mut plan = planned.map_err(|e| e.at("source", address()))?;
    let mut connections = together.connections;
    connections.truncate(plan.splits.len().max(1));
    let snapshot = SNAPSHOTS.keep(connections);
    for planned in &mut plan.splits {
        planned.split.snapshot = snapshot.name().to_owned();
    }
    plan.hold = Some(Arc::new((snapshot, Mutex::new(together.guard))));
    Ok(plan)
}

impl<'p> Planner<'p> {
    fn begin(scan: &'p SqliteScan, connection: &'p Connection) -> Result<Planner<'p>> {
        let planner = |from, name| Planner { scan, connection, from, name, rowid: None };
        match &scan.relation {
            Relation::Table(name) => {
                let mut planner = planner(identifier(name), name.clone());
                if planner.look_up(name)? {
                    planner.rowid = planner.rowid_name()?;
                }
                Ok(planner)
            }
            Relation::Query(sql) => Ok(planner(format!("({sql}\n) AS source"), "the query".to_owned())),
            Relation::Unset => Err(selection::unset()),
        }
    }

    /// Whether the relation is a table with rowids.
    fn look_up(&self, name: &str) -> Result<bool> {
        let failed = |e| errors::of("the table cannot be looked up", e);
        let sql = "SELECT type = 'table' AND NOT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE";
        let found = self.connection.query_row(sql, [name], |row| row.get(0)).optional().map_err(failed)?;
        match found {
            Some(has_rowid) => Ok(has_rowid),
            None => Err(self.unknown_table(name)?),
        }
    }

    fn unknown_table(&self, name: &str) -> Result<Error> {
        let failed = |e| errors::of("the tables cannot be listed", e);
        let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let mut statement = self.connection.prepare(sql).map_err(failed)?;
        let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
        let names = names.collect::<rusqlite::Result<Vec<_>>>().map_err(failed)?;
        let error = Error::config(format!("there is no table `{name}`")).reason("unknown_table");
        Ok(match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    fn rowid_name(&self) -> Result<Option<&'static str>> {
        let columns = self.columns()?;
        let is_free = |name: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        Ok(ROWID_NAMES.into_iter().find(is_free))
    }

    /// All columns, with their declared types.
    fn columns(&self) -> Result<Vec<Column>> {
        let sql = format!("SELECT * FROM {}", self.from);
        let statement =
            self.connection.prepare(&sql).map_err(|e| errors::of("the columns cannot be read", e))?;
        let column = |column: &rusqlite::Column<'_>| Column {
            name: column.name().to_owned(),
            declared: column.decl_type().unwrap_or_default().to_owned(),
        };
        Ok(statement.columns().iter().map(column).collect())
    }

    fn plan(&self, wanted: Option<&SchemaRef>, state: &State) -> Result<ScanPlan<SqliteSplit>> {
        let columns = self.chosen(wanted)?;
        let fields = columns.iter().map(|(name, decoded)| Field::new(name, decoded.data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let ranges = self.ranges()?;
        let bytes = ranges.iter().map(|range| range.bytes).sum();
        let uri = kiln::connect::Scan::address(self.scan);
        let hash = fingerprint(&[&uri, &format!("{columns:?} {state:?} {}", self.version())]);
        let split = |range: Range| {
            let split = SqliteSplit {
                sql: self.select(&columns, &range),
                name: range.name,
                table: self.name.clone(),
                has_rowid: self.rowid.is_some(),
                columns: columns.iter().map(|(_, decoded)| *decoded).collect(),
                snapshot: String::new(),
                state: state.clone(),
            };
            PlannedSplit { split, rows: range.rows, bytes: range.bytes }
        };
        let splits = ranges.into_iter().map(split).collect();
        let input = Input { uri, hash, files: 1, bytes };
        Ok(ScanPlan { schema, splits, row_bytes: bytes, input: Some(input), hold: None })
    }

    /// Size and time of the file: part of what names the input. They need not be exact.
    fn version(&self) -> String {
        let found = fs::metadata(&self.scan.path);
        found.map_or(String::new(), |found| format!("{} {:?}", found.len(), found.modified().ok()))
    }

    /// The columns that are read, and how.
    fn chosen(&self, wanted: Option<&SchemaRef>) -> Result<Vec<(String, Decoded)>> {
        let settings = &self.scan.settings;
        let all = self.columns()?;
        let known: Vec<&str> = all.iter().map(|column| column.name.as_str()).collect();
        let named: BTreeSet<&str> =
            settings.as_text.iter().chain(&settings.split_by).map(String::as_str).collect();
        let selection = Selection { of: &self.name, columns: settings.columns.as_ref(), named: &named };
        let chosen = selection.chosen(&known, wanted)?;
        let read = |(at, name): (usize, String)| {
            let declared = all.iter().find(|column| column.name == name);
            let declared = declared.map_or("", |column| column.declared.as_str());
            let field = wanted.and_then(|wanted| selection::field_for(wanted, at, &name));
            self.decoded(&name, declared, field.as_ref()).map(|decoded| (name, decoded))
        };
        chosen.into_iter().enumerate().map(read).collect()
    }

    fn decoded(&self, name: &str, declared: &str, field: Option<&DataType>) -> Result<Decoded> {
        if self.scan.settings.as_text.contains(name) {
            return Ok(Decoded::AsText);
        }
        match Declared::of(declared).for_field(field) {
            Declared::Known(decoded) => Ok(decoded),
            Declared::Open => self.first_type(name),
            Declared::Refused(why) => Err(types::refused(name, declared, &why)),
        }
    }

    /// The type of the first value of a column that is not null; text if there is none.
    fn first_type(&self, name: &str) -> Result<Decoded> {
        let column = identifier(name);
        let filter = self.scan.settings.filter.as_ref().map(|filter| format!(" WHERE ({filter}\n)"));
        let sql = format!(
            "SELECT typeof(value) FROM (SELECT {column} AS value FROM {}{} LIMIT {TYPED_ROWS})
             WHERE value IS NOT NULL LIMIT 1",
            self.from,
            filter.unwrap_or_default()
        );
        let found = self.connection.query_row(&sql, [], |row| row.get::<_, String>(0)).optional();
        let found =
            found.map_err(|e| errors::of("the type of a column cannot be found", e).at("column", name))?;
        Ok(match found.as_deref() {
            Some("integer") => Decoded::Int,
            Some("real") => Decoded::Real,
            Some("blob") => Decoded::Blob,
            _ => Decoded::Text,
        })
    }

    fn select(&self, columns: &[(String, Decoded)], range: &Range) -> String {
        let rowid = self.rowid.into_iter().map(str::to_owned);
        let mut selected: Vec<String> =
            rowid.chain(columns.iter().map(|(name, _)| identifier(name))).collect();
        if selected.is_empty() {
            selected.push("NULL".to_owned());
        }
        let filter = self.scan.settings.filter.as_ref().map(|filter| format!("({filter}\n)"));
        let conditions: Vec<String> = filter.into_iter().chain(range.condition.clone()).collect();
        let condition = match conditions.as_slice() {
            [] => String::new(),
            conditions => format!(" WHERE {}", conditions.join(" AND ")),
        };
        format!("SELECT {} FROM {}{condition}", selected.join(", "), range.from)
    }

    fn ranges(&self) -> Result<Vec<Range>> {
        let settings = &self.scan.settings;
        let failed = |e| errors::of("the database cannot be cut into splits", e);
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let bytes: i64 = self.connection.query_row(size, [], |row| row.get(0)).map_err(failed)?;
        let cut = splits::Cut {
            connection: self.connection,
            from: &self.from,
            name: &self.name,
            filter: settings.filter.as_deref(),
            bytes: bytes.unsigned_abs(),
            wanted: settings.splits,
        };
        match (&settings.split_by, self.rowid) {
            (Some(key), _) => cut.by_key(key),
            (None, Some(rowid)) => cut.by_rowid(rowid),
            (None, None) => Ok(vec![cut.whole()]),
        }
        .map_err(failed)
    }
}

/// A name as SQL writes it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
