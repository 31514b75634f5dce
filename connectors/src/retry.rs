//! Retries with exponential back-off and jitter, for requests that a connector may repeat by itself.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use kiln::{Class, Error, Result};
use serde::{Deserialize, Serialize};

/// How often a request is tried, unless set.
const TRIES: u32 = 7;
/// The pause after the first failed try, unless set.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// By how much each pause is longer than the one before, unless set.
const FACTOR: f32 = 2.0;
/// No pause is longer than this, unless set.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// During a pause, how often is checked whether the task is to stop.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// How often a request is tried, and how long the pauses between tries are.
///
/// Only errors of class transient are retried. Each pause is lengthened by a random part of itself (jitter), so that
/// tasks that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries in all, the first one included; 1 never retries.
    pub tries: u32,
    /// The pause after the first failed try.
    pub first_pause: Duration,
    /// By how much each pause is longer than the one before.
    pub factor: f32,
    /// The longest pause, before jitter.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { tries: TRIES, first_pause: FIRST_PAUSE, factor: FACTOR, longest_pause: LONGEST_PAUSE }
    }
}

impl Retry {
    /// Every request is made once.
    pub fn never() -> Retry {
        Retry { tries: 1, ..Retry::default() }
    }

    /// Runs `request` until it succeeds, fails with an error that is not transient, or the tries are used up.
    ///
    /// `check` is called before each try and during pauses; its error ends the loop. What is tried stands in the log by
    /// the name `what`.
    ///
    /// # Errors
    /// The last error of the request, with the number of tries if there were several.
    pub(crate) fn run<T>(
        &self,
        what: &str,
        check: &dyn Fn() -> Result<()>,
        mut request: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let mut pauses = self.pauses();
        let mut tries = 1;
        loop {
            check()?;
            let error = match request() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let pause = if error.class() == Class::Transient { pauses.next() } else { None };
            let Some(pause) = pause else { return Err(counted(error, tries)) };
            log::warn!("{what} failed (try {tries} of {}), next try in {pause:.1?}: {error}", self.tries);
            sleep(pause, check)?;
            tries += 1;
        }
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let retries = self.tries.saturating_sub(1) as usize;
        let builder = ExponentialBuilder::new()
            .with_min_delay(self.first_pause)
            .with_factor(self.factor.max(1.0))
            .with_max_delay(self.longest_pause)
            .with_max_times(retries)
            .with_jitter();
        builder.build()
    }
}

/// A server that could not be reached by all tries is unavailable: whoever tries again later decides when.
pub(crate) fn unreachable(error: Error) -> Error {
    if error.class() != Class::Transient || error.reason_word() != "cannot_connect" {
        return error;
    }
    Error::unavailable(error.to_string()).reason("cannot_connect")
}

fn counted(error: Error, tries: u32) -> Error {
    if tries == 1 { error } else { error.at("try", tries) }
}

fn sleep(pause: Duration, check: &dyn Fn() -> Result<()>) -> Result<()> {
    let end = Instant::now() + pause;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        check()?;
        std::thread::sleep(left.min(CHECK_EVERY));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick(tries: u32) -> Retry {
        Retry { tries, first_pause: Duration::from_millis(1), ..Retry::default() }
    }

    #[test]
    fn a_transient_error_is_retried_until_the_tries_are_used_up() {
        let mut made = 0;
        let failed: Result<()> = quick(3).run("a request", &|| Ok(()), || {
            made += 1;
            Err(Error::transient("busy"))
        });
        assert_eq!((made, failed.unwrap_err().to_string()), (3, "busy, at try 3".to_owned()));
    }

    #[test]
    fn a_retry_that_succeeds_gives_its_value() {
        let mut made = 0;
        let given = quick(7).run("a request", &|| Ok(()), || {
            made += 1;
            if made < 3 { Err(Error::transient("busy")) } else { Ok(made) }
        });
        assert_eq!(given.unwrap(), 3);
    }

    #[test]
    fn other_classes_are_not_retried() {
        for error in [Error::auth("no"), Error::config("no"), Error::data("no"), Error::unavailable("no")] {
            let mut made = 0;
            let failed: Result<()> = quick(7).run("a request", &|| Ok(()), || {
                made += 1;
                Err(error.clone())
            });
            assert_eq!((made, failed.unwrap_err().class()), (1, error.class()));
        }
    }

    #[test]
    fn a_task_that_is_to_stop_ends_its_pause() {
        let retry = Retry {
            first_pause: Duration::from_secs(3600),
            longest_pause: Duration::from_secs(3600),
            ..quick(7)
        };
        let checks = std::cell::Cell::new(0);
        let check = || {
            checks.set(checks.get() + 1);
            if checks.get() > 1 { Err(Error::cancelled("stop")) } else { Ok(()) }
        };
        let failed: Result<()> = retry.run("a request", &check, || Err(Error::transient("busy")));
        assert_eq!(failed.unwrap_err().class(), Class::Cancelled);
    }

    #[test]
    fn the_default_pauses_grow_by_two_from_one_second() {
        let pauses: Vec<Duration> = Retry::default().pauses().collect();
        assert_eq!(pauses.len(), 6);
        for (pause, seconds) in pauses.iter().zip([1, 2, 4, 8, 16, 32]) {
            let least = Duration::from_secs(seconds);
            assert!((least..least * 2 + Duration::from_millis(1)).contains(pause), "{pause:?}");
        }
    }
}
