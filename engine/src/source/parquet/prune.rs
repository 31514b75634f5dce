//! Drops row groups in which no row can pass the filter.
//!
//! For each condition it computes which of true, false and null it can be for any row of the group. `NOT`
//! swaps these outcomes, `AND` and `OR` combine them, so the answer is right whatever the context of a
//! condition. `statistics` decides which statistics are reliable; whether a single row passes is decided
//! later.

use std::cmp::Ordering;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::RowGroupMetaData;

use super::statistics::{Bounds, Known};
use crate::source::predicate::{Bound, Check, Comparison, Kind, OnFile, Operand};

/// Those of `groups` that may have a row for which `filter` is true.
pub(super) fn groups(filter: &OnFile, groups: Vec<usize>, footer: &ArrowReaderMetadata) -> Vec<usize> {
    let may_pass = |group: &usize| {
        let group = footer.metadata().row_group(*group);
        Group { filter, group, footer }.outcomes(&filter.check).is_true
    };
    groups.into_iter().filter(may_pass).collect()
}

/// The possible results of a condition for the rows of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outcomes {
    is_true: bool,
    is_false: bool,
    is_null: bool,
}

impl Outcomes {
    const ANY: Outcomes = Outcomes { is_true: true, is_false: true, is_null: true };

    fn only(value: Option<bool>) -> Outcomes {
        let is = |expected| value == expected;
        Outcomes { is_true: is(Some(true)), is_false: is(Some(false)), is_null: is(None) }
    }

    fn not(self) -> Outcomes {
        Outcomes { is_true: self.is_false, is_false: self.is_true, is_null: self.is_null }
    }

    fn and(self, other: Outcomes) -> Outcomes {
        Outcomes {
            is_true: self.is_true && other.is_true,
            is_false: self.is_false || other.is_false,
            is_null: self.is_null || other.is_null,
        }
    }
}

struct Group<'a> {
    filter: &'a OnFile,
    group: &'a RowGroupMetaData,
    footer: &'a ArrowReaderMetadata,
}

impl Group<'_> {
    fn outcomes(&self, check: &Check) -> Outcomes {
        match check {
            Check::Always(value) => Outcomes::only(*value),
            Check::Compare { left: Operand::Column(at), kind, op, right } => {
                self.comparison(*at, *kind, |bounds| orders(bounds, right), *op)
            }
            Check::OneOf { left: Operand::Column(at), kind, units } => {
                let known = self.known(*at, Some(*kind));
                let may_be = match known.bounds {
                    Some(Bounds::Units(min, max)) => units.iter().any(|value| (min..=max).contains(value)),
                    _ => true,
                };
                with_nulls(&known, Outcomes { is_true: may_be, is_false: true, is_null: false })
            }
            Check::Flag(Operand::Column(at)) => {
                let order = |bounds: Option<&Bounds>| orders(bounds, &Bound::Boolean(true));
                self.comparison(*at, Kind::Boolean, order, Comparison::Eq)
            }
            Check::Like { item: Operand::Column(at), pattern, any_case } => {
                let known = self.known(*at, Some(Kind::Text));
                let may_match = *any_case || may_match(known.bounds.as_ref(), pattern);
                with_nulls(&known, Outcomes { is_true: may_match, is_false: true, is_null: false })
            }
            Check::IsNull(Operand::Column(at)) => {
                let Known { rows, nulls, .. } = self.known(*at, None);
                Outcomes { is_true: nulls != Some(0), is_false: nulls != Some(rows), is_null: false }
            }
            Check::Columns { left: Operand::Column(_), .. }
            | Check::Columns { right: Operand::Column(_), .. } => Outcomes::ANY,
            Check::IsUnknown(inner) => {
                let inner = self.outcomes(inner);
                Outcomes { is_true: inner.is_null, is_false: inner.is_true || inner.is_false, is_null: false }
            }
            Check::Not(inner) => self.outcomes(inner).not(),
            Check::All(parts) => {
                parts.iter().fold(Outcomes::only(Some(true)), |all, part| all.and(self.outcomes(part)))
            }
            // An OR is true unless all parts are not true.
            Check::Any(parts) => {
                let none = parts
                    .iter()
                    .fold(Outcomes::only(Some(true)), |none, part| none.and(self.outcomes(part).not()));
                none.not()
            }
            of_constants => constant(of_constants),
        }
    }

    /// The possible results of a comparison whose values can have these `orders` to the other side.
    fn comparison(
        &self,
        at: usize,
        kind: Kind,
        orders: impl Fn(Option<&Bounds>) -> Vec<Option<Ordering>>,
        op: Comparison,
    ) -> Outcomes {
        let known = self.known(at, Some(kind));
        let orders = orders(known.bounds.as_ref());
        let is_true = orders.iter().any(|order| op.holds(*order));
        let is_false = orders.iter().any(|order| !op.holds(*order));
        with_nulls(&known, Outcomes { is_true, is_false, is_null: false })
    }

    /// The statistics of the column with the filter's index `at`.
    fn known(&self, at: usize, kind: Option<Kind>) -> Known {
        let nothing = Known { rows: self.group.num_rows() as u64, nulls: None, bounds: None };
        let (schema, leaves) = (self.footer.schema(), self.footer.parquet_schema());
        let Some(&root) = self.filter.columns.get(at) else { return nothing };
        let data_type = schema.field(root).data_type();
        let leaf = (0..leaves.num_columns()).find(|&leaf| leaves.get_column_root_idx(leaf) == root);
        match leaf {
            Some(leaf) if !data_type.is_nested() => {
                let file = self.footer.metadata().file_metadata();
                Known::new(file, self.group, leaf, kind, data_type)
            }
            _ => nothing,
        }
    }
}

