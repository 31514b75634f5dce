//! Checkpoints: intermediate rows, which a job may write again in every run.

use super::job::EVERYWHERE;
use super::{names, small, table};

#[test]
fn a_job_with_a_checkpoint_can_run_again_and_lists_its_output_alone() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let (checkpoint, output) = (place.path().join("checkpoint"), place.path().join("rows"));
        for offset in [0, 1000] {
            let job = small(cluster).option("--mode", "overwrite").option("--offset", offset.to_string());
            let ended = job.option("--checkpoint", &checkpoint).option("--output", &output).run().ok();
            let outputs = ended.json()["outputs"].clone();
            assert_eq!(outputs.as_array().unwrap().len(), 1, "{outputs}");
            assert_eq!(outputs[0]["uri"], format!("file://{}", output.display()));
            for place in [&checkpoint, &output] {
                let numbers = if place == &output { table::numbers(place) } else { table::values(place) };
                assert_eq!(numbers, (offset..offset + 600).collect::<Vec<u64>>());
            }
        }
        // Six small files are read as one partition.
        assert_eq!(names(place.path()).len(), (1 + 6) + (1 + 1), "nothing of the first run is left");
    }
}

#[test]
fn a_job_that_makes_a_checkpoint_alone_has_published_nothing() {
    let place = tempfile::tempdir().unwrap();
    let ended = small("local[2]").option("--checkpoint", place.path().join("checkpoint")).run().ok();
    assert_eq!(ended.json()["status"], "succeeded");
    assert_eq!((ended.stdout.as_str(), &ended.json()["outputs"]), ("600 rows\n", &serde_json::json!([])));
}
