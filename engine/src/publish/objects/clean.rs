//! Removes what killed jobs have left at an output in a store, in two phases.
//!
//! First the head is changed: attempts that have not written for longer than the grace lose their claims, so that they
//! are fenced should they still live. The candidates are listed in an object. Then the head and the manifest are read
//! again, and what they still do not name is removed. A file becomes part of an output only by a claim that is in the
//! head, so nothing can begin to refer to a candidate in between.
//!
//! The commit of a table asks the head and then creates a version of the log. So phase two takes the next version itself, by
//! one that changes nothing: a commit that was asked for before the fence fails, and asks the head again. A file that any
//! version names which can still be read is kept.
//!
//! Open uploads are candidates like files, with the time at which they were begun. They are looked for where the store lists
//! them.
//!
//! Ages are differences between two times of the store: that of the object and that of one written just now.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::head_object::{Change, Head, HeadObject};
use super::{keys, settle, tag_of};
use crate::error::{Class, Result};
use crate::failpoint;
use crate::job::Cancel;
use crate::publish::clean::{CleanOptions, CleanReport, Leftover};
use crate::publish::delta::{DeltaTable, LOG as DELTA_LOG, Log};
use crate::publish::head::Claim;
use crate::publish::sign_of_life::SIGNS;
use crate::publish::{BOOKS, TAG_CHARS};
use crate::source::{MANIFEST, Manifest, OpenUpload, Store, is_tagged};

/// A file below the output, or an upload of one that is not completed.
struct Found {
    /// Its path in the output.
    name: String,
    object: ObjectMeta,
    upload: Option<OpenUpload>,
}

/// What phase one has found.
pub struct Candidates {
    /// Files that are old and no part of the output.
    files: Vec<Found>,
    /// Old lists and probes of Kiln's own.
    own: Vec<ObjectMeta>,
    report: CleanReport,
}

/// Cleans up below `target`.
///
/// # Errors
/// Config for a table that Kiln cannot read; else by the failing request.
pub fn clean(store: &Store, target: &Path, options: &CleanOptions) -> Result<CleanReport> {
    let candidates = find(store, target, options)?;
    if options.delete {
        return remove(store, target, candidates);
    }
    let Candidates { files, own, report } = candidates;
    Ok(reported(store, report, files, own))
}

/// Phase one. It changes the head if `options` allow to remove.
fn find(store: &Store, target: &Path, options: &CleanOptions) -> Result<Candidates> {
    let head_object = HeadObject::of(store, target)?;
    let (head, _) = head_object.read()?;
    let unfinished_commit = head.state.files.is_some() && !head.state.is_settled;
    let mut report = CleanReport { unfinished_commit, ..CleanReport::default() };
    if options.delete {
        settle(&head_object, store, target)?;
    }
    let grace = TimeDelta::from_std(options.grace).ok();
    let limit = grace
        .and_then(|grace| store_time(store, target).map(|now| now.checked_sub_signed(grace)).transpose());
    let limit = limit.unwrap_or(Ok(DateTime::<Utc>::MIN_UTC))?;
    let found = found_below(store, target)?;
    let is_table = DeltaTable::existing(store, target)?.is_some();
    let is_old = |file: &Found| file.object.last_modified < limit;
    let head = revoke(&head_object, (&found, is_table), &is_old, options.delete, &mut report)?;
    let unnamed = unnamed(store, target, &head, found)?.into_iter();
    let (files, kept): (Vec<_>, Vec<_>) = unnamed.partition(|file| is_old(file) && !is_claimed(&head, file));
    report.kept = kept.len();
    Ok(Candidates { files, own: own_leftovers(store, target, limit)?, report })
}

fn reported(store: &Store, report: CleanReport, files: Vec<Found>, own: Vec<ObjectMeta>) -> CleanReport {
    let (uploads, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.upload.is_some());
    let mut objects: Vec<ObjectMeta> = files.into_iter().map(|file| file.object).chain(own).collect();
    objects.sort_by(|one, other| one.location.cmp(&other.location));
    let leftover =
        |object: ObjectMeta| Leftover { address: store.address(&object.location), bytes: object.size };
    let uploads = uploads.into_iter().map(|upload| store.address(&upload.object.location)).collect();
    CleanReport { leftovers: objects.into_iter().map(leftover).collect(), uploads, ..report }
}

