//! Where the jobs of these tests publish, and what is there.

use std::path::{Path, PathBuf};

use super::job::Job;
use super::s3::{Action, BUCKET, S3};
use super::{folder, log, table};

pub(crate) const MODES: [&str; 5] = ["error", "overwrite", "append", "append-once", "replace-partitions"];
/// What can happen to one request without harm.
pub(crate) const HARMLESS_ONCE: [Action; 6] = [
    Action::Drop,
    Action::DropReply,
    Action::Refuse(503),
    Action::ApplyAndRefuse(500),
    Action::Refuse(409),
    Action::ApplyAndRefuse(409),
];
/// Rows of every publish.
pub(crate) const ROWS: u64 = 600;

/// One output, `out/rows`, in a folder or a bucket.
pub(crate) struct Place {
    store: Store,
    /// Whether it is a Delta table.
    is_table: bool,
}

enum Store {
    Disk(tempfile::TempDir),
    S3(S3),
}

impl Place {
    pub(crate) fn disk() -> Place {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("out")).unwrap();
        Place { store: Store::Disk(place), is_table: false }
    }

    pub(crate) fn s3() -> Place {
        Place { store: Store::S3(S3::start()), is_table: false }
    }

    /// The same with a Delta table.
    pub(crate) fn into_table(self) -> Place {
        Place { is_table: true, ..self }
    }

    /// The places, by number: folders and tables, on disk and in a store.
    pub(crate) fn nth(number: usize) -> Place {
        let place = if number.is_multiple_of(2) { Place::disk() } else { Place::s3() };
        if number < 2 { place } else { place.into_table() }
    }

    pub(crate) fn server(&self) -> &S3 {
        match &self.store {
            Store::S3(s3) => s3,
            Store::Disk(_) => panic!("there is no server"),
        }
    }

    pub(crate) fn uri(&self) -> String {
        match &self.store {
            Store::Disk(place) => place.path().join("out/rows").to_string_lossy().into_owned(),
            Store::S3(_) => format!("s3://{BUCKET}/out/rows"),
        }
    }

    /// A job that knows of the place.
    pub(crate) fn plain(&self) -> Job {
        let job = Job::new(env!("CARGO_BIN_EXE_small")).on("local[2]");
        match &self.store {
            Store::Disk(_) => job,
            // The manifest names the files that these tests read.
            Store::S3(s3) if !self.is_table => s3.tell(job.arg("--plain")),
            Store::S3(s3) => s3.tell(job),
        }
    }

    /// A job that publishes the numbers from `offset` on.
    pub(crate) fn job(&self, mode: &str, offset: u64) -> Job {
        let job = self.plain().option("--mode", mode).option("--offset", offset.to_string());
        let job = if mode == "replace-partitions" { job.arg("--by-day") } else { job };
        let job = if self.is_table { job.arg("--delta") } else { job };
        job.option("--output", self.uri())
    }

    /// The same as an attempt of one run.
    pub(crate) fn attempt(&self, mode: &str, offset: u64, number: u32) -> Job {
        self.job(mode, offset).env("KILN_RUN_ID", "nightly").env("KILN_ATTEMPT", number.to_string())
    }

    /// Publishes rows that are there before a test; returns those that stay.
    pub(crate) fn prepare(&self, mode: &str) -> Vec<u64> {
        if mode == "error" {
            return Vec::new();
        }
        self.job(mode.trim_end_matches("-once"), 100_000).run().ok();
        if mode.starts_with("append") { numbers_from(100_000) } else { Vec::new() }
    }

    /// The numbers of the output by its manifest or its log, in order; none without one.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.try_numbers().expect("every file of the output is there")
    }

    /// The same; `None` when a file of the output is missing.
    pub(crate) fn try_numbers(&self) -> Option<Vec<u64>> {
        let copy = tempfile::tempdir().unwrap();
        let root = self.root();
        let names = if self.is_table { log::live(&root) } else { manifest(&root) };
        for (at, name) in names.iter().enumerate() {
            let to = copy.path().join(format!("{at}.parquet"));
            match std::fs::copy(root.join(name), to) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
                copied => copied.unwrap(),
            };
        }
        let mut numbers = table::column(copy.path(), "n");
        numbers.sort_unstable();
        Some(numbers)
    }

    /// How often the output was published.
    pub(crate) fn publishes(&self) -> u64 {
        if self.is_table { log::publishes(&self.root()).len() as u64 } else { self.version() }
    }

    /// The version that the last publish has made; 0 without one.
    pub(crate) fn version(&self) -> u64 {
        if self.is_table {
            return log::publishes(&self.root()).last().copied().unwrap_or(0);
        }
        let Ok(json) = std::fs::read(self.root().join("_SUCCESS")) else { return 0 };
        serde_json::from_slice::<serde_json::Value>(&json).unwrap()["version"].as_u64().unwrap()
    }

    /// Files of data that no version names, and folders of staging.
    pub(crate) fn left(&self) -> Vec<String> {
        let root = self.root();
        let named = if self.is_table { log::named(&root) } else { manifest(&root) };
        let files = if root.is_dir() { folder::data(&root) } else { Vec::new() };
        let is_data = |path: &PathBuf| root.join(path).is_file() && !path.starts_with("_delta_log");
        let files = files.into_iter().filter(is_data);
        let unnamed =
            files.map(|path| path.to_string_lossy().into_owned()).filter(|name| !named.contains(name));
        let staging = root.with_file_name(".kiln-stage");
        let temporary = log::temporary(&root);
        unnamed.chain(staging.exists().then(|| staging.display().to_string())).chain(temporary).collect()
    }

    /// The folder of the output; that of a bucket, too, is one.
    pub(crate) fn root(&self) -> PathBuf {
        match &self.store {
            Store::Disk(place) => place.path().join("out/rows"),
            Store::S3(s3) => s3.bucket().join("out/rows"),
        }
    }
}

/// The numbers that a publish has put there.
pub(crate) fn numbers_from(offset: u64) -> Vec<u64> {
    (offset..offset + ROWS).collect()
}

/// The numbers of a publish and those that were there before.
pub(crate) fn with(before: &[u64], offset: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers_from(offset).into_iter().chain(before.iter().copied()).collect();
    numbers.sort_unstable();
    numbers
}

fn manifest(root: &Path) -> Vec<String> {
    let Ok(json) = std::fs::read(root.join("_SUCCESS")) else { return Vec::new() };
    let manifest: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let files = manifest["files"].as_array().unwrap().iter();
    files.map(|file| file["name"].as_str().unwrap().to_owned()).collect()
}
