//! Removes what killed jobs have left beside an output on disk: what a publish there does anyway before it works.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{LockedHead, STAGE, cannot, locked, recover, staging};
use crate::error::Result;
use crate::job::{Progress, Run};
use crate::publish::clean::{CleanOptions, CleanReport, Leftover};
use crate::publish::{BOOKS, DELTA_LOG};

/// Cleans up beside `target`.
///
/// # Errors
/// Transient when another job's commit does not end, data for a head that cannot be read.
pub fn clean(target: &Path, options: &CleanOptions) -> Result<CleanReport> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
    let parent = target.parent().unwrap_or(&target);
    let mut report = CleanReport::default();
    let log = target.join(DELTA_LOG);
    if ![STAGE, BOOKS].iter().any(|folder| parent.join(folder).is_dir()) && !log.is_dir() {
        return Ok(report);
    }
    let unlinked = unlinked(&log, options, &mut report)?;
    if !options.delete {
        report.unfinished_commit = locked::peek(&target)?.state.is_some();
        report.leftovers.extend(staged(parent));
        return Ok(report);
    }
    for path in unlinked {
        remove(&path)?;
    }
    let run = Run::new("clean", Progress::silent());
    let mut locked = LockedHead::take(&target, &run)?;
    report.unfinished_commit = locked.head.state.is_some();
    recover(&mut locked, &target)?;
    report.leftovers.extend(staged(parent));
    staging::sweep(&target, &locked)?;
    // A publish to a table has no staging folder, whose lock would show that its driver lives.
    let is_table = log.is_dir() || locked.head.first_version().is_some();
    let left = locked.head.revoke(|claim| !is_table && !staging::is_alive(&target, &claim.publish));
    if locked.head.is_empty() {
        locked.remove();
    } else if !left.is_empty() {
        locked.save(false)?;
    }
    Ok(report)
}

/// Commits to a table that were written and not linked into its log, older than the grace.
fn unlinked(log: &Path, options: &CleanOptions, report: &mut CleanReport) -> Result<Vec<PathBuf>> {
    let entries = match log.read_dir() {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| cannot("read the folder", log, e))?,
    };
    let is_temporary = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("_commit_") && name.ends_with(".json.tmp")
    };
    let found: Vec<fs::DirEntry> = entries.flatten().filter(is_temporary).collect();
    let limit = if found.is_empty() { None } else { disk_time(log)?.checked_sub(options.grace) };
    let mut old = Vec::new();
    for entry in found {
        // One that is gone was linked meanwhile.
        let Ok(meta) = entry.metadata() else { continue };
        let modified = meta.modified().map_err(|e| cannot("look at", &entry.path(), e))?;
        if limit.is_none_or(|limit| modified >= limit) {
            report.kept += 1;
            continue;
        }
        report.leftovers.push(Leftover { address: entry.path().display().to_string(), bytes: meta.len() });
        old.push(entry.path());
    }
    Ok(old)
}

/// The time by the clock of the file system, which may be another machine's.
fn disk_time(folder: &Path) -> Result<SystemTime> {
    let path = folder.join(format!("_clean-{}.tmp", uuid::Uuid::new_v4()));
    let time = fs::write(&path, "what time is it").and_then(|()| fs::metadata(&path)?.modified());
    let _ = fs::remove_file(&path);
    time.map_err(|e| cannot("write", &path, e))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(cannot("remove", path, e)),
        _ => Ok(()),
    }
}

/// The staging folders of jobs that have ended.
fn staged(parent: &Path) -> Vec<Leftover> {
    let folders = staging::abandoned(parent).into_iter();
    folders.map(|folder| Leftover { address: folder.display().to_string(), bytes: size(&folder) }).collect()
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let of_entry = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of_entry).sum()
}
