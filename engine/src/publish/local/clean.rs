//! Removes what killed jobs have left beside an output on disk: what a publish there does anyway before it works.

use std::fs;
use std::path::Path;

use super::{LockedHead, STAGE, locked, recover, staging};
use crate::error::Result;
use crate::job::{Progress, Run};
use crate::publish::BOOKS;
use crate::publish::clean::{CleanOptions, CleanReport, Leftover};

/// Cleans up beside `target`.
///
/// # Errors
/// Transient when another job's commit does not end, data for a head that cannot be read.
pub fn clean(target: &Path, options: &CleanOptions) -> Result<CleanReport> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
    let parent = target.parent().unwrap_or(&target);
    let mut report = CleanReport::default();
    if ![STAGE, BOOKS].iter().any(|folder| parent.join(folder).is_dir()) {
        return Ok(report);
    }
    if !options.delete {
        report.unfinished_commit = locked::peek(&target)?.state.is_some();
        report.leftovers = staged(parent);
        return Ok(report);
    }
    let run = Run::new("clean", Progress::silent());
    let mut locked = LockedHead::take(&target, &run)?;
    report.unfinished_commit = locked.head.state.is_some();
    recover(&mut locked, &target)?;
    report.leftovers = staged(parent);
    staging::sweep(&target, &locked)?;
    let left = locked.head.revoke(|claim| !staging::is_alive(&target, &claim.publish));
    if locked.head.is_empty() {
        locked.remove();
    } else if !left.is_empty() {
        locked.save(false)?;
    }
    Ok(report)
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
