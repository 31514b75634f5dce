//! Progress numbers of one job: the fraction done and the time left.
//!
//! They are computed from counts of tasks and bytes. Bytes are preferred, because tasks differ in size,
//! but only sources know their bytes. `bars` and `pace` display the numbers.

use std::time::Duration;

/// The largest fraction that reading alone can reach, because later stages have no bytes to count.
const ALMOST: f64 = 0.99;

/// The progress numbers of one job.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    pub stages: Vec<StageNumbers>,
    pub total_bytes: Option<u64>,
    pub read_bytes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct StageNumbers {
    pub id: u32,
    pub label: String,
    pub done: u32,
    pub total: u32,
}

impl StageNumbers {
    pub(super) fn is_done(&self) -> bool {
        self.done >= self.total
    }
}

impl Numbers {
    /// Number of finished tasks and of all tasks.
    pub(super) fn tasks(&self) -> (u64, u64) {
        let sum = |part: fn(&StageNumbers) -> u32| self.stages.iter().map(|s| u64::from(part(s))).sum();
        (sum(|stage| stage.done.min(stage.total)), sum(|stage| stage.total))
    }

    /// Size of the input, if the source knows it. An empty input does not count as known.
    pub(super) fn known_bytes(&self) -> Option<u64> {
        self.total_bytes.filter(|total| *total > 0)
    }

    /// The fraction done, from 0 to 1. Computed from bytes if the size of the input is known, because
    /// tasks differ in size, else from tasks. It is 1 only when the last task is done.
    pub(super) fn fraction(&self) -> f64 {
        let (done, tasks) = self.tasks();
        if done == tasks {
            return if tasks == 0 { 0.0 } else { 1.0 };
        }
        let part = match self.known_bytes() {
            Some(total) if self.read_bytes > 0 => self.read_bytes as f64 / total as f64,
            _ => done as f64 / tasks as f64,
        };
        part.min(ALMOST)
    }
}

/// Estimated time left at the average pace; `None` before any progress and at the end.
pub(super) fn time_left(fraction: f64, elapsed: Duration) -> Option<Duration> {
    let begun = fraction > 0.0 && fraction < 1.0;
    let seconds = elapsed.as_secs_f64() * (1.0 - fraction) / fraction;
    if begun { Duration::try_from_secs_f64(seconds).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(done: [u32; 2], read_bytes: u64, total_bytes: Option<u64>) -> Numbers {
        let stage = |id: u32, done, total| StageNumbers { id, label: String::new(), done, total };
        Numbers { stages: vec![stage(0, done[0], 4), stage(1, done[1], 2)], total_bytes, read_bytes }
    }

    #[test]
    fn bytes_count_where_the_input_is_known_and_tasks_elsewhere() {
        assert_eq!(numbers([3, 0], 600, Some(1000)).fraction(), 0.6);
        assert_eq!(numbers([3, 0], 600, None).fraction(), 0.5);
        assert_eq!(numbers([3, 0], 0, Some(1000)).fraction(), 0.5);
    }

    #[test]
    fn only_the_last_task_makes_a_job_whole() {
        assert_eq!(numbers([4, 0], 1000, Some(1000)).fraction(), ALMOST);
        assert_eq!(numbers([4, 2], 999, Some(1000)).fraction(), 1.0);
        assert_eq!(Numbers::default().fraction(), 0.0);
    }

    #[test]
    fn time_left_follows_from_the_pace_so_far() {
        let minute = Duration::from_secs(60);
        assert_eq!(time_left(0.75, minute), Some(Duration::from_secs(20)));
        assert_eq!([time_left(0.0, minute), time_left(1.0, minute)], [None, None]);
    }
}
