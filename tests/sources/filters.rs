//! Filters that are pushed down into Parquet.

use std::fs;
use std::path::Path;

use kiln::Class;
use kiln::expr::{Expr, col, lit};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::files::{Item, batch, cx, items, write_parquet};

#[test]
fn a_filter_gives_exactly_the_rows_that_match() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let rows = items(0..10_000);
    write_parquet(&path, &batch(&rows), 1_000);
    let address = path.display().to_string();
    let check = |filter: Expr, keep: &dyn Fn(&Item) -> bool| {
        let text = filter.to_string();
        let found = cx().read().filter(filter).parquet::<Item>(&address).collect().unwrap();
        let expected: Vec<Item> = rows.iter().filter(|row| keep(row)).cloned().collect();
        assert_eq!(found, expected, "{text}");
    };
    check(col("id").gt(lit(7_001)), &|row| row.id > 7_001);
    check(col("id").lt(lit(5u8)).or(col("id").eq(lit(9_999i64))), &|row| row.id < 5 || row.id == 9_999);
    check(col("id").between(lit(10), lit(20)), &|row| (10..=20).contains(&row.id));
    check(col("id").gt_eq(lit(9_998.5)), &|row| row.id as f64 >= 9_998.5);
    check(col("name").eq(lit("name 77")), &|row| row.name.as_deref() == Some("name 77"));
    check(col("name").is_null(), &|row| row.name.is_none());
    check(col("name").is_not_null().and(col("id").lt(lit(9))), &|row| row.name.is_some() && row.id < 9);
    check(col("id").in_list(vec![lit(3), lit(4), lit(70_000)], false), &|row| row.id == 3 || row.id == 4);
    check(col("name").like(lit("%99")), &|row| row.name.as_ref().is_some_and(|name| name.ends_with("99")));
    // Rows for which the condition is unknown are not output.
    check(col("name").not_eq(lit("name 1")), &|row| row.name.as_ref().is_some_and(|name| name != "name 1"));
    check(lit(false), &|_| false);
}

#[test]
fn a_filter_may_name_a_column_that_the_row_does_not_have() {
    #[derive(kiln::Row, Clone, Debug, PartialEq)]
    struct Name {
        name: Option<String>,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write_parquet(&path, &batch(&items(0..100)), 10);
    let filter = col("id").eq(lit(50));
    let found = cx().read().filter(filter).parquet::<Name>(&path.display().to_string()).collect().unwrap();
    assert_eq!(found, [Name { name: Some("name 50".to_owned()) }]);
}

#[test]
fn row_groups_that_cannot_match_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let rows = items(0..10_000);
    write_parquet(&path, &batch(&rows), 1_000);
    damage_all_groups_but(&path, 4);
    let address = path.display().to_string();
    cx().read_parquet::<Item>(&address).count().unwrap_err();
    let filter = col("id").gt_eq(lit(4_200)).and(col("id").lt(lit(4_300)));
    let found = cx().read().filter(filter).parquet::<Item>(&address).collect().unwrap();
    assert_eq!(found, rows[4_200..4_300]);
}

#[test]
fn explain_shows_the_filter() {
    let (_folder, _, address) = crate::files::file("a.parquet", "");
    let plan = cx().read().filter(col("id").gt(lit(5))).parquet::<Item>(&address).explain().unwrap();
    assert!(plan.contains(&format!("read_parquet {address} where id > 5 (")), "{plan}");
}

#[test]
fn a_filter_that_makes_no_sense_is_a_config_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    write_parquet(&path, &batch(&items(0..10)), 10);
    for (filter, words) in [
        (col("no_such").eq(lit(1)), "`no_such`, which is no column of the file"),
        ((col("id") + lit(1)).eq(lit(2)), "a source cannot filter by `+`"),
        (col("id"), "the filter is Int64, expected Boolean"),
    ] {
        let error =
            cx().read().filter(filter).parquet::<Item>(&path.display().to_string()).count().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// Overwrites the data of every row group except one.
fn damage_all_groups_but(path: &Path, kept: usize) {
    let mut bytes = fs::read(path).unwrap();
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    for (index, group) in
        reader.metadata().row_groups().iter().enumerate().filter(|(index, _)| *index != kept)
    {
        for column in group.columns() {
            let (start, length) = column.byte_range();
            assert!(start > 0 && length > 0, "row group {index}");
            bytes[start as usize..(start + length) as usize].fill(0xff);
        }
    }
    fs::write(path, bytes).unwrap();
}
