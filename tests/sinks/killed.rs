//! Drivers that are killed while they publish to disk, and disks that fill up.

use std::fs;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::disk::Disk;
use super::job::{EVERYWHERE, Job};
use super::{folder, names, small, table};

#[test]
fn what_a_killed_driver_has_staged_goes_with_the_next_publish_beside_it() {
    for cluster in EVERYWHERE {
        let (place, gate) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (output, other) = (place.path().join("rows"), place.path().join("other"));
        let killed = small(cluster).option("--gate", gate.path()).option("--output", &output).start();
        folder::wait_for(gate.path(), "waits-", 1);
        killed.signal(Signal::KILL);
        assert_eq!(killed.wait().killed_by(), Some(9));
        assert!(!output.exists() && place.path().join(".kiln-stage").exists(), "{:?}", names(place.path()));
        small(cluster).option("--output", &other).run().ok();
        assert_eq!(names(place.path()).len(), 1 + 6, "{:?}", names(place.path()));
        small(cluster).option("--output", &output).run().ok();
        assert_eq!(table::numbers(&output), (0..600).collect::<Vec<u64>>());
    }
}

#[test]
fn a_driver_killed_before_its_commit_changes_nothing_and_one_that_lives_is_not_swept() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows");
    small("local[1]").option("--output", &output).run().ok();
    let before = folder::files(&output);
    for mode in ["overwrite", "append"] {
        // Commits below one parent folder share a lock, so holding the lock stops them there.
        let gate = tempfile::tempdir().unwrap();
        let job = small("local[1]").option("--mode", mode).option("--offset", "5000");
        let killed = job.option("--gate", gate.path()).option("--output", &output).start();
        folder::wait_for(gate.path(), "waits-", 1);
        let turn = fs::File::open(place.path().join("_kiln")).unwrap();
        flock(&turn, FlockOperation::NonBlockingLockExclusive).unwrap();
        fs::write(gate.path().join("open"), "").unwrap();
        folder::wait_until("the tree of the output", || {
            names(place.path()).iter().any(|n| n.ends_with("ready"))
        });
        killed.signal(Signal::KILL);
        killed.wait();
        assert_eq!(folder::files(&output), before);
    }
    // Another job that publishes here meanwhile must not touch the files of a living one.
    let gate = tempfile::tempdir().unwrap();
    let job = small("local[1]").option("--mode", "append").option("--offset", "600");
    let living = job.option("--gate", gate.path()).option("--output", &output).start();
    folder::wait_for(gate.path(), "waits-", 1);
    small("local[1]").option("--output", place.path().join("other")).run().ok();
    fs::write(gate.path().join("open"), "").unwrap();
    living.wait().ok();
    let mut numbers = table::numbers(&output);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1200).collect::<Vec<u64>>());
    assert!(!place.path().join(".kiln-stage").exists());
}

#[test]
fn a_full_disk_is_a_resource_error_that_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let disk = Disk::mount(place.path(), "512k");
    let job = Job::new(env!("CARGO_BIN_EXE_small")).on("local[2]").option("--rows", "2000000");
    let ended = job.option("--output", place.path().join("rows")).run();
    ended.fails(75, "resource", &["cannot write a part of the output", "No space left"]);
    assert_eq!(names(place.path()), [""; 0]);
    drop(disk);
}
