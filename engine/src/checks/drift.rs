//! Schema drift: the columns of rows are others than those of what is published.
//!
//! The columns of both enter with a policy; what is written leaves, or one error that lists every difference. Nothing is
//! rounded: a column that is narrower than the published one widens to it, and where it is wider the published one may
//! follow, if every value that is there is one of the new type. What is published, `publish` finds out.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_expr::ident;
use serde::{Deserialize, Serialize};

use super::check::{Check, OnFail};
use crate::error::{Error, Result};
use crate::publish::{PublishedColumns, table_columns};
use crate::source::is_lossless;

/// What becomes of a write whose columns are not those of what is published; see
/// [`Write::drift`](crate::Write::drift).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// New columns are added if they may be null, a column that has gone is null in the new rows if it may be, and a type
    /// changes to one that holds all its values.
    Evolve,
    /// Any difference is an error of class config.
    Freeze,
    /// New columns are left out.
    DiscardColumns,
    /// New columns are left out, and rows that have a value in one are rejected.
    DiscardRows,
}

/// How rows are written beside those that are published.
#[derive(Debug)]
pub struct Fitted {
    /// The columns that are written.
    pub written: SchemaRef,
    /// Conditions on rows that follow from the policy.
    pub checks: Vec<Check>,
}

impl Drift {
    /// Fits rows with the columns `given`, which become folders by `partition_by`, to what is published.
    ///
    /// # Errors
    /// Config, with the reason `schema_mismatch`, that lists all differences which the policy does not allow.
    pub fn fit(self, given: &SchemaRef, partition_by: &[String], there: &PublishedColumns) -> Result<Fitted> {
        let stored = if there.is_table { table_columns(given)? } else { Arc::clone(given) };
        let mut fitting =
            Fitting { policy: self, there, written: Vec::new(), checks: Vec::new(), refused: Vec::new() };
        if there.partition_by != partition_by {
            let (ours, theirs) = (partition_by.join(", "), there.partition_by.join(", "));
            fitting
                .refused
                .push(format!("the rows are partitioned by [{ours}], those that are there by [{theirs}]"));
        }
        let is_in_files = |name: &String| there.is_table || !partition_by.contains(name);
        for (field, stored) in given.fields().iter().zip(stored.fields()) {
            match there.schema.field_with_name(field.name()) {
                _ if !is_in_files(field.name()) => fitting.written.push(field.as_ref().clone()),
                Ok(published) => fitting.known(field, stored, published),
                Err(_) => fitting.new_column(field),
            }
        }
        let is_gone = |field: &&Arc<Field>| given.field_with_name(field.name()).is_err();
        there.schema.fields().iter().filter(is_gone).for_each(|field| fitting.gone(field));
        fitting.finish()
    }
}

/// The columns so far.
struct Fitting<'a> {
    policy: Drift,
    there: &'a PublishedColumns,
    written: Vec<Field>,
    checks: Vec<Check>,
    /// Differences that the policy does not allow.
    refused: Vec<String>,
}

impl Fitting<'_> {
    /// A column that both have, as the rows have it and as the output would store it.
    fn known(&mut self, field: &Field, stored: &Field, published: &Field) {
        let name = field.name();
        if field.is_nullable() && !published.is_nullable() {
            self.refused.push(format!("`{name}` may be null here, and not there"));
        }
        let (ours, theirs) = (stored.data_type(), published.data_type());
        let differs = || format!("`{name}` is {ours} here, and {theirs} there");
        if same_type(ours, theirs) {
            return self.written.push(field.clone());
        }
        match (self.policy, is_lossless(field.data_type(), theirs), is_lossless(theirs, ours)) {
            (Drift::Freeze, ..) | (_, false, false) => self.refused.push(differs()),
            (_, true, _) => self.written.push(field.clone().with_data_type(theirs.clone())),
            (Drift::Evolve, false, true) if !self.there.is_table => self.written.push(field.clone()),
            (Drift::Evolve, false, true) => {
                self.refused
                    .push(differs() + ", and a Delta table that every reader takes cannot widen a column");
            }
            (Drift::DiscardColumns | Drift::DiscardRows, false, true) => self.refused.push(differs()),
        }
    }

    /// A column that only the rows have.
    fn new_column(&mut self, field: &Field) {
        let name = field.name();
        match self.policy {
            Drift::Freeze => self.refused.push(format!("`{name}` is new")),
            Drift::Evolve if field.is_nullable() => self.written.push(field.clone()),
            Drift::Evolve => {
                self.refused
                    .push(format!("`{name}` is new, and the rows that are there would be null in it"));
            }
            Drift::DiscardColumns => {}
            Drift::DiscardRows => {
                let is_null = ident(name.as_str()).is_null();
                self.checks.push(Check::holds(is_null).on_fail(OnFail::Reject));
            }
        }
    }

    /// A column that only the output has.
    fn gone(&mut self, published: &Field) {
        match (self.policy, published.is_nullable()) {
            (Drift::Evolve, true) => self.written.push(published.clone()),
            (Drift::Evolve, false) => {
                self.refused
                    .push(format!("`{}` is missing here, and may not be null there", published.name()));
            }
            _ => self.refused.push(format!("`{}` is missing here", published.name())),
        }
    }

    fn finish(self) -> Result<Fitted> {
        if self.refused.is_empty() {
            return Ok(Fitted { written: Arc::new(Schema::new(self.written)), checks: self.checks });
        }
        let text = format!("the columns are not those of what is published: {}", self.refused.join(", "));
        let error = Error::config(text).reason("schema_mismatch");
        Err(match self.policy {
            Drift::Freeze => error.help(
                "read or convert the rows as they were, let the columns change by the drift policy `evolve`, or overwrite the \
                 whole output",
            ),
            _ => error.help("read or convert the rows as they were, or overwrite the whole output"),
        })
    }
}

