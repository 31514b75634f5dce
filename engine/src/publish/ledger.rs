//! The ledger of an output: one record for each attempt that has begun to publish to it, beside the output.
//!
//! `_kiln/runs/<output>/<run id>.<attempt>.json` holds the result of the attempt and what started it, so that it can be
//! listed and started again. A record is written once, at the end of the job, and never replaced. It decides nothing:
//! who may publish is decided by the head. A record that cannot be written is a warning.

mod folder;
mod redact;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::error::{Error, Result};
use crate::job::{Input, Output, Run};
use crate::source::Location;
pub use folder::RecordFolder;
pub use redact::HIDDEN;
use redact::redacted;

/// Records of one output that are kept.
pub const MAX_RECORDS: usize = 1000;
/// Records beyond that before the oldest are removed, so that not every job looks at all of them.
const SURPLUS: usize = 100;
/// Processes that may have called themselves the same attempt.
const MAX_SAME: u32 = 100;
/// Bytes of a run id in the name of a file; a longer one is cut, and a hash of it added.
const MAX_ID_BYTES: usize = 180;
/// Variables beside the arguments that decide what a job publishes.
const SETTINGS: [&str; 2] = ["KILN_MODE", "KILN_EXPECT_PARTITIONS"];

/// One attempt at publishing to an output, as its ledger has it. Fields from `run_id` to `message` are those of the
/// job's result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// The name of the run.
    pub run_id: String,
    /// The number of the attempt; `None` when the caller gave none and the job ended before it got one.
    pub attempt: Option<u32>,
    /// `published`, `succeeded`, `skipped`, `failed` or `cancelled`.
    pub status: String,
    /// The class of a failure.
    pub class: Option<String>,
    /// The word for the failure.
    pub reason: Option<String>,
    /// The version of the job's last output.
    pub version: Option<u64>,
    /// What the job has published.
    pub outputs: Vec<Output>,
    /// What it has read.
    pub inputs: Vec<Input>,
    /// Its counters by name.
    pub counters: BTreeMap<String, serde_json::Value>,
    /// Task attempts that were made again.
    pub retries: u64,
    /// From start to end.
    pub seconds: f64,
    /// The error, or why there was nothing to do.
    pub message: Option<String>,
    /// The address of the output whose ledger this is.
    pub output: String,
    /// The path of the program.
    pub job: String,
    /// Its arguments, without run id and attempt; values that look like secrets are `***`.
    pub args: Vec<String>,
    /// The folder in which it was started.
    pub folder: String,
    /// Variables that decide what it publishes: `KILN_MODE`, `KILN_EXPECT_PARTITIONS`.
    pub settings: BTreeMap<String, String>,
    /// When it began by the clock of its machine, RFC 3339. Nothing is decided by it.
    pub started: String,
    /// When it ended.
    pub ended: String,
}

/// The entry that an attempt will get in the ledger of one output.
pub struct Entry {
    attempt: Arc<OnceLock<u32>>,
}

impl Entry {
    /// Has `run` recorded in the ledger of `output` when it ends: always when its run id was given, and else only when it
    /// has published there.
    ///
    /// # Errors
    /// Config when the name of the output cannot be part of a key.
    pub fn open(output: &Location, run: &Run) -> Result<Entry> {
        let attempt = Arc::new(OnceLock::new());
        let (folder, number) = (RecordFolder::of(output)?, Arc::clone(&attempt));
        let (is_given, start) = (run.identity().is_given, start_of(output.uri(), run));
        run.on_result(Box::new(move |json| {
            let recorded = record(start, json, number.get().copied()).and_then(|record| {
                let has_published = record.outputs.iter().any(|output| output.uri == record.output);
                if is_given || has_published { write(&folder, &record) } else { Ok(()) }
            });
            if let Err(error) = recorded {
                log::warn!("the run is not recorded in its ledger: {error}");
            }
        }));
        Ok(Entry { attempt })
    }

    /// Sets the number of the attempt, for a caller that does not count.
    pub fn set_attempt(&self, attempt: u32) {
        let _ = self.attempt.set(attempt);
    }
}

