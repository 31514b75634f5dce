//! What the server's catalogue knows: the relation that a name means, its parts, and the names that are near.

use std::collections::HashMap;

use kiln::{Error, Result};
use serde_json::Value;

use super::session::{Session, identifier, literal, value};
use crate::nearest::nearest;
use crate::wait::Check;

/// How many names are looked at for the nearest one.
const MAX_NAMES: usize = 10_000;

/// A table, view or materialized view.
pub(super) struct Relation {
    pub(super) oid: u32,
    /// With its schema, as SQL writes it.
    pub(super) name: String,
    kind: String,
    /// Whether other policies hold for rows that are read through it than for those of its children.
    has_policies: bool,
    may_lock: bool,
}

/// A table that holds rows: the relation itself, or one of its partitions or children.
pub(super) struct Leaf {
    pub(super) schema: String,
    pub(super) table: String,
    /// Whether its rows can be read by ranges of their pages.
    pub(super) has_pages: bool,
    pub(super) pages: u64,
    /// Bytes with those of long values that are stored elsewhere.
    pub(super) bytes: u64,
    pub(super) rows: Option<u64>,
    may_select: bool,
}

/// What a table or an index scan of the planner reads.
pub(super) struct Estimate {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// The tables that are scanned, and whether as a whole.
    scans: HashMap<(String, String), bool>,
}

impl Relation {
    /// Finds the relation that SQL calls `name`.
    ///
    /// # Errors
    /// Config with the nearest name when there is none.
    pub(super) fn find(session: &Session, name: &str, check: Check<'_>) -> Result<Relation> {
        let sql = format!(
            "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
                 c.relrowsecurity, has_table_privilege(c.oid, 'SELECT')
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = to_regclass({})",
            literal(name)
        );
        let rows = session.query("the table cannot be looked up", &sql, check)?;
        let Some(row) = rows.first() else { return Err(unknown_table(session, name, check)?) };
        let relation = Relation {
            oid: value(row, 0)?,
            name: value(row, 1)?,
            kind: value(row, 2)?,
            has_policies: value(row, 3)?,
            may_lock: value(row, 4)?,
        };
        match relation.kind.as_str() {
            "r" | "p" | "v" | "m" | "f" => Ok(relation),
            _ => Err(Error::config(format!("`{name}` is no table and no view")).reason("unknown_table")),
        }
    }

    /// Keeps the table from being emptied, changed or dropped until the transaction ends: that would be seen by readers
    /// of an older snapshot, too.
    pub(super) fn lock(&self, session: &Session, check: Check<'_>) -> Result<()> {
        if !self.may_lock || !matches!(self.kind.as_str(), "r" | "p") {
            return Ok(());
        }
        let sql = format!("LOCK TABLE {} IN ACCESS SHARE MODE", self.name);
        session.execute("the table cannot be locked against changes of its columns", &sql, check)
    }

    /// Whether a sample of its pages can be asked for.
    pub(super) fn has_sample(&self) -> bool {
        matches!(self.kind.as_str(), "r" | "m")
    }

    /// The tables that hold the rows, in the order of their names, if they can be read by pages: since version 14.
    /// Nothing if the relation must be read as a whole.
    pub(super) fn leaves(&self, session: &Session, check: Check<'_>) -> Result<Option<Vec<Leaf>>> {
        if !matches!(self.kind.as_str(), "r" | "p" | "m") {
            return Ok(None);
        }
        let rows = session.query("the version cannot be read", "SHOW server_version_num", check)?;
        let version: Option<u32> =
            rows.first().map(|row| value::<&str>(row, 0)).transpose()?.and_then(|v| v.parse().ok());
        if version.is_none_or(|version| version < 140_000) {
            return Ok(None);
        }
        let rows = session.query("the parts of the table cannot be listed", &self.leaves_sql(), check)?;
        let leaves = rows.iter().map(Leaf::of).collect::<Result<Vec<_>>>()?;
        let is_alone = leaves.len() == 1 && self.kind != "p";
        let may_read_parts = leaves.iter().all(|leaf| leaf.may_select) && !self.has_policies;
        Ok((is_alone || may_read_parts).then_some(leaves))
    }

