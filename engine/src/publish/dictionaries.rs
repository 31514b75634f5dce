//! Which columns of a Parquet file are worth a dictionary.
//!
//! A dictionary is built value by value until it is too large, and then all that work was in vain.
//! The first rows of a task tell: a column in which nearly every value is another one has none.

use std::collections::HashSet;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::{RowConverter, SortField};

use crate::error::Result;

/// With fewer rows than this there is nothing to learn, and little to lose.
const LEAST_ROWS: usize = 2048;
/// Of a hundred values so many must be different. Of as many rows as a batch has, a column with 80,000
/// values has fewer: a dictionary of that many numbers is as large as dictionaries get.
const DIFFERENT: usize = 95;

/// The names of the columns that hardly repeat, by the first rows of a task.
///
/// # Errors
/// Of class bug when Arrow cannot compare the values of a column.
pub fn useless(rows: &RecordBatch) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if rows.num_rows() < LEAST_ROWS {
        return Ok(names);
    }
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        // The columns below a nested one are not looked into.
        if !field.data_type().is_nested() && !repeats(column)? {
            names.push(field.name().clone());
        }
    }
    Ok(names)
}

fn repeats(column: &ArrayRef) -> Result<bool> {
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let values = converter.convert_columns(std::slice::from_ref(column))?;
    let different: HashSet<_> = values.iter().collect();
    Ok(different.len() * 100 < column.len() * DIFFERENT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow::array::{Int64Array, StringArray};

    #[test]
    fn a_column_that_hardly_repeats_has_no_dictionary() {
        let unique: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4096));
        let few: ArrayRef = Arc::new(StringArray::from_iter_values((0..4096).map(|i| format!("{}", i % 9))));
        let batch = RecordBatch::try_from_iter([("unique", unique), ("few", few)]).unwrap();
        assert_eq!(useless(&batch).unwrap(), ["unique"]);
        assert!(useless(&batch.slice(0, 100)).unwrap().is_empty());
    }
}
