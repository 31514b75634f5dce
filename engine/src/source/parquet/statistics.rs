//! Decides which statistics of a row group are reliable.
//!
//! For a column of one row group, the result is bounds that none of its values exceed, and the number of
//! nulls. Anything not listed here is not used: reading a row group needlessly costs time, skipping one
//! wrongly loses rows.
//!
//! # What is used
//!
//! Sources: `parquet.thrift` and `LogicalTypes.md` of the Parquet format (`Statistics`, `ColumnOrder`);
//! `CorruptStatistics` of parquet-java and `HasCorrectStatistics` of Arrow C++; the issues that are named.
//!
//! | column | bounds that are used |
//! |---|---|
//! | signed integers, dates, timestamps, decimals, all as INT32 or INT64 | `min_value`/`max_value`, and the deprecated `min`/`max`: both are in signed order, whether or not the footer declares an order |
//! | BOOLEAN | the same |
//! | unsigned integers | `min_value`/`max_value` of a footer that declares the order of the type. `min`/`max`, and undeclared ones, are in signed order |
//! | texts and bytes | the same. `min`/`max` are in an order of signed bytes, and of parquet-mr before 1.8 garbage (PARQUET-251) |
//! | FLOAT, DOUBLE | `min_value`/`max_value` of a footer that declares the order of the type, unless one of them is NaN, and not of a writer that let NaN take part in the order (`orders_nan`). They bound all values but NaN, which any row group may hold; −0.0 and 0.0 are the same bound |
//! | decimals in bytes | none: arrow-rs (issues 1532, 10860, 11073), Arrow C++ before 4 (ARROW-12054) and Polars (25965, 29347) have written them in a wrong order |
//! | INT96, INTERVAL, half floats and all others | none: their order is undefined, or was when they were written |
//!
//! Bounds may be truncated, and then are not values of the column (`is_min_value_exact`): they are used only
//! as bounds. A lower bound above the upper one is not used. A missing count of nulls is unknown, not 0,
//! except for a column that cannot hold a null. A count that exceeds the rows, or that equals them although
//! there are bounds, is not used.

use arrow::datatypes::{DataType, TimeUnit};
use parquet::basic::{ColumnOrder, ConvertedType, LogicalType, SortOrder};
use parquet::file::metadata::{FileMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;

use crate::source::predicate::Kind;

/// What is known of the values of a column in one row group.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rows: u64,
    pub(super) nulls: Option<u64>,
    /// The lower and the upper bound, both inclusive.
    pub(super) bounds: Option<Bounds>,
}

/// Bounds of all values that are neither null nor NaN.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bounds {
    Booleans(bool, bool),
    /// In the units of the column's kind.
    Units(i128, i128),
    Floats(f64, f64),
    Bytes(Vec<u8>, Vec<u8>),
}

impl Known {
    /// The statistics of the column at position `leaf` of the file's schema, which `arrow` reads as
    /// `data_type`. The caller excludes nested columns.
    pub(super) fn new(
        file: &FileMetaData,
        group: &RowGroupMetaData,
        leaf: usize,
        kind: Option<Kind>,
        data_type: &DataType,
    ) -> Known {
        let rows = group.num_rows() as u64;
        let column = group.column(leaf).column_descr();
        let statistics = group.column(leaf).statistics();
        let bounds = match (statistics, kind) {
            (Some(statistics), Some(kind)) => {
                let data_type = without_dictionary(data_type);
                let is_believed =
                    is_believed(statistics, column, file, leaf) && is_as_declared(column, data_type);
                if is_believed { bounds(statistics, kind, data_type) } else { None }
            }
            _ => None,
        };
        let has_bounds = statistics.is_some_and(|s| s.min_bytes_opt().or(s.max_bytes_opt()).is_some());
        let counted = statistics.and_then(Statistics::null_count_opt);
        let counted = counted.filter(|nulls| *nulls < rows || *nulls == rows && !has_bounds);
        let nulls = if column.max_def_level() == 0 { Some(0) } else { counted };
        Known { rows, nulls, bounds }
    }
}

/// Whether the bounds are in the order in which the column is compared.
fn is_believed(statistics: &Statistics, column: &ColumnDescriptor, file: &FileMetaData, leaf: usize) -> bool {
    let order = ColumnOrder::sort_order_for_type(
        column.logical_type_ref(),
        column.converted_type(),
        column.physical_type(),
    );
    let is_declared = !statistics.is_min_max_deprecated()
        && matches!(file.column_order(leaf), ColumnOrder::TYPE_DEFINED_ORDER(_));
    match statistics {
        Statistics::Boolean(_) => true,
        Statistics::Int32(_) | Statistics::Int64(_) => order == SortOrder::SIGNED || is_declared,
        Statistics::Float(_) | Statistics::Double(_) => is_declared && !orders_nan(file.created_by()),
        Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_) => {
            is_declared && order == SortOrder::UNSIGNED
        }
        Statistics::Int96(_) => false,
    }
}