    fn leaves_sql(&self) -> String {
        format!(
            "WITH RECURSIVE tree AS (
                 SELECT {}::oid AS oid
                 UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid
                     WHERE NOT i.inhdetachpending)
             SELECT n.nspname::text, c.relname::text,
                 c.relkind <> 'f' AND coalesce(am.amname = 'heap', false),
                 CASE c.relkind WHEN 'f' THEN 0 ELSE pg_relation_size(c.oid) / current_setting('block_size')::int8 END,
                 CASE c.relkind WHEN 'f' THEN 0 ELSE pg_table_size(c.oid) END,
                 c.reltuples::float8, has_table_privilege(c.oid, 'SELECT')
             FROM tree JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
             WHERE c.relkind IN ('r', 'm', 'f') ORDER BY 1, 2",
            self.oid
        )
    }

    /// The first column of the primary key, for servers and tables that cannot be read by pages.
    pub(super) fn primary_key(&self, session: &Session, check: Check<'_>) -> Result<Option<String>> {
        let sql = format!(
            "SELECT a.attname::text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = {} AND i.indisprimary",
            self.oid
        );
        let rows = session.query("the primary key cannot be looked up", &sql, check)?;
        rows.first().map(|row| value(row, 0)).transpose()
    }
}

impl Leaf {
    fn of(row: &tokio_postgres::Row) -> Result<Leaf> {
        let (pages, bytes, rows): (i64, i64, f64) = (value(row, 3)?, value(row, 4)?, value(row, 5)?);
        Ok(Leaf {
            schema: value(row, 0)?,
            table: value(row, 1)?,
            has_pages: value(row, 2)?,
            pages: u64::try_from(pages).unwrap_or_default(),
            bytes: u64::try_from(bytes).unwrap_or_default(),
            // Negative before the table was analysed.
            rows: (rows >= 0.0).then_some(rows as u64),
            may_select: value(row, 6)?,
        })
    }

    /// With its schema, as SQL writes it.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.table))
    }
}

impl Estimate {
    /// What the planner expects of a query, which does not run.
    pub(super) fn of(session: &Session, sql: &str, check: Check<'_>) -> Result<Estimate> {
        let sql = format!("EXPLAIN (FORMAT JSON, VERBOSE) {sql}");
        let rows = session.query("the query cannot be planned", &sql, check)?;
        let plan: Option<Value> = rows.first().map(|row| value(row, 0)).transpose()?.map(|Json(plan)| plan);
        let Some(root) = plan.as_ref().and_then(|plan| plan.get(0)?.get("Plan")) else {
            return Ok(Estimate { rows: 0, bytes: 0, scans: HashMap::new() });
        };
        let number = |name: &str| root.get(name).and_then(Value::as_f64).unwrap_or_default() as u64;
        let (rows, width) = (number("Plan Rows"), number("Plan Width"));
        let mut estimate = Estimate { rows, bytes: rows.saturating_mul(width), scans: HashMap::new() };
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            estimate.add(node);
            open.extend(node.get("Plans").and_then(Value::as_array).into_iter().flatten());
        }
        Ok(estimate)
    }

    fn add(&mut self, node: &Value) {
        let text = |name: &str| node.get(name).and_then(Value::as_str);
        if let (Some(schema), Some(table)) = (text("Schema"), text("Relation Name")) {
            let is_whole = text("Node Type") == Some("Seq Scan");
            *self.scans.entry((schema.to_owned(), table.to_owned())).or_default() |= is_whole;
        }
    }

    /// Whether the plan reads the table as a whole; nothing if it does not read it.
    pub(super) fn reads_whole(&self, leaf: &Leaf) -> Option<bool> {
        self.scans.get(&(leaf.schema.clone(), leaf.table.clone())).copied()
    }
}

/// JSON as the server sends it.
struct Json(Value);

impl tokio_postgres::types::FromSql<'_> for Json {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        raw: &[u8],
    ) -> Result<Json, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Json(serde_json::from_slice(raw)?))
    }

    fn accepts(data_type: &tokio_postgres::types::Type) -> bool {
        *data_type == tokio_postgres::types::Type::JSON
    }
}

pub(super) fn unknown_table(session: &Session, name: &str, check: Check<'_>) -> Result<Error> {
    let sql = format!(
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         ORDER BY 1 LIMIT {MAX_NAMES}"
    );
    let rows = session.query("the tables cannot be listed", &sql, check)?;
    let names = rows.iter().map(|row| value::<&str>(row, 0)).collect::<Result<Vec<_>>>()?;
    let full = if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
    let error = Error::config(format!("there is no table `{name}`")).reason("unknown_table");
    let same_table = |known: &&&str| known.rsplit('.').next() == name.rsplit('.').next();
    let near = names.iter().find(same_table).copied().or_else(|| nearest(&full, names.iter().copied()));
    Ok(match near {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("a name is written with its schema, and with quotes if it has capitals"),
    })
}

#[cfg(test)]
impl Leaf {
    /// A table of so many pages of 8 KiB.
    pub(super) fn for_test(table: &str, pages: u64) -> Leaf {
        Leaf {
            schema: "public".to_owned(),
            table: table.to_owned(),
            has_pages: true,
            pages,
            bytes: pages * 8192,
            rows: None,
            may_select: true,
        }
    }
}
