//! A filter over the columns of one file, applied to rows.
//!
//! For each row of a batch the result is true, false, or null for unknown. The same tree is applied to row
//! groups (`parquet::prune`), where less is known of the values, but never anything that contradicts the
//! result here.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Datum, RecordBatch, Scalar, StringArray, UInt32Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::cmp;
use arrow::compute::{and_kleene, cast, ilike, is_null, like, not, or_kleene, take};
use arrow::datatypes::{DataType, Float64Type};

use super::{Bound, Comparison, Kind};
use crate::error::{Error, Result};

/// A condition of a filter.
#[derive(Clone, Debug)]
pub(in crate::source) enum Check {
    /// The same result for every row.
    Always(Option<bool>),
    Compare {
        left: Operand,
        kind: Kind,
        op: Comparison,
        right: Bound,
    },
    /// Two columns, compared as values of `kind`.
    Columns {
        left: Operand,
        kind: Kind,
        op: Comparison,
        right: Operand,
    },
    /// Whether a value is one of these units of `kind`. They are sorted, so that many numbers are searched
    /// and not compared one by one.
    OneOf {
        left: Operand,
        kind: Kind,
        units: Vec<i128>,
    },
    Like {
        item: Operand,
        pattern: String,
        any_case: bool,
    },
    /// A Boolean column as a condition.
    Flag(Operand),
    IsNull(Operand),
    IsUnknown(Box<Check>),
    Not(Box<Check>),
    All(Vec<Check>),
    Any(Vec<Check>),
}

/// Where the values of a column come from.
#[derive(Clone, Debug)]
pub(in crate::source) enum Operand {
    /// The column at this position of the batch.
    Column(usize),
    /// The same value in every row of the file, as a column of one row.
    Constant(ArrayRef),
}

impl Operand {
    fn values(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        match self {
            Operand::Column(at) => Ok(Arc::clone(batch.column(*at))),
            Operand::Constant(value) => Ok(take(value, &UInt32Array::from(vec![0; batch.num_rows()]), None)?),
        }
    }
}

impl Check {
    /// Evaluates the condition for each row of the batch; null where the result is unknown.
    ///
    /// # Errors
    /// Of class bug: possible errors were checked when the filter was bound to the file.
    pub(in crate::source) fn of(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let rows = batch.num_rows();
        match self {
            Check::Always(value) => Ok(same(*value, rows)),
            Check::Compare { left, kind, op, right } => compare(&left.values(batch)?, *kind, *op, right),
            Check::Columns { left, kind, op, right } => {
                compare_columns(&left.values(batch)?, &right.values(batch)?, *kind, *op)
            }
            Check::OneOf { left, kind, units } => {
                let column = left.values(batch)?;
                Ok(rows_where(column.logical_nulls(), &kind.units(&column)?, |value| {
                    units.binary_search(value).is_ok()
                }))
            }
            Check::Like { item, pattern, any_case } => {
                let item = cast(&item.values(batch)?, &DataType::Utf8)?;
                let pattern = Scalar::new(StringArray::from(vec![pattern.as_str()]));
                Ok(if *any_case { ilike(&item, &pattern)? } else { like(&item, &pattern)? })
            }
            Check::Flag(column) => Ok(plain(&column.values(batch)?)?.as_boolean().clone()),
            Check::IsNull(column) => Ok(is_null(&column.values(batch)?)?),
            Check::IsUnknown(inner) => Ok(is_null(&inner.of(batch)?)?),
            Check::Not(inner) => Ok(not(&inner.of(batch)?)?),
            Check::All(parts) => parts
                .iter()
                .try_fold(same(Some(true), rows), |all, part| Ok(and_kleene(&all, &part.of(batch)?)?)),
            Check::Any(parts) => parts
                .iter()
                .try_fold(same(Some(false), rows), |any, part| Ok(or_kleene(&any, &part.of(batch)?)?)),
        }
    }
}

