//! Waits for a server: with a limit, and with a look at whether the task is to stop.

use kiln::Result;

/// What a wait asks, again and again: whether it is to end.
pub(crate) type Check<'c> = &'c dyn Fn() -> Result<()>;

/// Planning runs in the driver before there are tasks that could be told to stop.
pub(crate) fn never() -> Result<()> {
    Ok(())
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) use driven::wait;

/// Waits of clients that tokio drives.
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod driven {
    use std::future::Future;
    use std::time::{Duration, Instant};

    use kiln::{Error, Result};
    use tokio::runtime::Runtime;

    use super::Check;

    /// During a wait, how often is checked whether the task is to stop.
    const CHECK_EVERY: Duration = Duration::from_millis(200);

    /// Drives `work` on this thread until it is done.
    ///
    /// # Errors
    /// That of `check`; transient, with the reason `source_stalled`, after `limit`.
    pub(crate) fn wait<T>(
        runtime: &Runtime,
        check: Check<'_>,
        limit: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let end = Instant::now() + limit;
        runtime.block_on(async {
            let mut work = std::pin::pin!(work);
            loop {
                if let Ok(done) = tokio::time::timeout(CHECK_EVERY, work.as_mut()).await {
                    return done;
                }
                check()?;
                if Instant::now() >= end {
                    let error = Error::transient(format!("the server gave no answer for {limit:?}"));
                    return Err(error
                        .reason("source_stalled")
                        .help("`answer_limit` allows for longer waits"));
                }
            }
        })
    }
}
