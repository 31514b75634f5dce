//! Planning: one connection finds the columns, exports the snapshot, and cuts what is read into splits.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Field, Schema, SchemaRef};
use kiln::connect::{Hold, NetworkShare, PlannedSplit, ScanPlan};
use kiln::job::Input;
use kiln::{Error, Result};
use tokio_postgres::Statement;

use super::catalog::{self, Estimate, Leaf};
use super::scan::{PostgresScan, PostgresSplit, Relation};
use super::session::{Session, identifier, value};
use super::splits::{self, ByKey};
use super::types::{self, Decoded};
use super::watch::Watch;
use crate::ranges::Range;
use crate::selection::{Selection, fingerprint};
use crate::wait::never as check;

/// A planned read.
struct Planner<'p> {
    scan: &'p PostgresScan,
    session: &'p Session,
    /// What follows FROM, and what errors call it.
    from: String,
    name: String,
    table: Option<catalog::Relation>,
}

/// What stays open in the driver: the connection that has exported the snapshot, and what was read by it.
struct Held {
    /// Before the session, which it uses.
    watch: Watch,
    session: Arc<Mutex<Session>>,
    /// What follows FROM.
    from: String,
}

/// Finds columns and splits. The connection stays open: as long as it does, its snapshot can be read.
pub(super) fn plan(scan: &PostgresScan, wanted: Option<&SchemaRef>) -> Result<ScanPlan<PostgresSplit>> {
    let planned = scan.connect(&check, |session| {
        let planner = Planner::begin(scan, session)?;
        Ok((planner.plan(wanted)?, planner.from))
    });
    let address = || kiln::connect::Scan::address(scan);
    let (session, (mut plan, from)) = planned.map_err(|e| e.at("source", address()))?;
    let snapshot = plan.splits.first().map(|planned| planned.split.snapshot.as_str());
    let tag = scan.server()?.tag(snapshot.unwrap_or_default());
    let session = Arc::new(Mutex::new(session));
    let watch = Watch::start(Arc::clone(&session), &tag)?;
    plan.hold = Some(Arc::new(Held { session, from, watch }));
    Ok(plan)
}

/// How often the server could not send for the network's sake, as the connection that keeps the snapshot sees it.
pub(super) fn network_share(hold: &Hold) -> Option<NetworkShare> {
    hold.as_ref().and_then(|hold| hold.downcast_ref::<Held>()).map(|held| held.watch.network_share())
}

/// Counts the rows by the connection that has exported the snapshot, so that no other state can be seen, and by one
/// statement over all of them, so that a gap between two splits is found.
pub(super) fn count_rows(scan: &PostgresScan, hold: &Hold) -> Result<Option<u64>> {
    let Some(held) = hold.as_ref().and_then(|hold| hold.downcast_ref::<Held>()) else { return Ok(None) };
    let session = held.session.lock().unwrap_or_else(PoisonError::into_inner);
    let sql = select(scan, "count(*)", &held.from, None);
    let counted = session.query("the rows cannot be counted", &sql, &check)?;
    let row = counted.first().ok_or_else(|| Error::data("the server has given no count of the rows"))?;
    let rows: i64 = value(row, 0)?;
    Ok(u64::try_from(rows).ok())
}

/// The statement that reads `selected` of the rows that pass the filter and a split's condition.
fn select(scan: &PostgresScan, selected: &str, from: &str, condition: Option<&str>) -> String {
    let filter = scan.settings.filter.as_ref().map(|filter| format!("({filter}\n)"));
    let conditions: Vec<String> = filter.into_iter().chain(condition.map(str::to_owned)).collect();
    match conditions.as_slice() {
        [] => format!("SELECT {selected} FROM {from}"),
        conditions => format!("SELECT {selected} FROM {from} WHERE {}", conditions.join(" AND ")),
    }
}

