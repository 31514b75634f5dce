//! Statistics never change a result: a filter in the source gives the same rows as the model.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use kiln::Context;
use kiln::expr::{Expr, col, lit};
use kiln::row::ipc;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::*;

use crate::files::{cx, write_parquet};
use crate::filter_model::{Condition, Values, condition, rows};
use crate::footers::{self, Footer, layout};
use crate::generated::for_each;

const CASES: u32 = 400;

#[test]
fn a_filter_of_any_file_gives_the_rows_for_which_the_rule_is_true() {
    let cx = Context::local(1);
    let values = (rows(), layout(), prop::collection::vec(condition(), 1..16));
    for_each(CASES, values, |(rows, layout, conditions)| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        footers::write(&path, &rows, &ipc::batch_of(rows.iter()).unwrap(), &layout);
        conditions.iter().for_each(|condition| check(&cx, &path, &rows, condition));
    });
}

fn check(cx: &Context, path: &Path, rows: &[Values], condition: &Condition) {
    let read = cx.read().filter(condition.expr()).parquet::<Values>(&path.display().to_string()).collect();
    let read = read.unwrap_or_else(|e| panic!("{e}"));
    let expected: Vec<_> = rows.iter().filter(|row| condition.of(row) == Some(true)).collect();
    assert_eq!(format!("{read:#?}"), format!("{expected:#?}"), "{}", condition.expr());
}

#[test]
fn a_value_that_a_nan_hides_from_the_bounds_is_found() {
    let value = |x: f64| Values { double: Some(x), single: Some(x as f32), ..Values::default() };
    let rows = [1.0, f64::NAN, 5.0].map(value);
    for footer in [Footer::NanHides, Footer::NanHidesDeprecated] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        footers::write(&path, &rows, &ipc::batch_of(rows.iter()).unwrap(), &footers::one_group(footer));
        for column in ["double", "single"] {
            let read = cx().read().filter(col(column).eq(lit(1.0)));
            let count = read.parquet::<Values>(&path.display().to_string()).count();
            assert_eq!(count.unwrap(), 1, "{column} with {footer:?}");
        }
    }
}

/// The rows of `x` for which the filter is true.
fn kept(path: &Path, filter: Expr) -> Vec<f64> {
    cx().read().filter(filter).parquet::<f64>(&path.display().to_string()).collect().unwrap()
}

#[test]
fn nan_and_negative_zero_are_filtered_as_by_a_closure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let all = [1.0, f64::NAN, 1.0, -0.0, 0.0, -f64::NAN, 5.0, f64::INFINITY, f64::NEG_INFINITY, -1.0];
    let check = |filter: Expr, keep: fn(f64) -> bool| {
        let expected: Vec<f64> = all.into_iter().filter(|x| keep(*x)).collect();
        let by_closure = cx().read_parquet::<f64>(&path.display().to_string()).filter(move |x: f64| keep(x));
        assert_eq!(format!("{:?}", by_closure.collect().unwrap()), format!("{expected:?}"));
        assert_eq!(format!("{:?}", kept(&path, filter.clone())), format!("{expected:?}"), "{filter}");
    };
    for group_rows in [1, 3, 100] {
        let singles: ArrayRef = Arc::new(Float32Array::from_iter_values(all.map(|x| x as f32)));
        let doubles: ArrayRef = Arc::new(Float64Array::from_iter_values(all));
        for column in [doubles, singles] {
            write_parquet(&path, &RecordBatch::try_from_iter([("value", column)]).unwrap(), group_rows);
            let x = || col("value");
            check(x().gt(lit(2.0)), |x| x > 2.0);
            check(x().not_eq(lit(1.0)), |x| x != 1.0);
            check(!x().eq(lit(1.0)), |x| !(x == 1.0));
            check(!x().gt(lit(2)), |x| x.is_nan() || x <= 2.0);
            check(x().lt(lit(5.0)), |x| x < 5.0);
            check(x().eq(lit(0.0)), |x| x == 0.0);
            check(x().lt(lit(0.0)), |x| x < 0.0);
            check(x().gt_eq(lit(-0.0)), |x| x >= -0.0);
            // Nothing equals a NaN.
            check(x().eq(lit(f64::NAN)), |_| false);
            check(x().not_eq(lit(f64::NAN)), |_| true);
            check(x().between(lit(-1), lit(1)), |x| (-1.0..=1.0).contains(&x));
            check(x().not_between(lit(-1), lit(1)), |x| !(-1.0..=1.0).contains(&x));
            check(x().in_list(vec![lit(0.0), lit(5.0)], true), |x| !(x == 0.0 || x == 5.0));
        }
    }
}

