//! Limits how many connections one process has to one server at a time.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kiln::{Error, Result};

/// While waiting for a connection, how often is checked whether the task is to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// The gates of this process, one for each server; a job knows few servers.
static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// A counting semaphore whose limit is told by whoever enters.
#[derive(Default)]
struct Gate {
    inside: Mutex<usize>,
    left: Condvar,
}

/// The right to one connection; dropped, it lets the next one in.
pub(crate) struct Permit(Arc<Gate>);

/// Waits until fewer than `most` connections to `server` are open in this process.
///
/// # Errors
/// Transient after `limit`; that of `check` when the task is to stop.
pub(crate) fn enter(
    server: &str,
    most: usize,
    limit: Duration,
    check: &dyn Fn() -> Result<()>,
) -> Result<Permit> {
    let gate = Arc::clone(locked(&GATES).entry(server.to_owned()).or_default());
    let end = Instant::now() + limit;
    let mut inside = locked(&gate.inside);
    while *inside >= most.max(1) {
        check()?;
        if Instant::now() >= end {
            return Err(timed_out(server, most, limit));
        }
        inside = gate.left.wait_timeout(inside, CHECK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
    }
    *inside += 1;
    drop(inside);
    Ok(Permit(gate))
}

fn timed_out(server: &str, most: usize, limit: Duration) -> Error {
    Error::transient(format!("no connection to {server} was free for {limit:?}"))
        .reason("connection_limit")
        .help(format!("this process may open {most} connections at a time: raise `max_connections`"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Permit {
    fn drop(&mut self) {
        *locked(&self.0.inside) -= 1;
        self.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn no_more_than_the_limit_are_inside_at_a_time() {
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let permit = enter("server a", 3, LONG, &|| Ok(())).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                });
            }
        });
        assert_eq!(most.into_inner(), 3);
    }

    #[test]
    fn a_wait_has_an_end_and_a_reason() {
        let _permit = enter("server b", 1, LONG, &|| Ok(())).unwrap();
        let error = enter("server b", 1, Duration::from_millis(10), &|| Ok(())).err().unwrap();
        assert_eq!((error.is_retryable(), error.reason_word()), (true, "connection_limit"));
        assert!(enter("server c", 1, Duration::ZERO, &|| Ok(())).is_ok(), "another server has its own limit");
    }
}
