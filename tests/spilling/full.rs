//! A disk that fills up while a job spills.

use super::disk::Disk;
use super::job::EVERYWHERE;
use super::{folder, spilling};

/// More rows than fit in the memory for outputs of two executors and on the disk.
const MANY: u64 = 250_000;
/// Numbers of rows that fit in the memory for outputs, but not in that of a task. By cluster, because
/// the two slots of one process share both.
const SORTED: [u64; 2] = [55_000, 55_000];
const SUMMED: [u64; 2] = [24_000, 55_000];

#[test]
fn a_full_disk_while_spilling_is_a_resource_error_that_names_the_folder_and_leaves_nothing() {
    for (at, cluster) in EVERYWHERE.into_iter().enumerate() {
        for (work, rows, what) in [
            ("exchange", MANY, "the output of a task"),
            ("group", MANY, "the output of a task"),
            ("join", MANY, "the output of a task"),
            ("persist", SORTED[at], "the output of a task"),
            ("sort", SORTED[at], "a sort"),
            ("join-of-sums", SUMMED[at], "an input that is read again"),
        ] {
            let (tmp, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let _disk = Disk::mount(tmp.path(), "1m");
            let job = spilling(cluster, work, rows, tmp.path());
            let ended = job.option("--output", place.path().join("n")).run();
            let message = format!("a temporary file for {what} cannot be written");
            let folder = format!("folder {}", tmp.path().display());
            let help = "free some room there, name another folder by KILN_TMP, or raise KILN_MEMORY";
            ended.fails(75, "resource", &[&message, &folder, "No space left on device", help]);
            assert!(!ended.stderr.contains("starts again"), "it will not pass by itself:\n{}", ended.stderr);
            for left in [tmp.path(), place.path()] {
                assert_eq!(folder::tree(left), Vec::<std::path::PathBuf>::new(), "{cluster} {work}");
            }
        }
    }
}
