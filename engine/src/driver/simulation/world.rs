//! The environment of the driver: a clock, and messages in transit.
//!
//! All future events are in one queue ordered by time; what an executor does with its own is in `fakes`.
//! After the last job the simulation goes on for a while, so that late messages arrive when the driver is
//! idle. Then all outputs are released, after which no executor may store anything.

use std::collections::BTreeMap;

use super::super::*;
use super::fakes::Fake;
use super::judge::{Judge, object_if};
use super::weather::{Chance, Weather, jobs};

/// The limits of one simulation: simulated milliseconds and driver steps.
const MAX_MS: u64 = 1_000_000;
const MAX_STEPS: u64 = 50_000;
/// How long the simulation goes on after the last job.
const AFTERMATH_MS: u64 = 15_000;

type Verdict = std::result::Result<(), String>;

/// A scheduled event.
pub(super) enum Fate {
    Tell(Event),
    TaskEnds(ExecutorId, TaskId),
    Beat(ExecutorId),
    Join,
    Tick,
}

/// Statistics of a run.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) jobs: u64,
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) retries: u64,
    pub(super) losses: u64,
    pub(super) given_up: u64,
    pub(super) misses: u64,
    pub(super) duplicates: u64,
    pub(super) late: u64,
    pub(super) steps: u64,
    /// All actions in order, if recording is on.
    pub(super) record: Vec<String>,
}

pub(super) struct World {
    pub(super) chance: Chance,
    pub(super) weather: Weather,
    driver: Driver,
    pub(super) judge: Judge,
    now_ms: u64,
    queue: BTreeMap<(u64, u64), Fate>,
    planned: u64,
    pub(super) executors: BTreeMap<ExecutorId, Fake>,
    next_executor: u32,
    ends_ms: Option<u64>,
    is_recorded: bool,
    pub(super) sum: Summary,
}

impl World {
    /// The simulation of `seed`, whose driver may lack a safety rule.
    pub(super) fn new(seed: u64, missing: Option<super::Guard>) -> World {
        let driver = Driver::new(Limits::default());
        let mut world = World {
            chance: Chance(seed),
            weather: Weather::of(seed),
            driver: missing.into_iter().fold(driver, Driver::without),
            judge: Judge::default(),
            now_ms: 0,
            queue: BTreeMap::new(),
            planned: 0,
            executors: BTreeMap::new(),
            next_executor: 0,
            ends_ms: None,
            is_recorded: false,
            sum: Summary::default(),
        };
        (0..world.chance.between(1, 5)).for_each(|_| world.later(0, Fate::Join));
        world.later(1000, Fate::Tick);
        world.send_jobs();
        world
    }

    fn send_jobs(&mut self) {
        for spec in jobs(&mut self.chance) {
            let (job, start) = (spec.id, self.chance.between(1, 3000));
            self.sum.jobs += 1;
            self.later(start, Fate::Tell(Event::Submit(spec)));
            if self.chance.permille(self.weather.cancel) {
                let after = start + self.chance.between(0, 4000);
                self.later(after, Fate::Tell(Event::Cancel { job, error: Error::cancelled("interrupted") }));
            }
        }
    }

    /// Records all actions, to compare one run with another.
    pub(super) fn recorded(self) -> World {
        World { is_recorded: true, ..self }
    }

    /// Runs the simulation to its end, or to the first violation.
    pub(super) fn run(mut self) -> std::result::Result<Summary, String> {
        while let Some(((at_ms, _), fate)) = self.queue.pop_first() {
            self.now_ms = at_ms;
            if self.ends_ms.is_some_and(|end| at_ms > end) {
                break;
            }
            self.happen(fate).map_err(|text| format!("at {at_ms} ms: {text}"))?;
            let endless = self.now_ms > MAX_MS || self.sum.steps > MAX_STEPS;
            object_if(endless, || format!("no end after {at_ms} ms, {} steps", self.sum.steps))?;
        }
        self.release_all()?;
        self.sum.late = self.judge.late;
        Ok(self.sum)
    }