/// What is known when a job begins.
fn start_of(output: String, run: &Run) -> RunRecord {
    let text = |path: std::io::Result<std::path::PathBuf>| {
        path.map_or(String::new(), |path| path.to_string_lossy().into_owned())
    };
    let arguments = run.arguments().iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let settings = SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    RunRecord {
        output,
        // Linux adds this to the path of a program that was replaced since.
        job: text(std::env::current_exe()).trim_end_matches(" (deleted)").to_owned(),
        args: redacted(arguments),
        folder: text(std::env::current_dir()),
        settings: settings.collect(),
        ..RunRecord::default()
    }
}

/// The record of a job whose result is `json`.
fn record(start: RunRecord, json: &str, attempt: Option<u32>) -> Result<RunRecord> {
    let result: RunRecord =
        serde_json::from_str(json).map_err(|e| Error::bug("the result is no JSON").because(e))?;
    let ended = Utc::now();
    let started = ended - TimeDelta::milliseconds((result.seconds * 1000.0) as i64);
    let text = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let RunRecord { output, job, args, folder, settings, .. } = start;
    let attempt = result.attempt.or(attempt);
    let (started, ended) = (text(started), text(ended));
    Ok(RunRecord { attempt, output, job, args, folder, settings, started, ended, ..result })
}

/// Adds a record, and removes the oldest ones from a disk.
fn write(folder: &RecordFolder, record: &RunRecord) -> Result<()> {
    let text = serde_json::to_string(record).map_err(|e| Error::bug("JSON cannot be written").because(e))?;
    let name = format!("{}.{}", file_name(&record.run_id), record.attempt.unwrap_or(0));
    let names = std::iter::once(format!("{name}.json"));
    let mut names = names.chain((2..MAX_SAME).map(|number| format!("{name}.{number}.json")));
    loop {
        let Some(name) = names.next() else {
            return Err(Error::config("too many records of one attempt").at("attempt", name));
        };
        if folder.create(&name, &text)? {
            break;
        }
    }
    if folder.count_on_disk() > MAX_RECORDS + SURPLUS {
        folder.remove(&surplus(folder)?)?;
    }
    Ok(())
}

/// The names of the records beyond those that are kept.
///
/// # Errors
/// By the failing operation.
pub fn surplus(folder: &RecordFolder) -> Result<Vec<String>> {
    Ok(folder.names()?.into_iter().skip(MAX_RECORDS).collect())
}

/// All records of an output, the newest first. What is no record is left out.
///
/// # Errors
/// By the failing operation.
pub fn records(output: &Location) -> Result<Vec<RunRecord>> {
    let folder = RecordFolder::of(output)?;
    let texts = folder.read(&folder.names()?)?;
    Ok(texts.iter().filter_map(|text| serde_json::from_slice(text).ok()).collect())
}

/// A run id as the name of a file, with all but letters, digits and a few other characters percent-encoded.
pub fn file_name(run_id: &str) -> String {
    let mut name = String::new();
    for byte in run_id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b':' | b'+' => {
                name.push(char::from(byte))
            }
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() > MAX_ID_BYTES {
        name.truncate(MAX_ID_BYTES);
        name.push_str(&format!("-{:016x}", XxHash3_64::oneshot(run_id.as_bytes())));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(place: &tempfile::TempDir) -> RecordFolder {
        let output = Location::output(&place.path().join("rows").display().to_string()).unwrap();
        RecordFolder::of(&output).unwrap()
    }

    #[test]
    fn a_record_never_replaces_another_and_the_oldest_go() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(&place);
        let record = |attempt| RunRecord { run_id: "d/r t".to_owned(), attempt, ..RunRecord::default() };
        for attempt in [Some(1), Some(1), None] {
            write(&folder, &record(attempt)).unwrap();
        }
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, ["d%2Fr%20t.0.json", "d%2Fr%20t.1.2.json", "d%2Fr%20t.1.json"]);
        for attempt in 2..(MAX_RECORDS + SURPLUS) as u32 {
            write(&folder, &record(Some(attempt))).unwrap();
        }
        assert_eq!(folder.names().unwrap().len(), MAX_RECORDS);
        let newest = folder.names().unwrap();
        assert!(newest.contains(&"d%2Fr%20t.1099.json".to_owned()) && !newest.contains(&names[0]));
    }

    #[test]
    fn a_long_run_id_is_cut_to_the_name_of_a_file_and_stays_different() {
        let [one, other] = ["a", "b"].map(|end| file_name(&("/".repeat(300) + end)));
        assert!(one.len() < 220 && one != other);
    }
}
