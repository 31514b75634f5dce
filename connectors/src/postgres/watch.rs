//! Watches the server while tasks read: whether it works on their rows, or waits until the network takes them.
//!
//! A server process that cannot send waits in the event `ClientWrite` (PostgreSQL documentation, "Wait Events of Type
//! Client"). The connection that exports the snapshot looks at the processes of the load twice a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use kiln::connect::NetworkShare;
use kiln::{Error, Result};

use super::session::{Session, literal, value};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Looks at the server until it is dropped.
pub(super) struct Watch {
    seen: Arc<Seen>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Server processes of this load, summed up over all looks.
#[derive(Default)]
struct Seen {
    active: AtomicU64,
    cannot_send: AtomicU64,
}

impl Watch {
    /// Watches the processes that are called `tag`, by `session`.
    ///
    /// # Errors
    /// Resource when the thread cannot be started.
    pub(super) fn start(session: Arc<Mutex<Session>>, tag: &str) -> Result<Watch> {
        let (seen, (stop, stopped)) = (Arc::<Seen>::default(), channel());
        let (looks, tag) = (Arc::clone(&seen), literal(tag));
        let thread = Builder::new()
            .name("kiln-postgres-watch".to_owned())
            .spawn(move || watch(&session, &tag, &looks, &stopped))
            .map_err(|e| Error::resource("the thread that watches the server cannot start").because(e))?;
        Ok(Watch { seen, stop: Some(stop), thread: Some(thread) })
    }

    /// Of the looks at processes of this load, the share at which they could not send.
    pub(super) fn network_share(&self) -> NetworkShare {
        let seen = Arc::clone(&self.seen);
        Arc::new(move || {
            let (active, cannot_send) =
                (seen.active.load(Ordering::Relaxed), seen.cannot_send.load(Ordering::Relaxed));
            (active > 0).then(|| cannot_send as f64 / active as f64)
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A look that is under way ends at its next check.
            let _ = thread.join();
        }
    }
}

/// Looks until it is told to stop. A look that fails is the last one.
fn watch(session: &Mutex<Session>, tag: &str, seen: &Seen, stopped: &Receiver<()>) {
    while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        let session = session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = look(&session, tag, seen, stopped) {
            log::debug!("the server's activity cannot be read: {error}");
            return;
        }
    }
}

fn look(session: &Session, tag: &str, seen: &Seen, stopped: &Receiver<()>) -> Result<()> {
    let failed = "the server's activity cannot be read";
    let check = || match stopped.try_recv() {
        Err(TryRecvError::Disconnected) => Err(Error::cancelled("the load has ended")),
        _ => Ok(()),
    };
    // A transaction sees one state of the activities unless it is told to look again.
    session.execute(failed, "SELECT pg_stat_clear_snapshot()", &check)?;
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE wait_event = 'ClientWrite') FROM pg_stat_activity \
         WHERE application_name = {tag} AND state = 'active'"
    );
    for row in session.query(failed, &sql, &check)? {
        let (active, cannot_send): (i64, i64) = (value(&row, 0)?, value(&row, 1)?);
        seen.active.fetch_add(active.unsigned_abs(), Ordering::Relaxed);
        seen.cannot_send.fetch_add(cannot_send.unsigned_abs(), Ordering::Relaxed);
    }
    Ok(())
}
