//! The target's columns, held against those of the rows before any row is read.

use std::collections::BTreeMap;

use arrow::datatypes::{Field, SchemaRef};
use kiln::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::super::catalog::unknown_table;
use super::super::session::{Session, identifier, literal, value};
use super::encoding::{Encoding, Fit, created, fit};
use crate::nearest::nearest;
use crate::selection::unknown_column;
use crate::wait::Check;

/// The column of a staging table that has the number of the part.
pub(super) const PART: &str = "kiln_part";

/// A column that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) encoding: Encoding,
    /// The type that the server makes of the staged text, for types that are staged as text.
    pub(super) cast: Option<String>,
    pub(super) not_null: bool,
    /// Whether it is part of the key of an upsert.
    pub(super) is_key: bool,
}

/// The table that is written, and its columns that are.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// With its schema, as SQL writes it.
    pub(super) name: String,
    /// Its schema, as SQL writes it.
    pub(super) schema: String,
    /// What creates it; nothing if it is there.
    pub(super) create: Option<String>,
    pub(super) columns: Vec<Column>,
    /// The types of the columns of a staging table, in the same order.
    pub(super) staged: Vec<String>,
}

/// Where a name leads.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) schema: String,
    /// The table's object id, if it exists.
    pub(super) oid: Option<u32>,
}

/// A column as the server has it.
struct Known {
    name: String,
    data_type: Type,
    modifier: i32,
    /// As SQL writes the type.
    sql: String,
    not_null: bool,
    has_default: bool,
    /// Whether the server alone makes its values.
    is_generated: bool,
}

/// Finds the table that SQL calls `name`.
///
/// # Errors
/// Config for a view, and for a name that is none.
pub(super) fn find(session: &Session, name: &str, check: Check<'_>) -> Result<Found> {
    let sql = format!(
        "WITH named AS (SELECT parse_ident({0}) AS parts),
             split AS (SELECT parts[cardinality(parts)] AS name,
                 CASE cardinality(parts) WHEN 1 THEN current_schema()::text ELSE parts[cardinality(parts) - 1] END AS schema
                 FROM named)
         SELECT quote_ident(coalesce(n.nspname, split.schema)), quote_ident(coalesce(c.relname, split.name)), c.oid,
             c.relkind::text
         FROM split LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass({0})
             LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
        literal(name)
    );
    let rows = session.query("the table cannot be looked up", &sql, check)?;
    let row = rows.first().ok_or_else(|| Error::config(format!("`{name}` is no name of a table")))?;
    let (schema, table): (Option<String>, String) = (value(row, 0)?, value(row, 1)?);
    let schema = schema.ok_or_else(|| {
        Error::config(format!("`{name}` is in no schema: the search path is empty"))
            .help("write the name with its schema")
    })?;
    let (oid, kind): (Option<u32>, Option<String>) = (value(row, 2)?, value(row, 3)?);
    match kind.as_deref() {
        None | Some("r" | "p") => Ok(Found { name: format!("{schema}.{table}"), schema, oid }),
        Some(_) => {
            let error = Error::config(format!("`{name}` is no table")).reason("unknown_table");
            Err(error.help("rows are written into tables; a view is written through its table"))
        }
    }
}

/// Holds the columns of the rows against those of the table.
///
/// # Errors
/// Config, with the column, for one that does not fit.
pub(super) fn target(
    session: &Session,
    name: &str,
    schema: &SchemaRef,
    keys: &[String],
    may_create: bool,
    check: Check<'_>,
) -> Result<Target> {
    check_names(schema, keys)?;
    let found = find(session, name, check)?;
    let Some(oid) = found.oid else {
        return match may_create {
            true => new_table(found, schema, keys),
            false => {
                let error = unknown_table(session, name, check)?;
                Err(error.help("`create` makes it with the columns of the rows"))
            }
        };
    };
    let known = known(session, &found.name, oid, check)?;
    let missing = |column: &&Known| {
        column.not_null
            && !column.has_default
            && !column.is_generated
            && schema.index_of(&column.name).is_err()
    };
    if let Some(column) = known.iter().find(missing) {
        return Err(missing_column(column, &found.name, schema));
    }
    if !keys.is_empty() {
        check_unique(session, oid, &found.name, keys, check)?;
    }
    let (mut columns, mut staged) = (Vec::new(), Vec::new());
    for field in schema.fields() {
        let (column, data_type) = existing(field, &known, &found.name, keys)?;
        columns.push(column);
        staged.push(data_type);
    }
    Ok(Target { name: found.name, schema: found.schema, create: None, columns, staged })
}

