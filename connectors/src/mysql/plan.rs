//! Planning: one connection finds the columns and cuts what is read into splits; then all of them begin.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use kiln::Result;
use kiln::connect::{PlannedSplit, ScanPlan};
use kiln::job::Input;

use super::catalog::{self, Table};
use super::scan::{MysqlScan, MysqlSplit, SNAPSHOTS};
use super::session::{Session, identifier, optional};
use super::splits::{self, Cut};
use super::types::{self, Decoded, Described};
use super::{Consistency, moment};
use crate::ranges::{self, ByKey, Range};
use crate::selection::{self, Relation, Selection, fingerprint};
use crate::wait::never as check;

/// About how many bytes a value takes, for relations whose size the server does not know.
const VALUE_BYTES: u64 = 16;

/// A planned read.
struct Planner<'p> {
    scan: &'p MysqlScan,
    session: &'p mut Session,
    /// What follows FROM, and what errors call it.
    from: String,
    name: String,
    table: Option<Table>,
}

/// The columns that are read: as a schema, as they arrive, and as SQL selects them.
struct Columns {
    schema: SchemaRef,
    decoded: Vec<Decoded>,
    selected: String,
}

/// Finds columns and splits. The connections stay open: as long as they do, the moment that they see can be read.
pub(super) fn plan(scan: &MysqlScan, wanted: Option<&SchemaRef>) -> Result<ScanPlan<MysqlSplit>> {
    let address = || kiln::connect::Scan::address(scan);
    try_plan(scan, wanted).map_err(|e| e.at("source", address()))
}

fn try_plan(scan: &MysqlScan, wanted: Option<&SchemaRef>) -> Result<ScanPlan<MysqlSplit>> {
    let mut session = scan.connect(&check)?;
    let mut planner = Planner::begin(scan, &mut session)?;
    let mut plan = planner.plan(wanted)?;
    let from = planner.from;
    if scan.settings.consistency != Consistency::PerSplit {
        let sessions = moment::begin(scan, session, plan.splits.len(), &from, &check)?;
        let snapshot = SNAPSHOTS.keep(sessions);
        for planned in &mut plan.splits {
            planned.split.snapshot = Some(snapshot.name().to_owned());
        }
        plan.hold = Some(Arc::new(snapshot));
    }
    Ok(plan)
}