impl<'p> Planner<'p> {
    fn begin(scan: &'p PostgresScan, session: &'p Session) -> Result<Planner<'p>> {
        let timeout = scan.settings.statement_timeout;
        let (from, name, table) = match &scan.relation {
            Relation::Table(name) => {
                let table = catalog::Relation::find(session, name, &check)?;
                (table.name.clone(), table.name.clone(), Some(table))
            }
            Relation::Query(sql) => (format!("({sql}\n) AS source"), "the query".to_owned(), None),
            Relation::Unset => {
                return Err(Error::config("neither a table nor a query is named")
                    .help("`.table(\"shop.orders\")` or `.query(\"SELECT …\")` names what is read"));
            }
        };
        session.begin(timeout, &check)?;
        // Before the first query, which fixes what the transaction sees.
        if let Some(table) = &table {
            table.lock(session, &check)?;
        }
        Ok(Planner { scan, session, from, name, table })
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<PostgresSplit>> {
        let exported = "SELECT pg_export_snapshot(), txid_current_snapshot()::text";
        let exported = self.session.query("the snapshot cannot be exported", exported, &check)?;
        let row = exported.first().ok_or_else(|| Error::config("the server exports no snapshot"))?;
        let (snapshot, seen): (String, String) = (value(row, 0)?, value(row, 1)?);
        let (schema, columns, selected) = self.columns(wanted)?;
        let ranges = self.ranges(&selected)?;
        let bytes = ranges.iter().map(|range| range.bytes).sum();
        let uri = kiln::connect::Scan::address(self.scan);
        let input = Input { hash: fingerprint(&[&uri, &selected, &seen]), uri, files: 0, bytes };
        let split = |range: Range| {
            let sql = self.select(&selected, &range.from, range.condition.as_deref());
            let split =
                PostgresSplit { name: range.name, sql, snapshot: snapshot.clone(), columns: columns.clone() };
            PlannedSplit { split, rows: range.rows, bytes: range.bytes }
        };
        let splits = ranges.into_iter().map(split).collect();
        Ok(ScanPlan { schema, splits, row_bytes: bytes, input: Some(input), hold: None })
    }

    /// The columns that are read: as a schema, as they arrive, and as SQL selects them.
    fn columns(&self, wanted: Option<&SchemaRef>) -> Result<(SchemaRef, Vec<Decoded>, String)> {
        let all = self.describe("*")?;
        let known: Vec<&str> = all.columns().iter().map(|column| column.name()).collect();
        let chosen = self.chosen(&known, wanted)?;
        let as_text = &self.scan.settings.as_text;
        let select = |name: &String| match as_text.contains(name) {
            true => format!("{0}::text AS {0}", identifier(name)),
            false => identifier(name),
        };
        let selected: Vec<String> = chosen.iter().map(select).collect();
        let selected = selected.join(", ");
        let statement = self.describe(&selected)?;
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for column in statement.columns() {
            let decoded = types::decoded(column.name(), column.type_(), column.type_modifier())?;
            fields.push(Field::new(column.name(), decoded.data_type(), true));
            columns.push(decoded);
        }
        Ok((Arc::new(Schema::new(fields)), columns, selected))
    }

    fn describe(&self, selected: &str) -> Result<Statement> {
        self.session.describe(
            "the columns cannot be read",
            &format!("SELECT {selected} FROM {}", self.from),
            &check,
        )
    }

    fn chosen(&self, known: &[&str], wanted: Option<&SchemaRef>) -> Result<Vec<String>> {
        let settings = &self.scan.settings;
        let named: BTreeSet<&str> =
            settings.as_text.iter().chain(&settings.split_by).map(String::as_str).collect();
        let selection = Selection { of: &self.name, columns: settings.columns.as_ref(), named: &named };
        selection.chosen(known, wanted)
    }

    fn select(&self, selected: &str, from: &str, condition: Option<&str>) -> String {
        select(self.scan, selected, from, condition)
    }

    fn ranges(&self, selected: &str) -> Result<Vec<Range>> {
        let settings = &self.scan.settings;
        let leaves = match &self.table {
            Some(table) => table.leaves(self.session, &check)?,
            None => None,
        };
        let estimate = || Estimate::of(self.session, &self.select(selected, &self.from, None), &check);
        if let (Some(leaves), None) = (&leaves, &settings.split_by) {
            let estimate = if settings.filter.is_some() { Some(estimate()?) } else { None };
            return Ok(splits::by_pages(leaves, estimate.as_ref(), settings.splits));
        }
        let estimate = estimate()?;
        let key = match (&settings.split_by, &self.table) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(table)) => table.primary_key(self.session, &check)?,
            (None, None) => None,
        };
        let Some(key) = key else { return Ok(vec![self.whole(&estimate)]) };
        let pages = leaves.iter().flatten().map(|leaf: &Leaf| leaf.pages).sum();
        let filter = settings.filter.as_deref();
        let (from, name, table) = (&self.from, &self.name, self.table.as_ref());
        let by_key = ByKey { from, name, key: &key, filter, table, estimate: &estimate, pages };
        by_key.cut(self.session, settings.splits, &check)
    }

    fn whole(&self, estimate: &Estimate) -> Range {
        let (from, name) = (self.from.clone(), self.name.clone());
        Range { from, name, condition: None, rows: Some(estimate.rows), bytes: estimate.bytes }
    }
}