/// Adds null if the column may have one; the only result if it has no value.
fn with_nulls(known: &Known, of_values: Outcomes) -> Outcomes {
    if known.nulls == Some(known.rows) {
        return Outcomes::only(None);
    }
    Outcomes { is_null: known.nulls != Some(0), ..of_values }
}

/// The possible orders of values within `bounds` to `right`.
fn orders(bounds: Option<&Bounds>, right: &Bound) -> Vec<Option<Ordering>> {
    use Ordering::{Equal, Greater, Less};
    let (low, high) = match (bounds, right) {
        (Some(Bounds::Units(min, max)), Bound::Point(point)) => (point.order_of(*min), point.order_of(*max)),
        (Some(Bounds::Booleans(min, max)), Bound::Boolean(value)) => (min.cmp(value), max.cmp(value)),
        (Some(Bounds::Bytes(min, max)), Bound::Bytes(value)) => (min.cmp(value), max.cmp(value)),
        (Some(Bounds::Floats(min, max)), Bound::Float(value)) => {
            match (min.partial_cmp(value), max.partial_cmp(value)) {
                (Some(low), Some(high)) => (low, high),
                _ => return vec![None],
            }
        }
        _ => (Less, Greater),
    };
    let between = [Less, Equal, Greater].into_iter().filter(|order| (low..=high).contains(order));
    // A row group may contain NaN, whatever its bounds are.
    let nan = matches!(right, Bound::Float(_)).then_some(None);
    between.map(Some).chain(nan).collect()
}

/// Whether a text within `bounds` may start with the part of `pattern` before its first wildcard.
fn may_match(bounds: Option<&Bounds>, pattern: &str) -> bool {
    let Some(Bounds::Bytes(min, max)) = bounds else { return true };
    let prefix = pattern.split(['%', '_', '\\']).next().unwrap_or_default().as_bytes();
    &max[..] >= prefix && (&min[..] <= prefix || min.starts_with(prefix))
}

/// The result of a condition that uses no column of the file.
fn constant(check: &Check) -> Outcomes {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Schema::empty().into(), vec![], &options);
    let value = row.map_err(Into::into).and_then(|row| check.of(&row));
    value.map_or(Outcomes::ANY, |value| Outcomes::only(value.is_valid(0).then(|| value.value(0))))
}
