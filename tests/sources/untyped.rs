//! Files without a row type: which columns they have, and that none is lost on the way.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};
use kiln::connect::Scan;
use kiln::expr::{col, lit};
use kiln::{Class, Mode};

use crate::files::{cx, says, write_parquet};

/// The columns that a copy has, such as `id Int64, day Date32`.
fn columns(scan: impl Scan) -> String {
    let schema = cx().copy(scan).schema().unwrap();
    let field = |field: &Arc<Field>| format!("{} {}", field.name(), field.data_type());
    schema.fields().iter().map(field).collect::<Vec<_>>().join(", ")
}

#[test]
fn columns_are_those_of_the_files_and_how_writers_store_them_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let words: ArrayRef = Arc::new(["a", "b"].into_iter().collect::<DictionaryArray<Int32Type>>());
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["x", "y"]));
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("word", words), ("view", views), ("id", ids)]).unwrap();
    write_parquet(&folder.path().join("a.parquet"), &batch, 10);
    let address = folder.path().display().to_string();
    assert_eq!(columns(cx().read().files_of_parquet(&address)), "word Utf8, view Utf8, id Int32");
    let out = folder.path().join("out").display().to_string();
    let large = cx().read().filter(col("id").gt(lit(1))).files_of_parquet(&address);
    cx().copy(large).write().csv(&out).unwrap();
    let rows = cx().read_csv::<(String, String, i32)>(&out).collect().unwrap();
    assert_eq!(rows, [("b".to_owned(), "y".to_owned(), 2)]);
}

#[test]
fn a_table_and_folders_give_their_columns_of_partitions() {
    let place = tempfile::tempdir().unwrap();
    let [table, plain] = ["table", "plain"].map(|name| place.path().join(name).display().to_string());
    let rows = cx().parallelize(vec![(1_u32, 10_u64), (2, u64::from(u32::MAX))]);
    let write = || rows.write().names(["day", "n"]).partition_by(["day"]).mode(Mode::Overwrite);
    write().delta(&table).unwrap();
    write().parquet(&plain).unwrap();
    // A table has no unsigned integers.
    assert_eq!(columns(cx().read().files_of_delta(&table)), "day Int64, n Int64");
    assert_eq!(columns(cx().read().files_of_parquet(&format!("{table}/day=2"))), "day Int64, n Int64");
    let types = || cx().read().hive_partitions().types([Field::new("day", DataType::UInt32, true)]);
    assert_eq!(columns(types().files_of_parquet(&plain)), "n UInt64, day UInt32");
    let copied = cx().copy(types().files_of_parquet(&plain)).take(10).unwrap();
    assert_eq!(copied.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    let out = place.path().join("out").display().to_string();
    cx().copy(cx().read().files_of_delta(&table)).write().json(&out).unwrap();
    #[derive(kiln::Row, Clone, Debug, PartialEq)]
    struct Line {
        n: i64,
        day: u32,
    }
    let lines = cx().read_json::<Line>(&out).collect().unwrap();
    let mut rows: Vec<(i64, u32)> = lines.into_iter().map(|line| (line.n, line.day)).collect();
    rows.sort_unstable();
    assert_eq!(rows, [(10, 1), (i64::from(u32::MAX), 2)]);
}

#[test]
fn formats_that_state_no_types_are_told_and_options_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv").display().to_string();
    std::fs::write(&path, "id,at\n1,2026-11-20T01:02:03Z\n").unwrap();
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let types = [Field::new("at", instant, true), Field::new("id", DataType::Int64, true)];
    let batch = cx().copy(cx().read().types(types).files_of_csv(&path)).take(1).unwrap().remove(0);
    assert_eq!(batch.schema().field(0).name(), "at");
    for error in [
        cx().copy(cx().read().files_of_csv(&path)).schema().unwrap_err(),
        cx().copy(cx().read().files_of_json(&path)).schema().unwrap_err(),
        cx().copy(cx().read().delimiter(b';').files_of_parquet(&path)).schema().unwrap_err(),
        cx().copy(cx().read().version(1).files_of_parquet(&path)).schema().unwrap_err(),
    ] {
        assert_eq!(error.class(), Class::Config, "{error}");
    }
}

#[test]
fn a_file_with_a_column_that_the_first_one_lacks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ints = |names: &[&str]| {
        let column = || -> ArrayRef { Arc::new(Int32Array::from(vec![1])) };
        let fields = names.iter().map(|name| Field::new(*name, DataType::Int32, true)).collect::<Vec<_>>();
        let columns = names.iter().map(|_| column()).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    write_parquet(&folder.path().join("a.parquet"), &ints(&["x", "y"]), 10);
    write_parquet(&folder.path().join("b.parquet"), &ints(&["x"]), 10);
    let address = folder.path().display().to_string();
    let copy = || cx().copy(cx().read().files_of_parquet(&address));
    // What a later file lacks is null, as for a row type.
    let nulls: usize = copy().take(10).unwrap().iter().map(|batch| batch.column(1).null_count()).sum();
    assert_eq!(nulls, 1);
    write_parquet(&folder.path().join("c.parquet"), &ints(&["x", "y", "z"]), 10);
    says(copy().take(10).unwrap_err(), &["the first file has no column `z`", "c.parquet"]);
}
