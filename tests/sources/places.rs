//! An error about a record names the record's location in its file, in every format.

use std::fs;

use kiln::{Class, Context, OnError, Result};

use crate::files::{Item, batch, cx, file, items, says, write_arrow, write_parquet, write_stream};

/// The error about the item whose id is `bad`.
fn refused(read: impl Fn(&Context) -> Result<Vec<i64>>) -> kiln::Error {
    read(&cx()).unwrap_err()
}

fn not(bad: i64, id: i64) -> std::result::Result<i64, String> {
    if id == bad { Err("it is bad".to_owned()) } else { Ok(id) }
}

#[test]
fn a_refused_record_of_a_csv_file_has_its_line() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,\"two\nlines\"\n\n2,\n3,x\n");
    let error =
        refused(|cx| cx.read_csv::<Item>(&address).try_map(|item| not(3, item.id), OnError::Fail).collect());
    says(error, &["it is bad", &format!("file {address}"), "line 6"]);
}

#[test]
fn a_refused_record_of_a_csv_file_without_header_has_its_line_behind_a_byte_order_mark() {
    let (_folder, _, address) = file("a.csv", "\u{feff}1\n2\n3\n");
    let ids = |cx: &Context| cx.read().header(false).csv::<i64>(&address);
    assert_eq!(ids(&cx()).collect().unwrap(), [1, 2, 3]);
    says(refused(|cx| ids(cx).try_map(|id| not(2, id), OnError::Fail).collect()), &["line 2"]);
}

#[test]
fn a_refused_object_of_a_json_file_has_its_line_also_when_it_is_compressed() {
    let text = "{\"id\":1}\n\n{\"id\":2}\n{\"id\":3}\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), text).unwrap();
    fs::write(folder.path().join("a.json.zst"), zstd::encode_all(text.as_bytes(), 0).unwrap()).unwrap();
    for name in ["a.json", "a.json.zst"] {
        let address = folder.path().join(name).display().to_string();
        let read = |cx: &Context| {
            cx.read_json::<Item>(&address).try_map(|item| not(2, item.id), OnError::Fail).collect()
        };
        says(refused(read), &[&format!("file {address}"), "line 3"]);
    }
}

#[test]
fn a_wrong_value_in_a_compressed_json_file_has_its_line() {
    let text = "{\"id\":1}\n{\"id\":\"x\"}\n{\"id\":3}\n";
    let (_folder, _, address) = file("a.json.zst", zstd::encode_all(text.as_bytes(), 0).unwrap());
    let error = cx().read_json::<Item>(&address).count().unwrap_err();
    says(error, &[&format!("file {address}"), "line 2"]);
}

#[test]
fn a_refused_row_of_a_parquet_or_arrow_file_has_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_parquet(&path("a.parquet"), &batch(&items(0..20_000)), 3_000);
    write_arrow(&path("a.arrow"), &batch(&items(0..20_000)), 700);
    write_stream(&path("a.stream"), &batch(&items(0..20_000)), 700);
    let address = |name: &str| path(name).display().to_string();
    let (parquet, arrow, stream) = (address("a.parquet"), address("a.arrow"), address("a.stream"));
    let error = refused(|cx| {
        cx.read_parquet::<Item>(&parquet).try_map(|item| not(12_345, item.id), OnError::Fail).collect()
    });
    says(error, &[&format!("file {parquet}"), "row 12345"]);
    for address in [arrow, stream] {
        let error = refused(|cx| {
            cx.read_arrow::<Item>(&address).try_map(|item| not(12_345, item.id), OnError::Fail).collect()
        });
        says(error, &[&format!("file {address}"), "row 12345"]);
    }
}

#[test]
fn a_row_behind_a_filter_is_counted_among_those_that_passed() {
    use kiln::expr::{col, lit};
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("a.parquet"), &batch(&items(0..100)), 10);
    let address = folder.path().display().to_string();
    let error = refused(|cx| {
        let rows = cx.read().filter(col("id").gt_eq(lit(50))).parquet::<Item>(&address);
        rows.try_map(|item| not(53, item.id), OnError::Fail).collect()
    });
    says(error, &["a.parquet", "filtered row 3"]);
}

#[test]
fn rejects_have_the_places_of_their_records() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,\n2,\n3,\n4,\n");
    let odd = |id: i64| if id % 2 == 1 { Ok(id) } else { Err("even") };
    let (_, rejects) = cx().read_csv::<Item>(&address).try_map_or_reject(move |item| odd(item.id));
    let places: Vec<String> = rejects.collect().unwrap().into_iter().map(|reject| reject.place).collect();
    assert_eq!(places, [format!("file {address}, line 3"), format!("file {address}, line 5")]);
}

#[test]
fn a_whole_file_is_its_own_place() {
    let (_folder, _, address) = file("a.txt", "not a number");
    let read = |cx: &Context| {
        let files = cx.read_text_files(&address);
        files.try_map(|(_, text)| text.parse::<i64>(), OnError::Fail).collect()
    };
    let error = refused(read).to_string();
    assert!(error.contains(&format!("file {address}, line {}:", file!())), "{error}");
}

#[test]
fn a_closure_that_panics_is_told_with_the_record_that_it_was_given() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,\n0,\n3,\n");
    let error = cx().read_csv::<Item>(&address).map(|item| 6 / item.id).collect().unwrap_err();
    assert_eq!(error.class(), Class::Bug);
    let text = error.to_string();
    assert!(
        text.contains("divide by zero") && text.contains(&format!("record file {address}, line 3")),
        "{text}"
    );
}

#[test]
fn a_panic_behind_a_border_of_batches_names_no_other_record() {
    let (_folder, _, address) = file("a.csv", "id,name\n1,\n0,\n3,\n");
    let cx = cx();
    let ids = cx.read_csv::<Item>(&address).map(|item| item.id);
    let both = ids.clone().union(ids);
    let text = both.map(|id| 6 / id).collect().unwrap_err().to_string();
    assert!(text.contains("divide by zero") && !text.contains(&address), "{text}");
}
