//! Delta tables between Kiln and Python: what one writes, the other reads. README.md has the command.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "support/processes.rs"]
mod processes;
#[path = "delta/readers.rs"]
mod readers;
#[path = "support/s3.rs"]
mod s3;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use kiln::{Context, Mode};

#[derive(kiln::Row, Clone, Debug, PartialEq)]
struct Number {
    n: u64,
}

#[derive(kiln::Row, Clone, Debug, PartialEq)]
struct CityNumber {
    city: Option<String>,
    n: i64,
}

/// A script of `tests/delta/`, to be run by a Python that has what it needs.
fn script(name: &str) -> Command {
    let python = std::env::var("KILN_DELTA_PYTHON").expect(
        "`tests/delta/install.sh FOLDER` installs readers of Delta tables; KILN_DELTA_PYTHON=FOLDER/bin/python tells this test",
    );
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("delta").join(name));
    command
}

/// Runs a script of `tests/delta/`; gives the words of each line that it prints.
fn python(name: &str, table: &Path) -> Vec<Vec<u64>> {
    let ended = script(name).arg(table).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let text = String::from_utf8(ended.stdout).unwrap();
    text.lines().map(|line| line.split(' ').map(|word| word.parse().unwrap()).collect()).collect()
}

#[test]
fn python_reads_what_kiln_wrote_also_from_its_checkpoint_alone() {
    let place = tempfile::tempdir().unwrap();
    let table = place.path().join("numbers");
    let uri = table.display().to_string();
    let cx = Context::local(2);
    for version in 0..12 {
        let mode = if version == 0 { Mode::Error } else { Mode::Append };
        let numbers = cx.range(1000 * version..1000 * version + 100).map(|n| (n % 2, n));
        numbers.write().names(["odd", "n"]).partition_by(["odd"]).mode(mode).delta(&uri).unwrap();
    }
    let sum = |version: u64| 100 * 1000 * version + 4950;
    let (all, rows) = ((0..12).map(sum).sum::<u64>(), 1200);
    assert_eq!(python("read.py", &table), [vec![rows, all], vec![100, sum(0)], vec![rows, all]]);
    let read = cx.read().delta::<Number>(&uri);
    assert_eq!(read.map(|number| number.n).collect().unwrap().into_iter().sum::<u64>(), all);
    assert_eq!(cx.read().version(0).delta::<Number>(&uri).count().unwrap(), 100);
    for version in 1..11 {
        std::fs::remove_file(table.join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
    assert_eq!(python("read.py", &table)[0], [rows, all]);
}

#[test]
fn kiln_reads_what_python_wrote() {
    let place = tempfile::tempdir().unwrap();
    let table = place.path().join("cities");
    python("write.py", &table);
    let cx = Context::local(2);
    let uri = table.display().to_string();
    let rows = cx.read().delta::<CityNumber>(&uri).collect().unwrap();
    let mut sums: BTreeMap<Option<String>, i64> = BTreeMap::new();
    rows.into_iter().for_each(|row| *sums.entry(row.city).or_default() += row.n);
    let expected = [(None, 75), (Some("Zürich=é"), 87), (Some("a/b c%d"), 63)];
    assert_eq!(sums, expected.map(|(city, sum)| (city.map(str::to_owned), sum)).into());
    // The folder has files that have left the table.
    assert_eq!(cx.read_parquet::<CityNumber>(&uri).count().unwrap(), 33);
}
