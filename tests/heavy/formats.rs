//! Writes and reads heavy rows in every format.

use super::job::EVERYWHERE;
use super::{ROW, has_all, heavy, run_bounded};

const CLUSTER: &str = "local[2]";

/// The shape of the rows, the format, the number of rows per heavy one, and the number of heavy rows. A
/// batch of all of them would exceed the memory of a process, several times over as text.
const CASES: [(&str, &str, u64, u64); 6] = [
    ("text", "parquet", 1, 56),
    ("text", "parquet", 7, 56),
    ("text", "csv.zst", 1, 16),
    ("text", "json.zst", 1, 16),
    ("list", "parquet", 1, 4),
    ("fields", "json", 1, 6),
];

#[test]
fn files_of_heavy_rows_are_written_and_read_with_few_of_them_in_memory() {
    for (shape, format, every, heavy_rows) in CASES {
        let place = tempfile::tempdir().unwrap();
        let what = format!("{shape} as {format}, one heavy row in {every}");
        let (files, output) = (place.path().join(format!("rows.{format}")), place.path().join("n"));
        let job = |work| {
            let job = heavy(CLUSTER, work, shape).option("--bytes", ROW.to_string());
            job.option("--every", every.to_string())
        };
        let rows = heavy_rows * every;
        let write = job("write").option("--rows", rows.to_string()).option("--output", &files);
        run_bounded(write, ROW, &format!("writing {what}")).ok();
        let read = job("read").option("--input", &files).option("--output", &output);
        run_bounded(read, ROW, &format!("reading {what}")).ok();
        has_all(&output, rows, &what);
    }
}

/// Number of rows that are copied from files to files, several times the memory.
const COPIED: u64 = 24;

#[test]
fn heavy_rows_are_read_exchanged_and_written_again() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let job = |work| {
            let job = heavy(cluster, work, "text").option("--bytes", ROW.to_string());
            job.env("KILN_TMP", place.path())
        };
        let write = job("write").option("--rows", COPIED.to_string());
        write.option("--output", path("rows.parquet")).run().ok();
        let copy = job("copy").option("--input", path("rows.parquet"));
        run_bounded(copy.option("--output", path("copy.parquet")), ROW, &format!("copying on {cluster}"))
            .ok();
        let read = job("read").option("--input", path("copy.parquet"));
        read.option("--output", path("n")).run().ok();
        has_all(&path("n"), COPIED, cluster);
    }
}
