//! The thread of the driver: passes events and the time to the driver and carries out its actions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kiln_planner::{ExchangeId, Stage, StageId};

use super::backend::{Backend, Launch};
use super::inputs::TaskInputs;
use crate::driver::{Action, Driver, Event, JobId, JobSpec, Limits, Located, TaskInput, TaskReport};
use crate::error::{Error, Result};
use crate::job::Run;

/// The interval of [`Event::Tick`].
const TICK: Duration = Duration::from_secs(1);
/// Debug builds check the driver's state after each of this many first steps, and from then on once in this
/// many.
const AUDITED_STEPS: u64 = 500;

/// Sends events to the driver's thread, from any thread.
#[derive(Clone)]
pub struct Events(Sender<Message>);

impl Events {
    /// Sends an event, which is dropped if the driver has ended.
    pub fn send(&self, event: Event) {
        let _ = self.0.send(Message::Event(event));
    }
}

enum Message {
    Event(Event),
    Submit { spec: JobSpec, stages: Vec<Arc<Stage>>, done: Sender<Result<JobDone>> },
    Reader { inputs: Vec<TaskInput>, reply: Sender<TaskInputs> },
    Quiesce { limit: Duration, done: Sender<()> },
    Stop,
}

/// The result of a job that has succeeded.
#[derive(Debug)]
pub struct JobDone {
    /// The reports of the result stage's tasks, by partition.
    pub reports: Vec<TaskReport>,
    /// Where their output is stored, by partition.
    pub outputs: Vec<Located>,
    /// How many tasks were started beyond the first start of each partition.
    pub retries: u32,
}

/// A submitted job.
pub struct Submission(Receiver<Result<JobDone>>);

impl Submission {
    /// Waits for the end of the job.
    pub fn wait(self) -> Result<JobDone> {
        self.0.recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// A running driver.
pub struct Runtime {
    messages: Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts the driver's thread with the backend returned by `make`.
    ///
    /// # Errors
    /// Those of `make`, and resource when the thread cannot be started.
    pub fn start<B: Backend + 'static>(
        limits: Limits,
        run: Arc<Run>,
        make: impl FnOnce(Events) -> Result<B>,
    ) -> Result<Runtime> {
        let (messages, inbox) = mpsc::channel();
        let backend = make(Events(messages.clone()))?;
        let (driver, jobs, start) = (Driver::new(limits), HashMap::new(), Instant::now());
        let host = Host { driver, backend, run, jobs, start, steps: 0 };
        let thread = std::thread::Builder::new()
            .name("kiln-driver".to_owned())
            .spawn(move || host.run(&inbox))
            .map_err(|e| Error::io("the driver's thread cannot be started", e))?;
        Ok(Runtime { messages, thread: Some(thread) })
    }

    /// Submits a job. Events sent later reach the driver after the job.
    pub fn submit(&self, spec: JobSpec, stages: Vec<Arc<Stage>>) -> Submission {
        let (done, outcome) = mpsc::channel();
        let _ = self.messages.send(Message::Submit { spec, stages, done });
        Submission(outcome)
    }

    /// A handle for sending events to the driver.
    pub fn events(&self) -> Events {
        Events(self.messages.clone())
    }

    /// A reader of finished outputs.
    pub fn reader(&self, inputs: Vec<TaskInput>) -> Result<TaskInputs> {
        let (reply, answer) = mpsc::channel();
        let _ = self.messages.send(Message::Reader { inputs, reply });
        answer.recv().map_err(|_| ended())
    }

    /// Waits until no task is running any more. The backend waits at most `limit`, and this call at most
    /// twice that, because the driver's thread may be busy first.
    pub fn quiesce(&self, limit: Duration) {
        let (done, answer) = mpsc::channel();
        let _ = self.messages.send(Message::Quiesce { limit, done });
        let _ = answer.recv_timeout(limit * 2);
    }
}

fn ended() -> Error {
    Error::bug("the driver has ended")
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Host<B> {
    driver: Driver,
    backend: B,
    run: Arc<Run>,
    jobs: HashMap<JobId, Submitted>,
    start: Instant,
    /// The number of steps so far.
    steps: u64,
}

struct Submitted {
    stages: HashMap<StageId, Arc<Stage>>,
    done: Sender<Result<JobDone>>,
}

impl<B: Backend> Host<B> {
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut next_tick = Instant::now() + TICK;
        loop {
            match inbox.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => self.take(message),
                // A tick is sent only when the queue is empty: a heartbeat that is still queued must not look
                // like silence.
                Err(RecvTimeoutError::Timeout) => {
                    let late = next_tick.elapsed();
                    next_tick = Instant::now() + TICK;
                    // A tick that is a full interval late means that this process itself was stopped: the
                    // messages that the executors sent meanwhile have not been received yet.
                    if late < TICK {
                        self.step(Event::Tick);
                    }
                }
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.step(event),
            Message::Submit { spec, stages, done } => {
                let stages = stages.into_iter().map(|stage| (stage.id, stage)).collect();
                self.jobs.insert(spec.id, Submitted { stages, done });
                self.step(Event::Submit(spec));
            }
            Message::Reader { inputs, reply } => {
                let _ = reply.send(self.backend.reader(inputs));
            }
            Message::Quiesce { limit, done } => {
                self.backend.quiesce(limit);
                let _ = done.send(());
            }
            Message::Stop => {}
        }
    }

    fn step(&mut self, event: Event) {
        for action in self.driver.step(self.start.elapsed(), event) {
            self.act(action);
        }
        self.steps += 1;
        debug_assert!(
            !self.is_audited() || self.driver.check_books().is_ok(),
            "{:?}",
            self.driver.check_books()
        );
    }

    /// A check visits every output, so in a job of thousands of stages checking every step would take too
    /// long.
    fn is_audited(&self) -> bool {
        self.steps < AUDITED_STEPS || self.steps.is_multiple_of(AUDITED_STEPS)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Launch { executor, task, inputs } => {
                let stage = self.jobs.get(&task.job).and_then(|job| job.stages.get(&task.stage));
                if let Some(stage) = stage.cloned() {
                    self.backend.launch(Launch { executor, task, stage, inputs });
                }
            }
            Action::Abort { executor, task } => self.backend.abort(executor, task),
            Action::Forget { executor, exchange } => self.backend.forget(executor, exchange),
            Action::GiveUp { executor, reason } => self.backend.give_up(executor, &reason),
            Action::JobDone { job, reports, outputs, retries } => {
                self.end(job, Ok(JobDone { reports, outputs, retries }));
            }
            Action::JobFailed { job, error, retries } => {
                self.run.add_retries(retries);
                self.end(job, Err(error));
            }
            Action::Counted { counters, accumulated } => {
                self.run.add_counts(&counters);
                self.run.accumulators.merge(&accumulated);
            }
            Action::Notice { job: Some(job), text } => log::warn!("{job}: {text}"),
            Action::Notice { job: None, text } => log::warn!("{text}"),
            Action::Progress { job, stage, done, total } => {
                if self.jobs.contains_key(&job) {
                    self.run.progress.stage_progress(stage.0, done, total);
                }
            }
        }
    }

    fn end(&mut self, job: JobId, outcome: Result<JobDone>) {
        if let Some(job) = self.jobs.remove(&job) {
            let _ = job.done.send(outcome);
        }
    }
}

/// The whole output of a job's result stage, as the input of a reader.
pub(crate) fn whole(exchange: ExchangeId, sources: &[Located]) -> TaskInput {
    TaskInput { exchange, sources: sources.into() }
}
