//! `file_packer`: every file is in the output exactly once and complete, in whichever way the files
//! were packed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use tempfile::TempDir;

use super::job::Job;
use super::{folder, same_files_everywhere, table, texts};

const FILE_PACKER: &str = env!("CARGO_BIN_EXE_file_packer");

/// The contents of the rows below an output, by address.
fn contents(output: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut contents = BTreeMap::new();
    for batch in table::batches(output) {
        let bytes = batch.column_by_name("content").unwrap().as_binary::<i32>().clone();
        for (address, content) in texts(&batch, "address").into_iter().zip(&bytes) {
            let before = contents.insert(address.unwrap(), content.unwrap().to_vec());
            assert_eq!(before, None, "a file stands there twice");
        }
    }
    contents
}

/// The contents of files on disk, by address.
fn files(input: &Path) -> BTreeMap<String, Vec<u8>> {
    let address = |name: &str| fs::canonicalize(input.join(name)).unwrap().display().to_string();
    folder::files(input).into_iter().map(|(name, bytes)| (address(&name), bytes)).collect()
}

#[test]
fn file_packer_gives_the_same_files_everywhere_and_every_input_once() {
    let input = TempDir::new().unwrap();
    let (folder, _) = same_files_everywhere(|folder| {
        let job =
            Job::new(FILE_PACKER).option("--input", input.path()).option("--output", folder.join("packed"));
        job.option("--generate", "500").option("--tasks", "3")
    });
    let packed = folder.path().join("packed");
    assert_eq!(files(input.path()).len(), 500);
    assert!(contents(&packed) == files(input.path()), "contents differ");
    assert_eq!(folder::files(&packed).len(), 3, "one file a task");
}

#[test]
fn file_packer_with_a_task_for_each_file_gives_the_same_rows_in_as_many_files() {
    let (input, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let job = Job::new(FILE_PACKER).option("--input", input.path()).option("--generate", "100");
    let ended = job.option("--output", folder.path().join("packed")).arg("--compare").run().ok();
    assert!(ended.stdout.contains("times as long"), "{}", ended.stdout);
    let one_by_one = folder.path().join("packed_one_by_one");
    assert!(contents(&one_by_one) == contents(&folder.path().join("packed")), "contents differ");
    assert_eq!(folder::files(&one_by_one).len(), 100);
}