impl<'p> Planner<'p> {
    fn begin(scan: &'p MysqlScan, session: &'p mut Session) -> Result<Planner<'p>> {
        let (from, name, table) = match &scan.relation {
            Relation::Table(name) => {
                let table = Table::find(session, name, &check)?;
                (table.from(), table.words(), Some(table))
            }
            Relation::Query(sql) => (format!("({sql}\n) AS source"), "the query".to_owned(), None),
            Relation::Unset => return Err(selection::unset()),
        };
        Ok(Planner { scan, session, from, name, table })
    }

    fn plan(&mut self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<MysqlSplit>> {
        let all = self.describe("*")?;
        let columns = self.columns(&all, wanted)?;
        let ranges = self.ranges(&all, &columns)?;
        let bytes = ranges.iter().map(|range| range.bytes).sum();
        let uri = kiln::connect::Scan::address(self.scan);
        let seen = self.session.query("the time cannot be read", "SELECT CAST(NOW(6) AS CHAR)", &check)?;
        let seen = seen.first().map(|row| optional(row, 0)).transpose()?.flatten().unwrap_or_default();
        let input = Input { hash: fingerprint(&[&uri, &columns.selected, &seen]), uri, files: 0, bytes };
        let split = |range: Range| {
            let sql = self.select(&columns.selected, &range);
            let split =
                MysqlSplit { name: range.name, sql, columns: columns.decoded.clone(), snapshot: None };
            PlannedSplit { split, rows: range.rows, bytes: range.bytes }
        };
        let splits = ranges.into_iter().map(split).collect();
        Ok(ScanPlan { schema: columns.schema, splits, row_bytes: bytes, input: Some(input), hold: None })
    }

    fn describe(&mut self, selected: &str) -> Result<Vec<(String, Described)>> {
        let sql = format!("SELECT {selected} FROM {}", self.from);
        self.session.describe("the columns cannot be read", &sql, &check)
    }

    fn columns(&mut self, all: &[(String, Described)], wanted: Option<&SchemaRef>) -> Result<Columns> {
        let settings = &self.scan.settings;
        let known: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let named = settings.as_text.iter().chain(&settings.as_bool).chain(&settings.split_by);
        let named: BTreeSet<&str> = named.map(String::as_str).collect();
        let selection = Selection { of: &self.name, columns: settings.columns.as_ref(), named: &named };
        let chosen = selection.chosen(&known, wanted)?;
        let select = |name: &String| match all.iter().find(|(known, _)| known == name) {
            Some((_, described)) if settings.as_text.contains(name) => {
                format!("{} AS {}", described.as_text(&identifier(name)), identifier(name))
            }
            _ => identifier(name),
        };
        let selected: Vec<String> = chosen.iter().map(select).collect();
        let selected = if selected.is_empty() { "NULL".to_owned() } else { selected.join(", ") };
        let described = self.describe(&selected)?;
        let (mut fields, mut decoded) = (Vec::new(), Vec::new());
        for (at, name) in chosen.iter().enumerate() {
            let Some((_, described)) = described.get(at) else { break };
            let is_bool = wanted.and_then(|wanted| selection::field_for(wanted, at, name))
                == Some(DataType::Boolean)
                || settings.as_bool.contains(name);
            let column = described.decoded().map_err(|why| types::refused(name, &why))?;
            let column = column.as_bool().filter(|_| is_bool).unwrap_or(column);
            fields.push(Field::new(name, column.data_type(), true));
            decoded.push(column);
        }
        Ok(Columns { schema: Arc::new(Schema::new(fields)), decoded, selected })
    }

    fn select(&self, selected: &str, range: &Range) -> String {
        let filter = self.scan.settings.filter.as_ref().map(|filter| format!("({filter}\n)"));
        let conditions: Vec<String> = filter.into_iter().chain(range.condition.clone()).collect();
        match conditions.as_slice() {
            [] => format!("SELECT {selected} FROM {}", range.from),
            conditions => format!("SELECT {selected} FROM {} WHERE {}", range.from, conditions.join(" AND ")),
        }
    }

    fn ranges(&mut self, all: &[(String, Described)], columns: &Columns) -> Result<Vec<Range>> {
        let settings = &self.scan.settings;
        let keys = match &self.table {
            Some(table) if !table.is_view() => table.keys(self.session, &check)?,
            _ => Vec::new(),
        };
        let usual = || catalog::usual_key(&keys).map(|key| key.column.clone());
        let key = settings.split_by.clone().or_else(usual);
        let key = key.filter(|_| self.can_be_cut());
        let described = key.as_ref().and_then(|key| all.iter().find(|(name, _)| name == key));
        let decoded = described.filter(|(_, described)| !described.is_enumerated());
        let decoded = decoded.and_then(|(_, described)| described.decoded().ok());
        let (Some(key), Some(decoded)) = (key, decoded.filter(|decoded| splits::is_ordered(*decoded))) else {
            return self.whole(columns);
        };
        let (rows, bytes) = self.size(columns)?;
        let index = keys.iter().find(|known| known.column == key).map(|known| known.index.as_str());
        let cut = Cut {
            from: &self.from,
            key: &key,
            decoded,
            index,
            filter: settings.filter.as_deref(),
            rows,
            splits: ranges::count(bytes, settings.splits),
        };
        let borders = cut.borders(self.session, &check)?;
        let (name, sql) = (self.name.as_str(), identifier(&key));
        let key = ByKey { from: &self.from, name, key: &sql, key_name: &key, rows: Some(rows), bytes };
        Ok(key.cut(&borders))
    }

    /// Whether several statements may read it: a table without transactions changes between them.
    fn can_be_cut(&self) -> bool {
        let has_transactions = self.table.as_ref().is_none_or(Table::has_transactions);
        has_transactions || self.scan.settings.consistency == Consistency::PerSplit
    }

    fn whole(&mut self, columns: &Columns) -> Result<Vec<Range>> {
        let known = self.table.as_ref().filter(|table| !table.is_view());
        let (rows, bytes) = known.map_or((None, 0), |table| (Some(table.rows), table.bytes));
        let bytes = if bytes == 0 { columns.decoded.len() as u64 * VALUE_BYTES } else { bytes };
        Ok(vec![Range { from: self.from.clone(), name: self.name.clone(), condition: None, rows, bytes }])
    }

    /// Rows and bytes, about; those of a view or a query are counted.
    fn size(&mut self, columns: &Columns) -> Result<(u64, u64)> {
        match &self.table {
            Some(table) if !table.is_view() => Ok((table.rows, table.bytes)),
            _ => {
                let sql = format!("SELECT COUNT(*) FROM {}", self.from);
                let rows = self.session.query("the rows cannot be counted", &sql, &check)?;
                let rows = rows.first().map(|row| optional(row, 0)).transpose()?.flatten();
                let rows = rows.and_then(|text| text.parse().ok()).unwrap_or(0_u64);
                Ok((rows, rows.saturating_mul(columns.decoded.len() as u64 * VALUE_BYTES)))
            }
        }
    }
}
