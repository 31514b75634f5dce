//! Heavy rows in exchanges and in the operators after them, on threads and on executors.

use super::job::EVERYWHERE;
use super::{ROW, has_all, heavy, run_bounded};

/// Several times the memory.
const ROWS: u64 = 24;

#[test]
fn operators_hold_few_heavy_rows_and_give_all_of_them() {
    for cluster in EVERYWHERE {
        for work in ["exchange", "sort", "sort-texts", "reduce", "group", "join", "persist"] {
            let place = tempfile::tempdir().unwrap();
            let output = place.path().join("n");
            let job = heavy(cluster, work, "text").option("--rows", ROWS.to_string());
            let job = job.option("--bytes", ROW.to_string()).option("--output", &output);
            let what = format!("{work} on {cluster}");
            run_bounded(job.env("KILN_TMP", place.path()), ROW, &what).ok();
            has_all(&output, ROWS, &what);
        }
    }
}
