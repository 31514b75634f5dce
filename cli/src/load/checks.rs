//! The `[checks]` of a load file: what must hold before its rows are published.

use std::collections::BTreeMap;

use kiln::connect::Scan;
use kiln::expr::{Expr, col, lit};
use kiln::{Check, Copied, Error, OnFail, Result, Write};
use serde::Deserialize;
use toml::Value;

use super::params::Params;

/// Checks that fail the load; below `warn` and `reject` those that do not.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    /// Whether as many rows must be read as the source counts.
    pub source_rows: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_at_least: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_at_most: Option<u64>,
    /// As `-20%..+50%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_change: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_null: Vec<String>,
    /// Columns, and lists of columns that are unique together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<Key>,
    /// By column.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub range: BTreeMap<String, Range>,
    /// By column.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted: BTreeMap<String, Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn: Option<Box<Checks>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<Box<Checks>>,
}

/// What is unique.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Key {
    Column(String),
    Columns(Vec<String>),
}

/// From where to where the values of a column go, both ends included.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
}

impl Checks {
    /// Puts the values of parameters in place of their names.
    pub fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        let bounds = self.range.values_mut().flat_map(|range| [&mut range.min, &mut range.max]).flatten();
        for value in bounds.chain(self.accepted.values_mut().flatten()) {
            if let Value::String(text) = value {
                *text = params.fill(text)?;
            }
        }
        [&mut self.warn, &mut self.reject].into_iter().flatten().try_for_each(|checks| checks.fill(params))
    }

    /// Adds the checks to a write.
    ///
    /// # Errors
    /// Config for a value that no column is compared with.
    pub fn add_to<'r, S: Scan>(&self, write: Write<'r, Copied<S>>) -> Result<Write<'r, Copied<S>>> {
        let at = |e: Error| e.at("section", "checks");
        let mut checks = self.all().map_err(at)?;
        for (some, on_fail) in [(&self.warn, OnFail::Warn), (&self.reject, OnFail::Reject)] {
            let Some(some) = some else { continue };
            if some.warn.is_some() || some.reject.is_some() {
                return Err(at(Error::config(
                    "`warn` and `reject` hold checks, and no further `warn` or `reject`",
                )));
            }
            checks.extend(some.all().map_err(at)?.into_iter().map(|check| check.on_fail(on_fail)));
        }
        Ok(checks.into_iter().fold(write, Write::check))
    }

    /// Those of this level.
    fn all(&self) -> Result<Vec<Check>> {
        let mut checks = Vec::new();
        checks.extend(self.source_rows.then(Check::rows_of_source));
        checks.extend(self.rows_at_least.map(Check::rows_at_least));
        checks.extend(self.rows_at_most.map(Check::rows_at_most));
        checks.extend(self.rows_change.as_deref().map(Check::rows_change));
        checks.extend(self.not_null.iter().map(|column| Check::not_null(column)));
        checks.extend(self.unique.iter().map(|key| match key {
            Key::Column(column) => Check::unique([column.as_str()]),
            Key::Columns(columns) => Check::unique(columns.iter().map(String::as_str)),
        }));
        for (column, range) in &self.range {
            checks.push(range.check(column)?);
        }
        for (column, values) in &self.accepted {
            let values = values.iter().map(literal).collect::<Result<Vec<_>>>();
            let values = values.map_err(|e| e.at("column", column))?;
            checks.push(Check::holds(col(column.as_str()).in_list(values, false)));
        }
        Ok(checks)
    }
}

impl Range {
    fn check(&self, column: &str) -> Result<Check> {
        let side = |value: &Option<Value>| {
            value.as_ref().map(literal).transpose().map_err(|e| e.at("column", column))
        };
        let least = side(&self.min)?.map(|least| col(column).gt_eq(least));
        let most = side(&self.max)?.map(|most| col(column).lt_eq(most));
        let both = match (least, most) {
            (Some(least), Some(most)) => least.and(most),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                return Err(Error::config("a range has a `min`, a `max` or both").at("column", column));
            }
        };
        Ok(Check::holds(both))
    }
}

/// A value of the file; dates and times are texts, which are read for the type of their column.
fn literal(value: &Value) -> Result<Expr> {
    match value {
        Value::String(text) => Ok(lit(text)),
        Value::Integer(number) => Ok(lit(*number)),
        Value::Float(number) => Ok(lit(*number)),
        Value::Boolean(value) => Ok(lit(*value)),
        Value::Datetime(time) => Ok(lit(time.to_string())),
        Value::Array(_) | Value::Table(_) => {
            Err(Error::config(format!("columns are compared with single values, and not with {value}")))
        }
    }
}
