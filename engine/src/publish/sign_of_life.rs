//! Whether another attempt of a run is alive, where no lock of a file system shows it: in stores, and of tables.
//!
//! An attempt that is told to mind others (`KILN_IF_RUNNING=wait` or `skip`) shows that it lives by an object that it
//! changes every [`BEAT`]. Who asks looks whether the object changes, for [`SILENCE`] by its own clock; times of two
//! machines are never compared. The answer decides only whether somebody waits: an attempt that is taken for dead and
//! lives is fenced by the head, as any older attempt is.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::head::{Claim, Publisher};
use super::objects::keys;
use crate::error::{Error, Result};
use crate::job::{IfRunning, Run};
use crate::source::{BOOKS, Store};

/// The folder in `_kiln/` with an object for each attempt that shows that it lives.
pub const SIGNS: &str = "alive";
/// How often an attempt changes its object.
const BEAT: Duration = Duration::from_secs(2);
/// An object that does not change for so long is that of a dead attempt: five changes are missing.
const SILENCE: Duration = Duration::from_secs(10);
/// How often the object is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long the end of an attempt waits for the removal of its object.
const END_LIMIT: Duration = Duration::from_secs(1);

/// Shows, until it is dropped, that an attempt lives.
pub struct SignOfLife {
    stop: Option<Sender<()>>,
    ended: Receiver<()>,
}

impl SignOfLife {
    /// The sign of `publisher`, from before its claim on; none for an attempt that does not mind others.
    pub fn of(store: &Store, target: &Path, publisher: &Publisher, run: &Run) -> Result<Option<SignOfLife>> {
        if !publisher.identity.is_given || run.options().if_running == IfRunning::Replace {
            return Ok(None);
        }
        let (store, key) = (store.clone(), key_of(target, &publisher.publish)?);
        beat(&store, &key, 0)?;
        let ((stop, stopped), (end, ended)) = (channel(), channel());
        let show = move || {
            let mut count = 1;
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = beat(&store, &key, count) {
                    log::debug!("an attempt cannot show that it is alive: {error}");
                }
                count += 1;
            }
            if let Err(error) = keys::remove(&store, vec![key]) {
                log::debug!("the sign of an attempt stays: {error}");
            }
            drop(end);
        };
        let thread = std::thread::Builder::new().name("kiln-alive".to_owned()).spawn(show);
        thread.map_err(|e| Error::io("cannot start a thread", e))?;
        Ok(Some(SignOfLife { stop: Some(stop), ended }))
    }
}

impl Drop for SignOfLife {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.ended.recv_timeout(END_LIMIT);
    }
}

/// Waits, as the caller of the job wishes, while another attempt of the run is alive; `false` to give way to it.
/// `rival` reads the claim of that attempt.
///
/// # Errors
/// Transient, `attempt_running`, when it is still alive after the run's `wait_limit`; cancelled; else by the failing request.
pub fn wait_for_rival(
    store: &Store,
    target: &Path,
    run: &Run,
    rival: impl Fn() -> Result<Option<Claim>>,
) -> Result<bool> {
    let (wish, begun) = (run.options().if_running, Instant::now());
    if wish == IfRunning::Replace {
        return Ok(true);
    }
    let mut has_told = false;
    loop {
        let Some(rival) = rival()? else { return Ok(true) };
        if !is_alive(store, &key_of(target, &rival.publish)?, run)? {
            return Ok(true);
        }
        if wish == IfRunning::Skip {
            return Ok(false);
        }
        if begun.elapsed() > run.options().wait_limit {
            let error = Error::transient("another attempt of this run is still under way");
            return Err(error.reason("attempt_running"));
        }
        if !has_told {
            log::warn!("waiting for attempt {} of this run to end", rival.attempt);
            has_told = true;
        }
    }
}

/// Whether the object `key` changes within [`SILENCE`].
fn is_alive(store: &Store, key: &Path, run: &Run) -> Result<bool> {
    let look = || keys::get(store, key).map(|found| found.map(|(bytes, _)| bytes));
    let Some(first) = look()? else { return Ok(false) };
    let begun = Instant::now();
    while begun.elapsed() < SILENCE {
        if run.cancel.is_requested() {
            return Err(Error::job_stopped());
        }
        std::thread::sleep(LOOK);
        match look()? {
            Some(now) if now == first => {}
            // It has ended when its object is gone.
            now => return Ok(now.is_some()),
        }
    }
    Ok(false)
}

fn beat(store: &Store, key: &Path, count: u64) -> Result<()> {
    let put = store.objects().put(key, count.to_string().into());
    store.wait(put).map(drop).map_err(|e| Error::from(e).at("object", store.address(key)))
}

fn key_of(target: &Path, publish: &str) -> Result<Path> {
    let name = target.filename().unwrap_or_default();
    keys::below(&keys::beside(target, BOOKS)?, &format!("{SIGNS}/{name}/{publish}"))
}

#[cfg(test)]
#[allow(clippy::field_reassign_with_default, reason = "not all fields are public")]
mod tests {
    use super::*;
    use crate::job::{Identity, Progress, RunOptions};
    use crate::source::Location;

    #[test]
    fn an_attempt_is_alive_while_its_object_changes_and_no_longer() {
        let Location { store, path, .. } = Location::exact("memory:///signs/rows").unwrap();
        let identity = Identity { run_id: "nightly".to_owned(), attempt: Some(1), is_given: true };
        let mut options = RunOptions::default();
        options.if_running = IfRunning::Skip;
        let run = Run::with_options(identity.clone(), options, Progress::silent());
        let publisher = Publisher { identity, sequence: 0, publish: "p".to_owned() };
        let key = key_of(&path, "p").unwrap();
        assert!(!is_alive(&store, &key, &run).unwrap(), "there is no object");
        let sign = SignOfLife::of(&store, &path, &publisher, &run).unwrap();
        assert!(is_alive(&store, &key, &run).unwrap());
        drop(sign);
        assert!(keys::get(&store, &key).unwrap().is_none(), "it is removed at the end");
        beat(&store, &key, 7).unwrap();
        assert!(!is_alive(&store, &key, &run).unwrap(), "that of a killed attempt does not change");
    }

    #[test]
    fn an_attempt_that_does_not_mind_others_shows_nothing() {
        let Location { store, path, .. } = Location::exact("memory:///signs/none").unwrap();
        let identity = Identity { run_id: "nightly".to_owned(), attempt: Some(1), is_given: true };
        let run = Run::with_identity(identity.clone(), Progress::silent());
        let publisher = Publisher { identity, sequence: 0, publish: "q".to_owned() };
        assert!(SignOfLife::of(&store, &path, &publisher, &run).unwrap().is_none());
        assert!(keys::get(&store, &key_of(&path, "q").unwrap()).unwrap().is_none());
    }
}
