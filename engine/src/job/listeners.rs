//! Listeners for the result of a run, such as the ledger of an output.
//!
//! Listeners run on a separate thread, because they may wait for an object store. The end of the job
//! waits for them only for a limited time.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::Builder;
use std::time::Duration;

use super::lock;
use super::run::Run;

/// A callback that receives the result JSON once.
pub type Listener = Box<dyn FnOnce(&str) + Send>;

/// The listeners of one run.
#[derive(Default)]
pub(super) struct Listeners(Mutex<Vec<Listener>>);

/// Listeners that are running.
pub(super) struct Announced(Option<Receiver<()>>);

impl Run {
    /// Registers `listener` for the result JSON, which it receives after the job's own result files are
    /// written.
    ///
    /// A listener may take a few seconds, but a run that is ended by a signal waits only some
    /// milliseconds for it.
    pub fn on_result(&self, listener: Listener) {
        lock(&self.listeners.0).push(listener);
    }

    /// Starts the listeners with the result.
    pub(super) fn announce(&self, json: &str) -> Announced {
        let listeners = std::mem::take(&mut *lock(&self.listeners.0));
        if listeners.is_empty() {
            return Announced(None);
        }
        let (json, (done, wait)) = (json.to_owned(), channel());
        let work = move || {
            listeners.into_iter().for_each(|listener| listener(&json));
            let _ = done.send(());
        };
        let started = Builder::new().name("kiln-record".to_owned()).spawn(work);
        Announced(started.is_ok().then_some(wait))
    }
}

impl Announced {
    /// Waits at most `limit` for the listeners to finish; returns whether they did.
    pub(super) fn wait(self, limit: Duration) -> bool {
        self.0.is_none_or(|done| done.recv_timeout(limit) != Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::progress::Progress;
    use super::*;

    #[test]
    fn a_listener_gets_the_result_once_and_a_slow_one_is_left_behind() {
        let run = Run::new("r", Progress::silent());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&heard);
        run.on_result(Box::new(move |json| to.lock().unwrap().push(json.to_owned())));
        assert!(run.announce("one").wait(Duration::from_secs(5)));
        assert!(run.announce("two").wait(Duration::ZERO));
        assert_eq!(*heard.lock().unwrap(), ["one"]);
        run.on_result(Box::new(|_| std::thread::sleep(Duration::from_secs(5))));
        assert!(!run.announce("three").wait(Duration::from_millis(10)));
    }
}