/// Phase one: takes the claims of attempts that have objects, and none that is young. Returns the head without them.
fn revoke(
    head_object: &HeadObject,
    (found, is_table): (&[Found], bool),
    is_old: &dyn Fn(&Found) -> bool,
    is_saved: bool,
    report: &mut CleanReport,
) -> Result<Head> {
    let given_up = |tag: &str| {
        let mut files = found.iter().filter(|file| is_tagged(&file.name, tag)).peekable();
        files.peek().is_some() && files.all(is_old)
    };
    let (head, revoked) = head_object.change(|head| {
        // Whose first version of a table is decided cannot be stopped.
        let begins =
            |claim: &Claim| !is_table && head.first_version().is_some_and(|first| first.claim == *claim);
        let doomed: BTreeSet<String> =
            head.claims().iter().filter(|claim| !begins(claim)).map(tag_of).collect();
        let revoked = head.revoke(|claim| doomed.contains(&tag_of(claim)) && given_up(&tag_of(claim)));
        let done = (head.clone(), revoked);
        Ok(if is_saved && !done.1.is_empty() { Change::Put(done) } else { Change::Keep(done) })
    })?;
    revoked.iter().for_each(|claim| report.revoke(claim));
    failpoint::reached("clean.revoked");
    Ok(head)
}

/// Phase two: removes the candidates that are still no part of the output.
fn remove(store: &Store, target: &Path, candidates: Candidates) -> Result<CleanReport> {
    let Candidates { files, own, report } = candidates;
    keys::remove(store, own.iter().map(|object| object.location.clone()).collect())?;
    if files.is_empty() {
        return Ok(reported(store, report, files, own));
    }
    let list = keys::below(&keys::beside(target, BOOKS)?, &format!("clean/{}.json", uuid::Uuid::new_v4()))?;
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let text = serde_json::json!({ "output": store.address(target), "files": names }).to_string();
    store.wait(store.objects().put(&list, text.into()))?;
    failpoint::reached("clean.listed");
    if let Some(mut table) = DeltaTable::existing(store, target)? {
        table.take_version(&Cancel::default())?;
    }
    let (head, _) = HeadObject::of(store, target)?.read()?;
    let mut doomed = unnamed(store, target, &head, files)?;
    doomed.retain(|file| !is_claimed(&head, file));
    doomed
        .iter()
        .filter_map(|file| file.upload.as_ref())
        .try_for_each(|upload| store.abort_upload(upload))?;
    let objects = doomed.iter().filter(|file| file.upload.is_none());
    keys::remove(store, objects.map(|file| file.object.location.clone()).collect())?;
    keys::remove(store, vec![list])?;
    Ok(reported(store, report, doomed, own))
}

/// Those of `files` that Kiln has written and that neither the head nor the manifest names, nor the log of a table.
fn unnamed(store: &Store, target: &Path, head: &Head, files: Vec<Found>) -> Result<Vec<Found>> {
    let json = keys::get(store, &keys::below(target, MANIFEST)?)?;
    let manifest = json.and_then(|(json, _)| Manifest::parse(&json));
    let log = Log { store: store.clone(), root: target.clone() };
    let of_log = if files.is_empty() { None } else { log.named()? };
    // Without a manifest or a log readers take every file, and so does the next publish, but for those that are known to
    // be left over.
    let is_listed = of_log.is_some() || (manifest.is_some() && head.state.files.is_some());
    let of_head = head.state.files.iter().flatten().map(|file| &file.name).chain(&head.state.replaced);
    let of_manifest = manifest.iter().flat_map(|manifest| &manifest.files).map(|file| &file.name);
    let named: BTreeSet<&String> = of_head.chain(of_manifest).chain(of_log.iter().flatten()).collect();
    let is_left = |file: &Found| {
        let has_any = |tags: &[String]| tags.iter().any(|tag| is_tagged(&file.name, tag));
        let is_ours = has_any(&head.state.unpublished)
            || ((is_listed || file.upload.is_some()) && has_name_of_ours(&file.name));
        is_ours && (file.upload.is_some() || !named.contains(&file.name))
    };
    Ok(files.into_iter().filter(is_left).collect())
}

/// Whether a file belongs to an attempt that may still publish.
fn is_claimed(head: &Head, file: &Found) -> bool {
    head.claims().iter().any(|claim| is_tagged(&file.name, &tag_of(claim)))
}

