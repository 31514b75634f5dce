//! Progress as log lines: rare enough for a scheduler's log, frequent enough to show that the job is
//! alive.
//!
//! From time to time returns a `key=value` line for the job's numbers and elapsed time. It never
//! contains a carriage return, which log viewers show as garbage. There is no clock here: the caller
//! passes the time.

use std::time::Duration;

use super::numbers::{Numbers, time_left};

/// Minimum time from the start or the previous line to the next one. Shorter jobs print no line.
const APART: Duration = Duration::from_secs(10);
/// Minimum progress for the next line.
const STEP: f64 = 0.05;
/// Time after which a line is printed without progress, to show that the job is alive.
const SILENCE: Duration = Duration::from_secs(60);

/// Time and progress of the previous line.
#[derive(Default)]
pub(super) struct Pace {
    last_at: Duration,
    last_fraction: f64,
}

impl Pace {
    /// The line for `numbers`, if one is due.
    pub(super) fn line(&mut self, numbers: &Numbers, elapsed: Duration) -> Option<String> {
        let since = elapsed.saturating_sub(self.last_at);
        let fraction = numbers.fraction();
        let first = self.last_at.is_zero();
        let moved = first || fraction - self.last_fraction >= STEP;
        if since < APART || !(moved || since >= SILENCE) {
            return None;
        }
        (self.last_at, self.last_fraction) = (elapsed, fraction);
        Some(text(numbers, elapsed))
    }
}

fn text(numbers: &Numbers, elapsed: Duration) -> String {
    let (done, tasks) = numbers.tasks();
    let fraction = numbers.fraction();
    let stages_done = numbers.stages.iter().filter(|stage| stage.is_done()).count();
    let stages = numbers.stages.len();
    let percent = (fraction * 100.0) as u32;
    let seconds = elapsed.as_secs();
    let mut line = format!(
        "progress percent={percent} tasks={done}/{tasks} stages={stages_done}/{stages} elapsed_s={seconds}"
    );
    if numbers.read_bytes > 0 {
        let rate = numbers.read_bytes as f64 / elapsed.as_secs_f64().max(1.0);
        line += &format!(" read_bytes={} bytes_per_s={rate:.0}", numbers.read_bytes);
    }
    if let Some(left) = time_left(fraction, elapsed) {
        line += &format!(" eta_s={}", left.as_secs());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::numbers::StageNumbers;
    use super::*;

    fn numbers(done: u32, read_bytes: u64, total_bytes: Option<u64>) -> Numbers {
        let stage = StageNumbers { id: 0, label: "read".to_owned(), done, total: 100 };
        Numbers { stages: vec![stage], total_bytes, read_bytes }
    }

    fn spoken(steps: &[(u64, u32)]) -> Vec<u64> {
        let mut pace = Pace::default();
        let mut at = |(second, done)| pace.line(&numbers(done, 0, None), Duration::from_secs(second));
        steps.iter().filter(|step| at(**step).is_some()).map(|step| step.0).collect()
    }

    #[test]
    fn a_job_under_ten_seconds_says_nothing() {
        assert_eq!(spoken(&[(1, 10), (5, 50), (9, 99)]), [] as [u64; 0]);
    }

    #[test]
    fn lines_are_ten_seconds_and_five_percent_apart() {
        assert_eq!(spoken(&[(10, 1), (15, 50), (20, 51), (30, 52), (40, 55), (50, 56)]), [10, 20, 50]);
        assert_eq!(spoken(&[(10, 1), (19, 90), (29, 90)]), [10, 29]);
    }

    #[test]
    fn a_job_that_stands_still_shows_life_once_a_minute() {
        assert_eq!(spoken(&[(10, 1), (40, 1), (69, 1), (70, 1), (100, 1), (130, 1)]), [10, 70, 130]);
    }

    #[test]
    fn a_line_is_key_value_pairs_without_carriage_return() {
        let line = text(&numbers(20, 250, Some(1000)), Duration::from_secs(10));
        let expected =
            "progress percent=25 tasks=20/100 stages=0/1 elapsed_s=10 read_bytes=250 bytes_per_s=25 eta_s=30";
        assert_eq!(line, expected);
        assert!(!line.contains(['\r', '\n']));
    }
}
