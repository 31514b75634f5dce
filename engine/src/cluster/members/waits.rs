//! Waits for members: until all have attached, or until none is running a task.
//!
//! Each wait has a time limit and ends as soon as the state of the members gives the answer.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{Member, Members, Standing, State};
use crate::error::{Error, Result};

/// What a user can do when an executor does not start.
const ADVICE: &str = "an executor is this program, started again: its own words stand on standard error; \
                      it must come to `#[kiln::main]`, or to `kiln::executor_main`, before anything else";

impl Members {
    /// Waits until every attached member has answered the quiesce request `number`.
    pub(in crate::cluster) fn wait_quiet(&self, number: u64, limit: Duration) {
        self.wait(limit, |state| {
            let mut attached = state.members.values().filter_map(Member::attached);
            attached.all(|member| member.last_quiet >= number).then_some(())
        });
    }

    /// Waits until all expected members have attached.
    ///
    /// # Errors
    /// As soon as one of them is lost, or when `limit` has passed.
    pub(in crate::cluster) fn wait_attached(&self, limit: Duration) -> Result<()> {
        let outcome = self.wait(limit, |state| {
            let lost = state.members.iter().find_map(|(id, member)| match &member.standing {
                Standing::Lost(reason) => Some(reason.clone().at("executor", id.0).help(ADVICE)),
                Standing::Starting | Standing::Attached(_) => None,
            });
            let all = || state.members.values().all(|member| member.attached().is_some());
            lost.map(Err).or_else(|| all().then_some(Ok(())))
        });
        outcome.unwrap_or_else(|| {
            let text = format!("executors have not joined within {} s", limit.as_secs_f64());
            Err(Error::transient(text).help("is the machine overloaded?"))
        })
    }

    /// Waits until `answer` returns a value, at most `limit`.
    fn wait<T>(&self, limit: Duration, answer: impl Fn(&State) -> Option<T>) -> Option<T> {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(answer) = answer(&state) {
                return Some(answer);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