    fn release_all(&mut self) -> Verdict {
        let stages = self.judge.specs.values().flat_map(|spec| &spec.stages);
        let exchanges: Vec<ExchangeId> = stages.map(|stage| stage.output).collect();
        // An output has at most one reference per job and one `keep`; each exchange is listed once for each
        // job.
        for exchange in [exchanges.clone(), exchanges].concat() {
            self.tell(Event::Release { exchange })?;
        }
        let left = self.executors.values().map(|fake| fake.store.len()).sum::<usize>();
        object_if(left > 0, || format!("{left} outputs are left on executors"))?;
        object_if(self.driver.outputs.iter().count() > 0, || "the driver still knows outputs".to_owned())
    }

    /// Schedules an event; events of the same time happen in the order in which they were scheduled.
    pub(super) fn later(&mut self, in_ms: u64, fate: Fate) {
        self.planned += 1;
        self.queue.insert((self.now_ms + in_ms, self.planned), fate);
    }

    fn happen(&mut self, fate: Fate) -> Verdict {
        match fate {
            Fate::Tell(event) => return self.tell(event),
            Fate::TaskEnds(executor, task) => self.task_ends(executor, task),
            Fate::Beat(executor) => {
                if self.executors.get(&executor).is_some_and(|fake| !fake.is_mute) {
                    self.later(1000, Fate::Beat(executor));
                    return self.tell(Event::Heartbeat { executor });
                }
            }
            Fate::Join => {
                let executor = ExecutorId(self.next_executor);
                self.next_executor += 1;
                self.executors.insert(executor, Fake::default());
                self.later(500, Fate::Beat(executor));
                let slots = self.chance.between(1, 3) as u32;
                return self.tell(Event::ExecutorJoined { executor, slots });
            }
            Fate::Tick => {
                self.later(1000, Fate::Tick);
                return self.tell(Event::Tick);
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) -> Verdict {
        self.sum.steps += 1;
        self.judge.hear(&event)?;
        let actions = self.driver.step(Duration::from_millis(self.now_ms), event);
        for action in actions {
            if self.is_recorded {
                self.sum.record.push(format!("{} {action:?}", self.now_ms));
            }
            self.judge.see(&action)?;
            self.act(action);
        }
        self.judge.after_step()?;
        self.driver.check_books().map_err(|error| format!("the books are wrong: {error}"))?;
        let is_over = self.sum.done + self.sum.failed == self.sum.jobs;
        self.ends_ms = self.ends_ms.or(is_over.then_some(self.now_ms + AFTERMATH_MS));
        Ok(())
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Launch { executor, task, inputs } => {
                let Some(fake) = self.executors.get_mut(&executor) else { return };
                fake.running.insert(task, inputs);
                let takes_ms = self.chance.between(10, 1500);
                self.later(takes_ms, Fate::TaskEnds(executor, task));
            }
            Action::Abort { executor, task } => self.abort(executor, task),
            Action::Forget { executor, exchange } => {
                let Some(fake) = self.executors.get_mut(&executor) else { return };
                fake.store.retain(|(known, ..)| *known != exchange);
            }
            Action::GiveUp { executor, .. } => {
                self.sum.given_up += 1;
                self.executors.remove(&executor);
                self.later(2000, Fate::Join);
            }
            Action::JobDone { retries, .. } => {
                self.sum.done += 1;
                self.sum.retries += u64::from(retries);
            }
            Action::JobFailed { retries, .. } => {
                self.sum.failed += 1;
                self.sum.retries += u64::from(retries);
            }
            Action::Counted { .. } | Action::Notice { .. } | Action::Progress { .. } => {}
        }
    }
}

impl Summary {
    pub(super) fn add(&mut self, one: &Summary) {
        self.jobs += one.jobs;
        self.done += one.done;
        self.failed += one.failed;
        self.retries += one.retries;
        self.losses += one.losses;
        self.given_up += one.given_up;
        self.misses += one.misses;
        self.duplicates += one.duplicates;
        self.late += one.late;
        self.steps += one.steps;
    }
}
