//! The contents of the files in each format.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;

use kiln::{Bytes, Class, Compression, Context, Row};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{names, table};

#[derive(Clone, Row)]
struct Sale {
    city: String,
    amount: Option<u64>,
}

fn sales() -> Vec<Sale> {
    let sale = |city: &str, amount| Sale { city: city.to_owned(), amount };
    vec![sale("Bern", Some(7)), sale("a,\"b\"\nc", None), sale("", Some(0))]
}

#[test]
fn csv_has_a_header_and_quotes_where_they_are_needed() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("sales").display().to_string();
    let sales = cx.parallelize_in(1, sales());
    sales.write().csv(&output).unwrap();
    let text = fs::read_to_string(place.path().join("sales/part-00000.csv")).unwrap();
    assert_eq!(text, "city,amount\nBern,7\n\"a,\"\"b\"\"\nc\",\n\"\",0\n");

    let other = place.path().join("other").display().to_string();
    sales.filter(|sale| sale.city == "Bern").write().header(false).delimiter(b'\t').csv(&other).unwrap();
    assert_eq!(fs::read_to_string(place.path().join("other/part-00000.csv")).unwrap(), "Bern\t7\n");
}

#[test]
fn json_lines_leave_out_what_is_null() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("sales");
    cx.parallelize_in(1, sales()).write().json(&output.display().to_string()).unwrap();
    let text = fs::read_to_string(output.join("part-00000.json")).unwrap();
    let expected = [r#"{"city":"Bern","amount":7}"#, r#"{"city":"a,\"b\"\nc"}"#, r#"{"city":"","amount":0}"#];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn text_is_one_row_a_line_and_can_be_compressed() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(2));
    let lines = cx.parallelize_in(2, ["to", "be", "or", "not"].map(String::from));
    for (compression, end) in
        [(Compression::None, ".txt"), (Compression::Gzip, ".txt.gz"), (Compression::Zstd, ".txt.zst")]
    {
        let output = place.path().join(end);
        lines.write().compression(compression).text(&output.display().to_string()).unwrap();
        assert_eq!(names(&output), [0, 1].map(|n| format!("part-{n:05}{end}")));
        let read = cx.read_text(&format!("{}/", output.display())).map_to::<String>(|line| line);
        assert_eq!(read.collect().unwrap(), ["to", "be", "or", "not"]);
    }
    let mut text = String::new();
    let file = File::open(place.path().join(".txt.gz/part-00001.txt.gz")).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "or\nnot\n");
}

#[test]
fn parquet_says_how_its_rows_are_sorted_and_grouped() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("rows");
    let rows = cx.parallelize_in(1, (0..1000u64).map(|n| (n / 2, n)));
    let write = rows.write().names(["a", "b"]).sorted_by(["a"]).row_group_rows(300);
    write.compression(Compression::Snappy).parquet(&output.display().to_string()).unwrap();
    let reader = SerializedFileReader::new(File::open(output.join("part-00000.parquet")).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    assert_eq!(groups.iter().map(|group| group.num_rows()).collect::<Vec<_>>(), [300, 300, 300, 100]);
    for group in groups {
        let sorting = group.sorting_columns().unwrap();
        assert_eq!((sorting[0].column_idx, sorting[0].descending, sorting.len()), (0, false, 1));
        assert!(group.column(1).statistics().unwrap().max_bytes_opt().is_some());
        assert_eq!(group.column(0).compression(), parquet::basic::Compression::SNAPPY);
    }
}

#[test]
fn rows_that_are_not_sorted_as_said_are_a_data_error_and_nothing_is_published() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("rows").display().to_string();
    let rows = cx.parallelize_in(1, [(1u64, 1u64), (3, 2), (2, 3)]);
    let error = rows.write().names(["a", "b"]).sorted_by(["a"]).parquet(&output).unwrap_err();
    assert_eq!(error.class(), Class::Data, "{error}");
    assert!(error.to_string().contains("not sorted") && error.to_string().contains("column a"), "{error}");
    assert_eq!(names(place.path()), [""; 0]);
}

#[test]
fn a_file_that_is_long_enough_is_followed_by_another() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("rows");
    let rows = cx.parallelize_in(1, 0..100_000u64);
    let write = rows.write().names(["n"]).compression(Compression::None);
    write.row_group_rows(8192).target_file_bytes(150_000).parquet(&output.display().to_string()).unwrap();
    let files = names(&output);
    assert_eq!(files[..2], ["part-00000-1.parquet", "part-00000-2.parquet"]);
    assert!(files.len() > 3 && files.contains(&"part-00000.parquet".to_owned()), "{files:?}");
    let mut numbers = table::numbers(&output);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100_000).collect::<Vec<u64>>());
}

#[test]
fn options_that_do_not_fit_the_rows_are_config_errors_before_anything_runs() {
    let (place, cx) = (tempfile::tempdir().unwrap(), Context::local(1));
    let output = place.path().join("rows").display().to_string();
    let pairs = cx.parallelize([(1u64, 2u64)]);
    let nested = cx.parallelize([((1u64, 2u64), 3u64)]);
    let fails = |outcome: kiln::Result<()>, words: &str| {
        let error = outcome.unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
        assert!(error.to_string().contains(words) && error.to_string().contains("formats.rs"), "{error}");
    };
    fails(pairs.write().partition_by(["day"]).parquet(&output), "no such column");
    fails(pairs.write().partition_by(["_1", "_2"]).parquet(&output), "none is left");
    fails(pairs.write().names(["a"]).parquet(&output), "1 names for 2 columns");
    fails(pairs.write().names(["a", "a"]).parquet(&output), "two columns have one name");
    fails(pairs.write().sorted_by(["_1"]).csv(&output), "only Parquet");
    fails(pairs.write().compression(Compression::Snappy).json(&output), "Parquet only");
    fails(pairs.write().target_file_bytes(0).parquet(&output), "a file has");
    fails(pairs.write().mode(kiln::Mode::ReplacePartitions).parquet(&output), "no partitions to replace");
    fails(nested.write().csv(&output), "columns of columns");
    let (blobs, ages) = (
        cx.parallelize([(1u64, Bytes::from(vec![1]))]),
        cx.parallelize([(1u64, vec![BTreeMap::from([(1u64, 2u64)])])]),
    );
    fails(blobs.write().csv(&output), "CSV has no bytes");
    fails(ages.write().json(&output), "the keys of a JSON object are texts");
    for delimiter in *b"\"\n\r" {
        fails(pairs.write().delimiter(delimiter).csv(&output), "the delimiter cannot be");
    }
    fails(pairs.write().delimiter(b';').parquet(&output), "`delimiter` is no option of `parquet`");
    fails(pairs.write().header(false).json(&output), "`header` is no option of `json`");
    fails(pairs.write().row_group_rows(7).csv(&output), "`row_group_rows` is no option of `csv`");
    let lines = cx.parallelize(["a".to_owned()]);
    fails(lines.write().names(["line"]).text(&output), "`names` is no option of `text`");
    fails(nested.write().partition_by(["_1"]).parquet(&output), "cannot name a folder");
    assert_eq!(names(place.path()), [""; 0]);
}
