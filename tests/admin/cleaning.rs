//! `kiln clean` removes what killed jobs have left, and no file of the output.

use std::time::Duration;

use rustix::process::Signal;

use super::Place;
use crate::folder;

/// Longer than a second, the resolution of times in a store.
const TICK: Duration = Duration::from_millis(2100);
const EAGER: [&str; 4] = ["--delete", "--force", "--grace", "0s"];

/// All files and folders at and beside the output, except records of runs.
fn all_files(place: &Place) -> Vec<String> {
    let tree = folder::tree(place.folder().parent().unwrap()).into_iter();
    let files = tree.map(|path| path.display().to_string());
    files.filter(|path| !path.contains("_kiln/runs") && !path.contains("_kiln/clean")).collect()
}

/// The same without the log of a table, in which a clean creates a version without changes.
fn files(place: &Place) -> Vec<String> {
    all_files(place).into_iter().filter(|path| !path.contains("_delta_log")).collect()
}

fn clean(place: &Place, options: &[&str]) -> String {
    let cleaned = place.kiln(&[&["clean", &place.uri()], options].concat());
    cleaned.exits(0);
    cleaned.stdout
}

#[test]
fn what_a_killed_job_has_left_is_removed_and_the_output_stays() {
    for place in Place::all() {
        place.job("error").run().ok();
        let before = files(&place);
        let killed = place.job("append").env("KILN_FAILPOINT", "commit.ready=kill").run();
        assert_eq!(killed.killed_by(), Some(9));
        let left = files(&place);
        assert!(left.len() > before.len());

        let listed = clean(&place, &[]);
        assert_eq!(files(&place), left, "nothing is removed unless it is asked for");
        let is_disk = matches!(place, Place::Disk(_));
        assert!(listed.contains(if is_disk { "to remove: 1 files" } else { "kept 6 files" }), "{listed}");
        if !is_disk {
            clean(&place, &["--delete"]);
            assert_eq!(files(&place), left, "they are young");
            std::thread::sleep(TICK);
        }
        let removed = clean(&place, &EAGER);
        assert!(removed.contains(if is_disk { "removed 1 files" } else { "removed 6 files" }), "{removed}");
        assert_eq!(files(&place), before);
        assert!(clean(&place, &EAGER).contains("removed 0 files"));
        place.job("append").option("--offset", "600").run().ok();
    }
}

#[test]
fn a_commit_that_was_cut_off_is_finished() {
    // The commit of a table is a single request.
    for (place, step) in Place::all().into_iter().zip(["commit.applied", "commit.published"]) {
        place.job("append").run().ok();
        let killed = place.job("append").env("KILN_FAILPOINT", format!("{step}=kill")).run();
        assert_eq!(killed.killed_by(), Some(9));
        assert!(clean(&place, &[]).contains("to finish: a commit that was cut off"));
        assert!(clean(&place, &["--delete"]).contains("finished a commit that was cut off"));
        assert!(!clean(&place, &[]).contains("to finish"));
        let manifest = std::fs::read(place.folder().join("_SUCCESS")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!((&manifest["version"], manifest["files"].as_array().unwrap().len()), (&2.into(), 12));
    }
}

#[test]
fn a_job_at_work_is_left_alone_and_one_that_is_taken_for_dead_is_fenced() {
    for place in Place::all() {
        let [alive, late] = ["alive", "late"].map(|run| {
            let job = place.job("append").option("--run-id", run);
            let job = job.env("KILN_FAILPOINT", "commit.ready=stop").start();
            job.wait_until_stopped();
            job
        });
        clean(&place, &["--delete"]);
        alive.signal(Signal::CONT);
        alive.wait().ok();

        std::thread::sleep(TICK);
        let report = clean(&place, &EAGER);
        late.signal(Signal::CONT);
        match place {
            // The lock shows that the job is alive.
            Place::Disk(_) => drop(late.wait().ok()),
            Place::S3(_) | Place::Table(_) => {
                assert!(report.contains("fenced attempt 1 of run late"), "{report}");
                let late = late.wait();
                late.fails(73, "fenced", &["was taken away", "`kiln clean`"]);
                assert_eq!(late.json()["reason"], "claim_revoked");
                let data = folder::data(&place.folder()).into_iter();
                assert_eq!(data.filter(|path| !path.starts_with("_delta_log")).count(), 6);
            }
        }
    }
}

#[test]
fn of_a_table_on_disk_commits_that_were_not_linked_are_removed_and_a_job_at_work_goes_on() {
    let place = Place::Disk(tempfile::tempdir().unwrap());
    let job = || place.job("append").arg("--delta");
    job().run().ok();
    let before = all_files(&place);
    let killed = job().env("KILN_FAILPOINT", "delta.written=kill").run();
    assert_eq!(killed.killed_by(), Some(9));
    let temporary = || all_files(&place).into_iter().filter(|path| path.ends_with(".json.tmp")).count();
    assert_eq!(temporary(), 1, "{:?}", all_files(&place));
    assert!(clean(&place, &[]).contains("kept 1 files"));
    assert!(clean(&place, &["--delete"]).contains("removed 0 files"));
    let living = job().env("KILN_FAILPOINT", "commit.ready=stop").start();
    living.wait_until_stopped();
    std::thread::sleep(TICK);
    let removed = clean(&place, &EAGER);
    assert!(removed.contains("removed 1 files") && removed.contains("_delta_log/_commit_"), "{removed}");
    assert_eq!(temporary(), 0);
    living.signal(Signal::CONT);
    living.wait().ok();
    let log = |files: Vec<String>| files.into_iter().filter(|path| path.contains("_delta_log/0")).count();
    assert_eq!(log(all_files(&place)), log(before) + 1);
}
