//! Progress display while a job runs: bars on a terminal, occasional lines elsewhere.
//!
//! The driver and sources report counts, at any rate and from any thread; this only updates numbers.
//! One thread per job reads the numbers ten times a second and draws them, so that a slow terminal
//! never delays a task. `bars` and `pace` format the numbers, and `numbers` interprets them.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::bars::Bars;
use super::lock;
use super::numbers::{Numbers, StageNumbers};
use super::pace::Pace;
use super::terminal::say;

/// Interval at which the numbers are drawn.
const TICK: Duration = Duration::from_millis(100);

/// A stage in the progress display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageView {
    /// Id of the stage in its job.
    pub id: u32,
    /// Its operators, for example `read_text, flat_map, count`.
    pub label: String,
    /// Number of its tasks.
    pub tasks: u32,
}

/// How progress is displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Progress bars that are redrawn in place.
    Bars,
    /// Lines of `key=value`, for logs.
    Lines,
    /// No display.
    Silent,
}

impl Look {
    /// Bars on a terminal, lines elsewhere, nothing if `NO_PROGRESS` is set.
    fn choose(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> Look {
        if env("NO_PROGRESS").is_some_and(|value| !value.is_empty()) {
            return Look::Silent;
        }
        let can_redraw = is_terminal && env("TERM").is_none_or(|term| term != "dumb");
        if can_redraw { Look::Bars } else { Look::Lines }
    }
}

/// Displays the jobs of one run, one after the other. The display of a job is cleared at its end.
pub struct Progress {
    look: Look,
    shared: Arc<Shared>,
    drawing: Mutex<Option<Drawing>>,
}

#[derive(Default)]
struct Shared {
    numbers: Mutex<Numbers>,
    /// Separate from the other numbers, because sources update it for each batch.
    read_bytes: Arc<AtomicU64>,
}

/// The thread that draws one job. It ends when `stop` is dropped.
struct Drawing {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Chooses the display from the type of standard error and from `NO_PROGRESS`.
    pub fn from_env() -> Progress {
        Progress::new(Look::choose(std::io::stderr().is_terminal(), |name| std::env::var(name).ok()))
    }

    /// Displays nothing, for tests and `--quiet`.
    pub fn silent() -> Progress {
        Progress::new(Look::Silent)
    }

    /// Displays jobs as `look`.
    pub fn new(look: Look) -> Progress {
        Progress { look, shared: Arc::default(), drawing: Mutex::default() }
    }

    /// Starts the display of a job. `total_bytes` is the size of its input, if known.
    pub fn job_started(&self, stages: &[StageView], total_bytes: Option<u64>) {
        self.job_ended();
        let stage = |view: &StageView| StageNumbers {
            id: view.id,
            label: view.label.clone(),
            done: 0,
            total: view.tasks,
        };
        let stages = stages.iter().map(stage).collect();
        *lock(&self.shared.numbers) = Numbers { stages, total_bytes, read_bytes: 0 };
        self.shared.read_bytes.store(0, Ordering::Relaxed);
        *lock(&self.drawing) = start_drawing(self.look, &self.shared);
    }

    /// Reports that `done` of `total` tasks of stage `id` are finished. An unknown stage is ignored.
    pub fn stage_progress(&self, id: u32, done: u32, total: u32) {
        let mut numbers = lock(&self.shared.numbers);
        // A job may have thousands of stages, which are in the order of their ids, starting with 1.
        let expected = (id as usize).saturating_sub(1);
        let is_there = numbers.stages.get(expected).is_some_and(|stage| stage.id == id);
        let at =
            if is_there { Some(expected) } else { numbers.stages.iter().position(|stage| stage.id == id) };
        if let Some(stage) = at.and_then(|at| numbers.stages.get_mut(at)) {
            (stage.done, stage.total) = (done, total);
        }
    }

    /// Reports that sources have read `delta` more bytes.
    pub fn bytes_read(&self, delta: u64) {
        self.shared.read_bytes.fetch_add(delta, Ordering::Relaxed);
    }

    /// The counter that [`bytes_read`](Progress::bytes_read) updates, for sources on other threads.
    pub fn byte_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.read_bytes)
    }

    /// Ends the display of the job and clears it from the screen.
    pub fn job_ended(&self) {
        let drawing = lock(&self.drawing).take();
        if let Some(Drawing { stop, thread }) = drawing {
            drop(stop);
            // Wait for the thread, so that it does not draw over later output.
            let _ = thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.job_ended();
    }
}

impl Shared {
    fn snapshot(&self) -> Numbers {
        let read_bytes = self.read_bytes.load(Ordering::Relaxed);
        Numbers { read_bytes, ..lock(&self.numbers).clone() }
    }
}

/// If the thread cannot be started, the job continues without a display.
fn start_drawing(look: Look, shared: &Arc<Shared>) -> Option<Drawing> {
    let shared = Arc::clone(shared);
    let started = Instant::now();
    let (stop, stopped) = channel::<()>();
    let ticks = move |draw: &mut dyn FnMut(Numbers, Duration)| {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            draw(shared.snapshot(), started.elapsed());
        }
    };
    let thread = Builder::new().name("kiln-progress".to_owned());
    let thread = match look {
        Look::Silent => return None,
        Look::Bars => thread.spawn(move || {
            let mut bars = Bars::default();
            ticks(&mut |numbers, elapsed| bars.draw(&numbers, elapsed));
        }),
        Look::Lines => thread.spawn(move || {
            let mut pace = Pace::default();
            ticks(&mut |numbers, elapsed| pace.line(&numbers, elapsed).iter().for_each(|line| say(line)));
        }),
    };
    Some(Drawing { stop, thread: thread.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_stages() -> [StageView; 2] {
        [("read", 4), ("write", 2)].map(|(label, tasks)| StageView {
            id: tasks,
            label: label.to_owned(),
            tasks,
        })
    }

    #[test]
    fn counts_of_all_threads_meet_in_one_picture() {
        let progress = Progress::silent();
        progress.job_started(&two_stages(), Some(1000));
        progress.stage_progress(4, 3, 4);
        progress.stage_progress(77, 9, 9);
        progress.bytes_read(400);
        progress.bytes_read(200);
        let numbers = progress.shared.snapshot();
        assert_eq!((numbers.tasks(), numbers.read_bytes, numbers.known_bytes()), ((3, 6), 600, Some(1000)));
    }

    #[test]
    fn a_job_of_another_action_begins_at_zero() {
        let progress = Progress::new(Look::Lines);
        progress.job_started(&two_stages(), Some(10));
        progress.bytes_read(10);
        progress.job_started(&two_stages(), Some(10));
        assert_eq!(progress.shared.snapshot().read_bytes, 0);
        progress.job_ended();
        progress.job_ended();
    }

    #[test]
    fn bars_are_for_terminals_and_no_progress_is_silence() {
        let none = |_: &str| None;
        let set = |name: &'static str, value: &'static str| {
            move |asked: &str| (asked == name).then(|| value.to_owned())
        };
        assert_eq!([Look::choose(true, none), Look::choose(false, none)], [Look::Bars, Look::Lines]);
        assert_eq!(Look::choose(true, set("NO_PROGRESS", "1")), Look::Silent);
        assert_eq!(Look::choose(true, set("TERM", "dumb")), Look::Lines);
    }
}