fn check_names(schema: &SchemaRef, keys: &[String]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for field in schema.fields() {
        if seen.insert(field.name(), ()).is_some() {
            return Err(Error::config(format!("the rows have two columns `{}`", field.name())));
        }
    }
    if seen.contains_key(&PART.to_owned()) {
        return Err(Error::config(format!("the column `{PART}` is for Kiln's own use")));
    }
    match keys.iter().find(|key| !seen.contains_key(key)) {
        None => Ok(()),
        Some(key) => {
            let known = schema.fields().iter().map(|field| field.name().as_str());
            Err(unknown_column(key, "the rows", known.collect::<Vec<_>>()))
        }
    }
}

/// The columns that the table has.
fn known(session: &Session, table: &str, oid: u32, check: Check<'_>) -> Result<Vec<Known>> {
    let sql = format!(
        "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef,
             a.attgenerated <> '' OR a.attidentity = 'a', a.attidentity <> '',
             CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    let rows = session.query("the columns of the table cannot be read", &sql, check)?;
    let statement = session.describe(
        "the columns of the table cannot be read",
        &format!("SELECT * FROM {table}"),
        check,
    )?;
    let known = rows.iter().zip(statement.columns()).map(|(row, column)| {
        let is_identity: bool = value(row, 5)?;
        Ok(Known {
            name: value(row, 0)?,
            data_type: column.type_().clone(),
            modifier: value(row, 6)?,
            sql: value(row, 1)?,
            not_null: value(row, 2)?,
            has_default: value::<bool>(row, 3)? || is_identity,
            is_generated: value(row, 4)?,
        })
    });
    known.collect()
}

/// A column of the rows that goes into one of the table, and the type by which it is staged.
fn existing(field: &Field, known: &[Known], table: &str, keys: &[String]) -> Result<(Column, String)> {
    let name = field.name();
    let Some(column) = known.iter().find(|column| column.name == *name) else {
        let names: Vec<&str> = known.iter().map(|column| column.name.as_str()).collect();
        return Err(unknown_column(name, table, names));
    };
    if column.is_generated {
        let error = Error::config(format!("the server makes the values of the column `{name}` of {table}"));
        return Err(error.at("column", name).help("leave it out of the rows"));
    }
    let Some(Fit { encoding, as_text }) = fit(field.data_type(), &column.data_type, column.modifier) else {
        return Err(no_fit(field, column, table));
    };
    let is_key = keys.contains(name);
    let cast = as_text.then(|| column.sql.clone());
    let staged = if as_text { "text".to_owned() } else { column.sql.clone() };
    let not_null = column.not_null || is_key;
    Ok((Column { name: name.clone(), encoding, cast, not_null, is_key }, staged))
}

fn no_fit(field: &Field, column: &Known, table: &str) -> Error {
    let (name, from) = (field.name(), field.data_type());
    let text = format!(
        "the column `{name}` is {from}, which the {} of {table} does not hold without loss",
        column.sql
    );
    let error = Error::config(text).reason("unsupported_type").at("column", name);
    match created(from) {
        Some(to) => error.help(format!("give the column of the table the type {to}, or convert the rows")),
        None => error.help("no type of the server holds it: convert the rows, for example to text"),
    }
}

fn missing_column(column: &Known, table: &str, schema: &SchemaRef) -> Error {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let error = Error::config(format!(
        "the rows have no column `{}`, which {table} needs: it is NOT NULL",
        column.name
    ));
    let error = error.reason("missing_column").at("column", &column.name);
    match nearest(&column.name, names) {
        Some(near) => error.help(format!("is it `{near}` of the rows?")),
        None => error.help("add it to the rows, or give the column a default"),
    }
}

/// Checks that the keys identify a row: that a unique index has exactly these columns.
fn check_unique(session: &Session, oid: u32, table: &str, keys: &[String], check: Check<'_>) -> Result<()> {
    let sql = format!(
        "SELECT array_agg(a.attname::text ORDER BY a.attname::text)
         FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = {oid} AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
             AND i.indexprs IS NULL AND k.n <= i.indnkeyatts
         GROUP BY i.indexrelid"
    );
    let rows = session.query("the keys of the table cannot be read", &sql, check)?;
    let mut wanted = keys.to_vec();
    wanted.sort();
    wanted.dedup();
    let found = rows.iter().map(|row| value::<Vec<String>>(row, 0)).collect::<Result<Vec<_>>>()?;
    if found.contains(&wanted) {
        return Ok(());
    }
    let columns: Vec<String> = keys.iter().map(|key| identifier(key)).collect();
    let error = Error::config(format!("{table} has no unique key of ({})", keys.join(", ")));
    Err(error.reason("no_unique_key").help(format!(
        "rows are told by a primary key or a unique index of exactly these columns: \
         CREATE UNIQUE INDEX ON {table} ({})",
        columns.join(", ")
    )))
}

/// A table with the columns of the rows, which the commit creates.
fn new_table(found: Found, schema: &SchemaRef, keys: &[String]) -> Result<Target> {
    let (mut columns, mut staged, mut defined) = (Vec::new(), Vec::new(), Vec::new());
    for field in schema.fields() {
        let name = field.name();
        let unfit = || {
            let error = Error::config(format!(
                "the server has no type for the column `{name}`, {}",
                field.data_type()
            ));
            error.reason("unsupported_type").at("column", name).help("convert it, for example to text")
        };
        let data_type = created(field.data_type()).ok_or_else(unfit)?;
        let encoding = encoding_of_new(field).ok_or_else(unfit)?;
        let is_key = keys.contains(name);
        let not_null = is_key || !field.is_nullable();
        let constraint = if not_null { " NOT NULL" } else { "" };
        defined.push(format!("{} {data_type}{constraint}", identifier(name)));
        columns.push(Column { name: name.clone(), encoding, cast: None, not_null, is_key });
        staged.push(data_type);
    }
    if !keys.is_empty() {
        let keys: Vec<String> = keys.iter().map(|key| identifier(key)).collect();
        defined.push(format!("PRIMARY KEY ({})", keys.join(", ")));
    }
    let create = format!("CREATE TABLE IF NOT EXISTS {} ({})", found.name, defined.join(", "));
    Ok(Target { name: found.name, schema: found.schema, create: Some(create), columns, staged })
}

/// How the values of a created column are sent.
fn encoding_of_new(field: &Field) -> Option<Encoding> {
    use arrow::datatypes::DataType::*;
    let of = |data_type: &arrow::datatypes::DataType| {
        Some(match created(data_type)?.split('(').next()? {
            "boolean" => Type::BOOL,
            "smallint" => Type::INT2,
            "integer" => Type::INT4,
            "bigint" => Type::INT8,
            "numeric" => Type::NUMERIC,
            "real" => Type::FLOAT4,
            "double precision" => Type::FLOAT8,
            "text" => Type::TEXT,
            "bytea" => Type::BYTEA,
            "date" => Type::DATE,
            "timestamp" => Type::TIMESTAMP,
            "timestamptz" => Type::TIMESTAMPTZ,
            "time" => Type::TIME,
            _ => return None,
        })
    };
    match field.data_type() {
        List(item) | LargeList(item) | FixedSizeList(item, _) => {
            let element = of(item.data_type())?;
            let items = fit(item.data_type(), &element, -1)?.encoding;
            Some(Encoding::List(Box::new(items), element.oid()))
        }
        data_type => Some(fit(data_type, &of(data_type)?, -1)?.encoding),
    }
}
