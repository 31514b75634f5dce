//! Drops row groups in which, by their statistics, no row can pass the filter.
//!
//! Row groups and the filter enter, those that must be read leave. Statistics of a column that the
//! file does not have, or not in a form that can be compared, prune nothing. Whether a row passes is
//! decided later, row by row.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion_common::pruning::PruningStatistics;
use datafusion_common::{Column, ScalarValue};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_pruning::PruningPredicateBuilder;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::RowGroupMetaData;

use crate::error::Result;

/// Those of `groups` that may hold a row for which `filter` is true.
pub(super) fn groups(
    filter: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
    groups: Vec<usize>,
    footer: &ArrowReaderMetadata,
) -> Result<Vec<usize>> {
    // A filter over which nothing can be said from statistics is no error: every row is looked at.
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
    let Ok(predicate) = builder.try_build(Arc::clone(filter)) else { return Ok(groups) };
    let metadata = groups.iter().map(|&index| footer.metadata().row_group(index)).collect();
    let may_hold = predicate.prune(&GroupStatistics { footer, groups: metadata })?;
    Ok(groups.into_iter().zip(may_hold).filter_map(|(group, may_hold)| may_hold.then_some(group)).collect())
}

struct GroupStatistics<'a> {
    footer: &'a ArrowReaderMetadata,
    groups: Vec<&'a RowGroupMetaData>,
}

impl GroupStatistics<'_> {
    fn converter<'a>(&'a self, column: &'a Column) -> Option<StatisticsConverter<'a>> {
        StatisticsConverter::try_new(&column.name, self.footer.schema(), self.footer.parquet_schema()).ok()
    }
}

impl PruningStatistics for GroupStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.converter(column)?.row_group_mins(self.groups.iter().copied()).ok()
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.converter(column)?.row_group_maxes(self.groups.iter().copied()).ok()
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts = self.converter(column)?.row_group_null_counts(self.groups.iter().copied()).ok()?;
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts = self.groups.iter().map(|group| group.num_rows() as u64);
        Some(Arc::new(UInt64Array::from_iter_values(counts)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