/// Whether a file is called as publishes call theirs: `part-00000-1f0c2a9b.csv.gz`, `part-00003-1-1f0c2a9b-2.parquet`.
fn has_name_of_ours(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    let mut words = file.split('.').next().unwrap_or_default().split('-');
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_tag = |word: &str| {
        word.len() == TAG_CHARS && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if words.next() != Some("part") || !words.next().is_some_and(is_number) {
        return false;
    }
    match words.collect::<Vec<_>>()[..] {
        [tag] => is_tag(tag),
        [one, other] => is_number(one) && is_tag(other) || is_tag(one) && is_number(other),
        [number, tag, again] => is_number(number) && is_tag(tag) && is_number(again),
        _ => false,
    }
}

/// The objects and open uploads below the output that are no part of another output within it, and not of a log.
fn found_below(store: &Store, target: &Path) -> Result<Vec<Found>> {
    let name_of =
        |path: &Path| Some(path.as_ref().strip_prefix(target.as_ref())?.strip_prefix('/')?.to_owned());
    let objects = keys::list(store, target)?.into_iter();
    let objects =
        objects.filter_map(|object| Some(Found { name: name_of(&object.location)?, object, upload: None }));
    let uploads = open_uploads(store, target)?.into_iter().filter_map(|upload| {
        let (location, last_modified) = (upload.path.clone(), upload.begun);
        let object = ObjectMeta { location, last_modified, size: 0, e_tag: None, version: None };
        Some(Found { name: name_of(&upload.path)?, object, upload: Some(upload) })
    });
    let found: Vec<Found> = objects.chain(uploads).collect();
    let others: BTreeSet<String> = found.iter().filter_map(|file| output_within(&file.name)).collect();
    let is_other = |file: &Found| {
        let mut folders = file.name.match_indices('/').map(|(at, _)| &file.name[..at]);
        folders.any(|folder| folder == DELTA_LOG || others.contains(folder))
    };
    Ok(found.into_iter().filter(|file| !is_other(file)).collect())
}

/// The open uploads below the output; none where the store does not show them.
fn open_uploads(store: &Store, target: &Path) -> Result<Vec<OpenUpload>> {
    match store.open_uploads(target) {
        Err(error) if matches!(error.class(), Class::Auth | Class::Config) => {
            log::warn!("open uploads are not looked for: {error}");
            Ok(Vec::new())
        }
        uploads => Ok(uploads?.unwrap_or_default()),
    }
}

/// The folder of another output that the object `name` shows: by its manifest, its log, its head or its records.
fn output_within(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let at = parts.iter().position(|part| [MANIFEST, DELTA_LOG, BOOKS].contains(part))?;
    let folder = match (parts[at], parts.get(at + 1..)) {
        (BOOKS, Some([_, output, ..])) => {
            let output = output.strip_suffix(".json").unwrap_or(output);
            parts[..at].iter().copied().chain([output]).collect::<Vec<_>>().join("/")
        }
        _ => parts[..at].join("/"),
    };
    (!folder.is_empty()).then_some(folder)
}

/// Lists of earlier cleans that were killed, probes, and signs of life of attempts, if they are old.
fn own_leftovers(store: &Store, target: &Path, limit: DateTime<Utc>) -> Result<Vec<ObjectMeta>> {
    let books = keys::beside(target, BOOKS)?;
    let beside = store.wait(store.objects().list_with_delimiter(Some(&books)))?.objects;
    let probes = beside
        .into_iter()
        .filter(|object| object.location.filename().is_some_and(|name| name.starts_with("probe-")));
    let lists = keys::list(store, &keys::below(&books, "clean")?)?;
    let name = target.filename().unwrap_or_default();
    let signs = keys::list(store, &keys::below(&books, &format!("{SIGNS}/{name}"))?)?;
    Ok(probes.chain(lists).chain(signs).filter(|object| object.last_modified < limit).collect())
}

/// The time by the store's clock.
fn store_time(store: &Store, target: &Path) -> Result<DateTime<Utc>> {
    let key = keys::below(&keys::beside(target, BOOKS)?, &format!("probe-{}", uuid::Uuid::new_v4()))?;
    store.wait(store.objects().put(&key, "what time is it".into()))?;
    let meta = store.wait(store.objects().head(&key));
    keys::remove(store, vec![key])?;
    Ok(meta?.last_modified)
}

#[cfg(test)]
mod tests;