fn same(value: Option<bool>, rows: usize) -> BooleanArray {
    match value {
        Some(true) => BooleanArray::new(BooleanBuffer::new_set(rows), None),
        Some(false) => BooleanArray::new(BooleanBuffer::new_unset(rows), None),
        None => BooleanArray::new_null(rows),
    }
}

/// Compares texts and bytes with `arrow`, which does it as Rust does; numbers and floats by the rules of the
/// parent module.
fn compare(column: &ArrayRef, kind: Kind, op: Comparison, right: &Bound) -> Result<BooleanArray> {
    match right {
        Bound::Point(point) => {
            let units = kind.units(column)?;
            Ok(rows_where(column.logical_nulls(), &units, |units| op.holds(Some(point.order_of(*units)))))
        }
        Bound::Float(float) => {
            let values = cast(column, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>().values();
            Ok(rows_where(column.logical_nulls(), values, |value| op.holds(value.partial_cmp(float))))
        }
        Bound::Boolean(value) => {
            by_kernel(&plain(column)?, op, &Scalar::new(BooleanArray::from(vec![*value])))
        }
        Bound::Bytes(bytes) => {
            let literal: ArrayRef = match std::str::from_utf8(bytes) {
                Ok(text) if kind == Kind::Text => Arc::new(StringArray::from(vec![text])),
                _ => Arc::new(BinaryArray::from(vec![&bytes[..]])),
            };
            let column = plain(column)?;
            by_kernel(&column, op, &Scalar::new(cast(&literal, column.data_type())?))
        }
    }
}

/// Null where `nulls` is, otherwise whether `holds` is true for the value.
fn rows_where<V>(nulls: Option<NullBuffer>, values: &[V], holds: impl Fn(&V) -> bool) -> BooleanArray {
    BooleanArray::new(BooleanBuffer::collect_bool(values.len(), |row| holds(&values[row])), nulls)
}

/// Decodes dictionaries and converts fixed-size bytes, which the kernels compare with no other type.
fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    match column.data_type() {
        DataType::FixedSizeBinary(_) => Ok(cast(column, &DataType::Binary)?),
        DataType::Dictionary(_, values) => Ok(cast(column, values)?),
        _ => Ok(Arc::clone(column)),
    }
}

fn by_kernel(left: &dyn Datum, op: Comparison, right: &dyn Datum) -> Result<BooleanArray> {
    Ok(match op {
        Comparison::Eq => cmp::eq(left, right)?,
        Comparison::NotEq => cmp::neq(left, right)?,
        Comparison::Lt => cmp::lt(left, right)?,
        Comparison::LtEq => cmp::lt_eq(left, right)?,
        Comparison::Gt => cmp::gt(left, right)?,
        Comparison::GtEq => cmp::gt_eq(left, right)?,
    })
}

fn compare_columns(left: &ArrayRef, right: &ArrayRef, kind: Kind, op: Comparison) -> Result<BooleanArray> {
    let (left, right) = (plain(left)?, plain(right)?);
    let both = |to: &DataType| Ok::<_, Error>((cast(&left, to)?, cast(&right, to)?));
    let nulls = NullBuffer::union(left.logical_nulls().as_ref(), right.logical_nulls().as_ref());
    match kind {
        Kind::Boolean => by_kernel(&left, op, &right),
        Kind::Text => both(&DataType::Utf8).and_then(|(left, right)| by_kernel(&left, op, &right)),
        Kind::Bytes => both(&DataType::Binary).and_then(|(left, right)| by_kernel(&left, op, &right)),
        Kind::Single | Kind::Double => {
            let (left, right) = both(&DataType::Float64)?;
            let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
            let pairs: Vec<_> = left.values().iter().zip(right.values()).collect();
            Ok(rows_where(nulls, &pairs, |(left, right)| op.holds(left.partial_cmp(right))))
        }
        kind => {
            let pairs: Vec<_> = kind.units(&left)?.into_iter().zip(kind.units(&right)?).collect();
            Ok(rows_where(nulls, &pairs, |(left, right)| op.holds(Some(left.cmp(right)))))
        }
    }
}
