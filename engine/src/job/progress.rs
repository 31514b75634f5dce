//! What a person sees while a job works: bars on a terminal, now and then a line elsewhere.
//!
//! Counts enter from the driver and from sources, at any rate and on any thread; they only change
//! numbers here. One thread per job looks at the numbers ten times a second and draws, so that a
//! slow terminal never holds up a task. The looks belong to `bars` and `pace`, what the numbers
//! mean to `numbers`; which job runs, and
//! whether it succeeds, is not known here.

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

/// How often the numbers are looked at.
const TICK: Duration = Duration::from_millis(100);

/// One stage as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageView {
    /// The stage's number in its job.
    pub id: u32,
    /// What it does, for example `read_text, flat_map, count`.
    pub label: String,
    /// How many tasks it has.
    pub tasks: u32,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Bars that are redrawn in place.
    Bars,
    /// Lines of `key=value`, for logs.
    Lines,
    /// Not at all.
    Silent,
}

impl Look {
    /// Bars on a terminal, lines elsewhere, silence if `NO_PROGRESS` is set.
    fn choose(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> Look {
        if env("NO_PROGRESS").is_some_and(|value| !value.is_empty()) {
            return Look::Silent;
        }
        let can_redraw = is_terminal && env("TERM").is_none_or(|term| term != "dumb");
        if can_redraw { Look::Bars } else { Look::Lines }
    }
}

/// Shows the jobs of one run, one after the other, each in a block that is cleared at its end.
pub struct Progress {
    look: Look,
    shared: Arc<Shared>,
    drawing: Mutex<Option<Drawing>>,
}

#[derive(Default)]
struct Shared {
    numbers: Mutex<Numbers>,
    /// Apart from the other numbers because sources add to it per batch.
    read_bytes: Arc<AtomicU64>,
}

/// The thread that draws one job; it ends when `stop` is dropped.
struct Drawing {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    /// Bars or lines, as standard error and `NO_PROGRESS` ask for.
    pub fn from_env() -> Progress {
        Progress::new(Look::choose(std::io::stderr().is_terminal(), |name| std::env::var(name).ok()))
    }

    /// Shows nothing; for tests and for `--quiet`.
    pub fn silent() -> Progress {
        Progress::new(Look::Silent)
    }

    /// Shows jobs by `look`.
    pub fn new(look: Look) -> Progress {
        Progress { look, shared: Arc::default(), drawing: Mutex::default() }
    }

    /// Begins a block for a job; `total_bytes` is the length of its input where that is known.
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

    /// Says that `done` of `total` tasks of stage `id` are done; an unknown stage is ignored.
    pub fn stage_progress(&self, id: u32, done: u32, total: u32) {
        let mut numbers = lock(&self.shared.numbers);
        // A job may have thousands of stages; they are in the order of their numbers, from 1.
        let expected = (id as usize).saturating_sub(1);
        let is_there = numbers.stages.get(expected).is_some_and(|stage| stage.id == id);
        let at =
            if is_there { Some(expected) } else { numbers.stages.iter().position(|stage| stage.id == id) };
        if let Some(stage) = at.and_then(|at| numbers.stages.get_mut(at)) {
            (stage.done, stage.total) = (done, total);
        }
    }

    /// Says that sources have read `delta` more bytes of input.
    pub fn bytes_read(&self, delta: u64) {
        self.shared.read_bytes.fetch_add(delta, Ordering::Relaxed);
    }

    /// The counter behind [`bytes_read`](Progress::bytes_read), for sources on other threads.
    pub fn byte_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.shared.read_bytes)
    }

    /// Ends the job's block and clears it from the screen.
    pub fn job_ended(&self) {
        let drawing = lock(&self.drawing).take();
        if let Some(Drawing { stop, thread }) = drawing {
            drop(stop);
            // Joined, so that nothing is drawn over what is printed next.
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

/// Without a thread to spare the job goes on unseen.
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
