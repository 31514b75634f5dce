//! Blocks a plain thread on a future.
//!
//! Slots and the user's own thread wait for sockets that a runtime on other threads drives. The blocking
//! calls of tokio and futures panic on a thread that already runs such a call, and a job may well call an
//! action from inside its own runtime.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks the thread until `future` is ready and returns its value.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_sleeps_until_another_wakes_it() {
        let (tx, rx) = tokio::sync::oneshot::channel();
        let other = std::thread::spawn(move || tx.send(7));
        assert_eq!(wait(rx), Ok(7));
        other.join().unwrap().unwrap();
    }

    #[test]
    fn waiting_inside_a_runtime_does_not_panic() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { wait(async { 7 }) }), 7);
    }
}