/// Whether two types are stored alike; how a map calls its entries does not matter.
fn same_type(a: &DataType, b: &DataType) -> bool {
    a.equals_datatype(b)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
        let fields = fields.iter().map(|(name, of, nullable)| Field::new(*name, of.clone(), *nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn there(fields: &[(&str, DataType, bool)], is_table: bool) -> PublishedColumns {
        PublishedColumns { schema: schema(fields), partition_by: Vec::new(), is_table }
    }

    #[test]
    fn freeze_lists_every_difference() {
        let there = there(
            &[("a", DataType::Int32, true), ("b", DataType::Utf8, false), ("c", DataType::Date32, true)],
            false,
        );
        let given =
            schema(&[("d", DataType::Utf8, true), ("a", DataType::Int64, true), ("b", DataType::Utf8, true)]);
        let error = Drift::Freeze.fit(&given, &["d".to_owned()], &there).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (crate::Class::Config, "schema_mismatch"));
        for part in ["by [d]", "`a` is Int64 here, and Int32 there", "`b` may be null", "`c` is missing"] {
            assert!(error.message().contains(part), "{part} in {error}");
        }
        let reordered = schema(&[
            ("c", DataType::Date32, true),
            ("b", DataType::Utf8, false),
            ("a", DataType::Int32, false),
        ]);
        let fitted = Drift::Freeze.fit(&reordered, &[], &there).unwrap();
        assert_eq!(fitted.written, reordered);
    }

    #[test]
    fn evolve_adds_widens_and_fills_where_nothing_is_lost() {
        let there = |is_table| {
            let columns =
                [("a", DataType::Int32, true), ("b", DataType::Int64, true), ("c", DataType::Utf8, true)];
            there(&columns, is_table)
        };
        let given = schema(&[
            ("a", DataType::Int64, true),
            ("b", DataType::Int32, true),
            ("d", DataType::Date32, true),
        ]);
        let fitted = Drift::Evolve.fit(&given, &[], &there(false)).unwrap();
        let written: Vec<_> =
            fitted.written.fields().iter().map(|f| (f.name().as_str(), f.data_type().clone())).collect();
        let expected =
            [("a", DataType::Int64), ("b", DataType::Int64), ("d", DataType::Date32), ("c", DataType::Utf8)];
        assert_eq!(written, expected);
        let error = Drift::Evolve.fit(&given, &[], &there(true)).unwrap_err();
        assert!(error.message().contains("cannot widen"), "{error}");
        let strict = schema(&[
            ("a", DataType::Int32, true),
            ("b", DataType::Int64, true),
            ("c", DataType::Utf8, true),
            ("d", DataType::Date32, false),
        ]);
        assert!(Drift::Evolve.fit(&strict, &[], &there(false)).is_err(), "old rows have no value");
    }

    #[test]
    fn new_columns_are_left_out_and_rows_with_a_value_there_are_rejected() {
        let there = there(&[("a", DataType::Int32, true)], false);
        let given = schema(&[("a", DataType::Int32, true), ("b", DataType::Utf8, true)]);
        let columns = Drift::DiscardColumns.fit(&given, &[], &there).unwrap();
        let rows = Drift::DiscardRows.fit(&given, &[], &there).unwrap();
        assert_eq!((columns.written.fields().len(), columns.checks.len()), (1, 0));
        assert_eq!((rows.written.fields().len(), rows.checks.len()), (1, 1));
        let gone = schema(&[("b", DataType::Utf8, true)]);
        for policy in [Drift::DiscardColumns, Drift::DiscardRows, Drift::Freeze] {
            assert!(policy.fit(&gone, &[], &there).is_err(), "{policy:?}");
        }
    }

    #[test]
    fn unsigned_columns_are_those_of_a_table_and_a_zone_is_kept() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let there = there(&[("n", DataType::Int64, false), ("t", zoned.clone(), true)], true);
        let given = schema(&[("n", DataType::UInt32, false), ("t", zoned, true)]);
        assert_eq!(Drift::Freeze.fit(&given, &[], &there).unwrap().written, given);
        let clock = schema(&[
            ("n", DataType::UInt32, false),
            ("t", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        ]);
        assert!(Drift::Freeze.fit(&clock, &[], &there).is_ok(), "a table stores microseconds");
    }
}