#[test]
fn folders_that_give_nan_are_filtered_by_the_same_rule() {
    #[derive(kiln::Row, Clone, Debug)]
    struct InFolder {
        id: i64,
        x: Option<f64>,
    }
    let folder = tempfile::tempdir().unwrap();
    let folders = ["x=NaN", "x=1", "x=-0.0", "x=__HIVE_DEFAULT_PARTITION__"];
    for (id, name) in folders.iter().enumerate() {
        let ids: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![id as i64]));
        let path = folder.path().join(name).join("a.parquet");
        write_parquet(&path, &RecordBatch::try_from_iter([("id", ids)]).unwrap(), 10);
    }
    let address = folder.path().display().to_string();
    let check = |filter: Expr, expected: &[i64]| {
        let read = cx().read().hive_partitions().filter(filter.clone());
        let mut ids =
            read.clone().parquet::<InFolder>(&address).map(|row: InFolderView| row.id).collect().unwrap();
        ids.sort_unstable();
        assert_eq!(ids, expected, "{filter}");
    };
    check(col("x").not_eq(lit(1.0)), &[0, 2]);
    check(!col("x").eq(lit(1.0)), &[0, 2]);
    check(col("x").gt(lit(0.5)), &[1]);
    check(!col("x").gt(lit(0.5)), &[0, 2]);
    check(col("x").eq(lit(0.0)), &[2]);
    check(col("x").is_null(), &[3]);
    check(!col("x").eq(lit(1.0)).is_null(), &[0, 1, 2]);
}

#[test]
fn bounds_that_can_be_believed_still_skip_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let numbers: ArrayRef = Arc::new(Float64Array::from_iter_values((0..100).map(f64::from)));
    let texts: ArrayRef =
        Arc::new(arrow::array::StringArray::from_iter_values((0..100).map(|n| format!("{n:03}"))));
    let mut bytes = Vec::new();
    let batch = RecordBatch::try_from_iter([("x", numbers), ("text", texts)]).unwrap();
    let properties =
        parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let length = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
    let footer = bytes.len() - 8 - length;
    let metadata = ParquetMetaDataReader::decode_metadata(&bytes[footer..bytes.len() - 8]).unwrap();
    // Only the fifth row group is readable.
    for (index, group) in metadata.row_groups().iter().enumerate().filter(|(index, _)| *index != 4) {
        for column in group.columns() {
            let (start, length) = column.byte_range();
            assert!(length > 0, "row group {index}");
            bytes[start as usize..(start + length) as usize].fill(0xff);
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let count = |filter: Expr| {
        cx().read().filter(filter).parquet::<(f64, String)>(&path.display().to_string()).count()
    };
    assert_eq!(count(col("x").gt_eq(lit(42)).and(col("x").lt(lit(44)))).unwrap(), 2);
    assert_eq!(count(col("text").eq(lit("043"))).unwrap(), 1);
    assert_eq!(count(col("text").like(lit("04%"))).unwrap(), 10);
    assert_eq!(
        count(!col("x").lt(lit(40)).or(col("x").gt_eq(lit(50)))).unwrap_err().class(),
        kiln::Class::Data,
        "NaN"
    );
    assert_eq!(count(!col("text").lt(lit("040")).or(col("text").gt_eq(lit("05")))).unwrap(), 10);
}