/// Whether the statistics have the same unit as the column's Arrow type. That type may come from the schema
/// that the writer added to the footer, and differ from the one that the format declares.
fn is_as_declared(column: &ColumnDescriptor, data_type: &DataType) -> bool {
    let declared = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Timestamp(of)), _) => Some(match of.unit {
            parquet::basic::TimeUnit::MILLIS => TimeUnit::Millisecond,
            parquet::basic::TimeUnit::MICROS => TimeUnit::Microsecond,
            parquet::basic::TimeUnit::NANOS => TimeUnit::Nanosecond,
        }),
        (None, ConvertedType::TIMESTAMP_MILLIS) => Some(TimeUnit::Millisecond),
        (None, ConvertedType::TIMESTAMP_MICROS) => Some(TimeUnit::Microsecond),
        _ => None,
    };
    match data_type {
        DataType::Timestamp(unit, _) => declared.is_none_or(|declared| declared == *unit),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
            i32::from(*scale) == column.type_scale()
        }
        _ => declared.is_none(),
    }
}

fn without_dictionary(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// Whether the writer gave NaN a place in the order, which can make finite bounds wrong too: parquet-cpp
/// before 1.4 (PARQUET-1225), Impala before 2.12 (IMPALA-6527), and unnamed writers.
fn orders_nan(created_by: Option<&str>) -> bool {
    let Some((writer, version)) = created_by.and_then(|text| text.split_once(" version ")) else {
        return created_by.is_none_or(|text| text.trim().is_empty());
    };
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    match writer {
        "parquet-cpp" => version < (1, 4),
        "impala" => version < (2, 12),
        _ => false,
    }
}

/// The bounds as values of the column's kind; `None` if they are missing or in the wrong order.
fn bounds(statistics: &Statistics, kind: Kind, data_type: &DataType) -> Option<Bounds> {
    let units = |min: i128, max: i128| match kind {
        // Integers that a row holds as floats, which represent them exactly.
        Kind::Single | Kind::Double if data_type.is_integer() => Some(Bounds::Floats(min as f64, max as f64)),
        _ => {
            let factor = kind.units_per_number(data_type)?;
            Some(Bounds::Units(min.checked_mul(factor)?, max.checked_mul(factor)?))
        }
    };
    let is_unsigned = data_type.is_unsigned_integer();
    let bounds = match statistics {
        Statistics::Boolean(of) if kind == Kind::Boolean => Bounds::Booleans(*of.min_opt()?, *of.max_opt()?),
        Statistics::Int32(of) => match (*of.min_opt()?, *of.max_opt()?) {
            (min, max) if is_unsigned => units((min as u32).into(), (max as u32).into())?,
            (min, max) => units(min.into(), max.into())?,
        },
        Statistics::Int64(of) => match (*of.min_opt()?, *of.max_opt()?) {
            (min, max) if is_unsigned => units((min as u64).into(), (max as u64).into())?,
            (min, max) => units(min.into(), max.into())?,
        },
        Statistics::Float(of) => Bounds::Floats((*of.min_opt()?).into(), (*of.max_opt()?).into()),
        Statistics::Double(of) => Bounds::Floats(*of.min_opt()?, *of.max_opt()?),
        Statistics::ByteArray(_) | Statistics::FixedLenByteArray(_)
            if matches!(kind, Kind::Text | Kind::Bytes) =>
        {
            Bounds::Bytes(statistics.min_bytes_opt()?.to_vec(), statistics.max_bytes_opt()?.to_vec())
        }
        _ => return None,
    };
    let is_ordered = match &bounds {
        Bounds::Booleans(min, max) => min <= max,
        Bounds::Units(min, max) => min <= max,
        // False with a NaN as well.
        Bounds::Floats(min, max) => min <= max,
        Bounds::Bytes(min, max) => min <= max,
    };
    is_ordered.then_some(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_that_let_nan_take_part_in_the_order_are_known_by_their_version() {
        for writer in [
            "parquet-cpp version 1.3.1",
            "parquet-cpp version 1.0.0 (build abc)",
            "impala version 2.11.0-cdh5.14.0 (build d68206561bce6b26762d62c01a78e6cd27aa7690)",
            "",
        ] {
            assert!(orders_nan(Some(writer)), "{writer}");
        }
        assert!(orders_nan(None));
        for writer in [
            "parquet-cpp version 1.5.1-SNAPSHOT",
            "parquet-cpp-arrow version 12.0.1",
            "impala version 2.12.0 (build x)",
            "parquet-mr version 1.8.1 (build 4aba4dae7bb0d4edbcf7923ae1339f28fd3f7fcf)",
            "parquet-rs version 59.2.0",
            "DuckDB",
        ] {
            assert!(!orders_nan(Some(writer)), "{writer}");
        }
    }
}
