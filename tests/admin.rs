//! The ledger of an output, and the `kiln` command: listing runs, running them again, and cleaning up.
//!
//! Jobs and the command are real processes; the store is a real S3 server on a loopback port.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "admin/cleaning.rs"]
mod cleaning;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/job.rs"]
mod job;
#[path = "admin/ledger.rs"]
mod ledger;
#[path = "support/processes.rs"]
mod processes;
#[path = "admin/rerun.rs"]
mod rerun;
#[path = "support/s3.rs"]
mod s3;
#[path = "support/table.rs"]
mod table;

use std::path::PathBuf;

use job::{Ended, Job};
use s3::{BUCKET, S3};

/// The location of a test's outputs.
enum Place {
    Disk(tempfile::TempDir),
    /// Plain files in S3.
    S3(S3),
    /// A Delta table in S3.
    Table(S3),
}

impl Place {
    fn all() -> [Place; 3] {
        [Place::Disk(tempfile::tempdir().unwrap()), Place::S3(S3::start()), Place::Table(S3::start())]
    }

    fn uri(&self) -> String {
        match self {
            Place::Disk(place) => place.path().join("rows").display().to_string(),
            Place::S3(_) | Place::Table(_) => format!("s3://{BUCKET}/out/rows"),
        }
    }

    /// A job that publishes at this location.
    fn job(&self, mode: &str) -> Job {
        let job = Job::new(env!("CARGO_BIN_EXE_small")).on("local[2]");
        let job = if let Place::S3(_) = self { job.arg("--plain") } else { job };
        self.tell(job.option("--mode", mode).option("--output", self.uri()))
    }

    /// A job that is an attempt of the run `nightly`.
    fn attempt(&self, mode: &str, number: u32) -> Job {
        self.job(mode).option("--run-id", "nightly").option("--attempt", number.to_string())
    }

    fn tell(&self, job: Job) -> Job {
        match self {
            Place::Disk(_) => job,
            Place::S3(s3) | Place::Table(s3) => s3.tell(job),
        }
    }

    /// Runs the command `kiln`.
    fn kiln(&self, args: &[&str]) -> Ended {
        let job = args.iter().fold(Job::new(env!("CARGO_BIN_EXE_kiln_command")), |job, arg| job.arg(*arg));
        self.tell(job).run()
    }

    /// The records of the output, newest first.
    fn records(&self) -> Vec<serde_json::Value> {
        let listed = self.kiln(&["runs", &self.uri(), "--json"]);
        listed.exits(0);
        listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The folder of the output, in the bucket or on disk.
    fn folder(&self) -> PathBuf {
        match self {
            Place::Disk(place) => place.path().join("rows"),
            Place::S3(s3) | Place::Table(s3) => s3.bucket().join("out/rows"),
        }
    }
}

/// The number of records with each ending: run, attempt, status and reason.
fn endings(records: &[serde_json::Value]) -> Vec<String> {
    let text = |value: &serde_json::Value| value.to_string().replace('"', "");
    let fields = ["run_id", "attempt", "status", "reason"];
    records.iter().map(|record| fields.map(|field| text(&record[field])).join(" ")).collect()
}

#[test]
fn a_wrong_command_line_ends_with_64_and_an_error_with_its_class() {
    let place = Place::Disk(tempfile::tempdir().unwrap());
    place.kiln(&["runs"]).exits(64);
    place.kiln(&["clean", &place.uri(), "--grace", "soon"]).exits(64);
    let refused = place.kiln(&["clean", &place.uri(), "--grace", "1m"]);
    refused.exits(64);
    assert!(refused.stderr.starts_with("error[usage]: a grace of less than an hour"), "{}", refused.stderr);
    let unknown = place.kiln(&["runs", "s4://bucket/rows"]);
    unknown.exits(78);
    assert!(unknown.stderr.starts_with("error[config]: "), "{}", unknown.stderr);
    for verb in ["runs", "rerun", "clean"] {
        let help = place.kiln(&[verb, "--help"]);
        help.exits(0);
        assert!(help.stdout.contains(&format!("kiln {verb} ")), "{}", help.stdout);
    }
}
