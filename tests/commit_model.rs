//! A model of the commit to a table: two drivers, a store that loses requests and replies, crashes at any point.
//!
//! The decisions are the engine's own (`engine/src/publish/delta/steps.rs`); the model supplies the log, the network and
//! the crashes, and every order of them is tried. A property that no sabotaged decision can break would prove nothing,
//! so each of the sabotages must break one.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[allow(dead_code)]
#[path = "../engine/src/publish/delta/steps.rs"]
mod steps;

use stateright::{Checker, Model, Property};
use steps::{Change, End, Event, RunEpochs, Step, Verdict, judge};

/// Requests and replies that are lost in one run of the model.
const FAULTS: u8 = 5;

/// The last version that a driver tries.
const MOST_VERSIONS: u64 = 6;

/// What is changed in the decisions, to see that a property notices.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sabotage {
    None,
    /// Every claim may publish.
    NoFence,
    /// An error means that the commit was not made.
    TrustErrors,
    /// After an error the next version is tried, without a look at this one.
    NoLook,
    /// After an error the version is taken for another's.
    TakeForOther,
    /// The files of a commit with an unknown outcome are removed.
    CleanUpUnknown,
}

const SABOTAGES: [Sabotage; 5] = [
    Sabotage::NoFence,
    Sabotage::TrustErrors,
    Sabotage::NoLook,
    Sabotage::TakeForOther,
    Sabotage::CleanUpUnknown,
];

/// Two drivers commit to one table.
#[derive(Clone, Debug)]
struct Commits {
    /// Whether the second driver is another attempt at the run of the first.
    is_retry: bool,
    has_table: bool,
    /// Whether each driver replaces what is there, or appends.
    replaces: [bool; 2],
    sabotage: Sabotage,
}

/// What a version of the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    /// There before the drivers began.
    Seed,
    Claim(usize),
    Publish(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Before it works: a retry fences the older attempt.
    Claiming,
    Publishing,
    /// What it has reported; nothing after a crash.
    Ended(Option<End>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Driver {
    phase: Phase,
    step: Step,
    /// Puts that may still arrive.
    on_the_way: Vec<(u64, Version)>,
    has_removed_files: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    log: Vec<Version>,
    drivers: [Driver; 2],
    faults: u8,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    Good,
    /// It is done, the reply is lost; or the client's own second try finds the object and reports "exists".
    ReplyLost,
    /// It never arrives.
    Lost,
    /// It arrives later, or never.
    Late,
    /// Time is up.
    TimeOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Do(usize, Network),
    Arrive(usize, usize),
    Crash(usize),
}

impl Commits {
    /// The second driver began last, so it has the higher epoch.
    fn epoch(driver: usize) -> u64 {
        driver as u64 + 1
    }

    fn run_of(&self, driver: usize) -> usize {
        if self.is_retry { 0 } else { driver }
    }

    fn verdict(&self, driver: usize, phase: Phase, log: &[Version]) -> Verdict {
        if self.sabotage == Sabotage::NoFence {
            return Verdict::Clear;
        }
        let of_run = |other: &usize| self.run_of(*other) == self.run_of(driver);
        let last = |kind: fn(&Version) -> Option<usize>| {
            log.iter().filter_map(kind).filter(|other| of_run(other)).map(Commits::epoch).next_back()
        };
        let published =
            last(|version| if let Version::Publish(driver) = version { Some(*driver) } else { None });
        let claimed = last(|version| if let Version::Claim(driver) = version { Some(*driver) } else { None });
        let replaces = phase == Phase::Publishing && self.replaces[driver];
        let changes = log.iter().filter_map(|version| match version {
            Version::Publish(other) if replaces => Some(Change::Publish(Commits::epoch(*other))),
            _ => None,
        });
        judge(Commits::epoch(driver), RunEpochs { published, claimed }, changes)
    }

    /// The step after `event`, as the engine or its sabotage takes it.
    fn after(&self, step: Step, event: Event) -> Step {
        let is_unclear = event == Event::Unclear;
        match self.sabotage {
            Sabotage::TrustErrors if is_unclear => Step::End(End::Failed),
            Sabotage::NoLook if is_unclear => match step {
                Step::Put { version, .. } => Step::Put { version: version + 1, in_doubt: false },
                step => step,
            },
            Sabotage::TakeForOther if is_unclear => step.after(event).after(Event::Other),
            _ => step.after(event),
        }
    }

    fn request(&self, state: &mut State, driver: usize, network: Network) -> Event {
        let Driver { phase, step, .. } = state.drivers[driver];
        let body = if phase == Phase::Claiming { Version::Claim(driver) } else { Version::Publish(driver) };
        match (step, network) {
            (_, Network::TimeOut) => Event::OutOfTime,
            (Step::Refresh, Network::Good) => {
                let (next, verdict) = (state.log.len() as u64, self.verdict(driver, phase, &state.log));
                Event::Refreshed { next, verdict }
            }
            (Step::Look { version, .. }, Network::Good) => match state.log.get(version as usize) {
                None => Event::Absent,
                Some(found) if *found == body => Event::Ours,
                Some(_) => Event::Other,
            },
            (Step::Put { version, .. }, Network::Good) => match create(&mut state.log, version, body) {
                true => Event::Created,
                false => Event::Unclear,
            },
            (Step::Put { version, .. }, Network::ReplyLost) => {
                create(&mut state.log, version, body);
                Event::Unclear
            }
            (Step::Put { version, .. }, Network::Late) => {
                state.drivers[driver].on_the_way.push((version, body));
                Event::Unclear
            }
            (Step::Put { .. }, _) => Event::Unclear,
            _ => Event::Unreadable,
        }
    }

    fn step(&self, state: &mut State, driver: usize, network: Network) {
        let event = self.request(state, driver, network);
        let before = state.drivers[driver].step;
        let after = self.after(before, event);
        let driver = &mut state.drivers[driver];
        driver.step = after;
        let Step::End(end) = after else { return };
        match (driver.phase, end) {
            (Phase::Claiming, End::Committed { .. }) => {
                (driver.phase, driver.step) = (Phase::Publishing, Step::Refresh)
            }
            _ => driver.phase = Phase::Ended(Some(end)),
        }
        let is_certain = matches!(end, End::Failed | End::Stopped(_));
        let is_unknown = matches!(end, End::Unknown { .. });
        driver.has_removed_files = is_certain || (is_unknown && self.sabotage == Sabotage::CleanUpUnknown);
    }

    /// The drivers whose files are in the table.
    fn live(&self, log: &[Version]) -> Vec<usize> {
        let mut live = Vec::new();
        for version in log {
            if let Version::Publish(driver) = version {
                if self.replaces[*driver] {
                    live.clear();
                }
                live.push(*driver);
            }
        }
        live
    }

    fn checked(self) -> impl Checker<Commits> {
        self.checker().threads(2).spawn_bfs().join()
    }
}

/// Creates a version if it is not there. A store knows nothing of gaps.
fn create(log: &mut Vec<Version>, version: u64, body: Version) -> bool {
    let is_next = version as usize == log.len();
    if is_next {
        log.push(body);
    }
    is_next
}

impl Model for Commits {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let driver =
            |phase| Driver { phase, step: Step::Refresh, on_the_way: vec![], has_removed_files: false };
        // Without a table there is nothing to claim; the head of the output alone fences then.
        let claims = self.is_retry && self.has_table;
        let second = driver(if claims { Phase::Claiming } else { Phase::Publishing });
        let log = if self.has_table { vec![Version::Seed] } else { Vec::new() };
        vec![State { log, drivers: [driver(Phase::Publishing), second], faults: FAULTS }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, driver) in state.drivers.iter().enumerate() {
            actions.extend((0..driver.on_the_way.len()).map(|put| Action::Arrive(at, put)));
            if matches!(driver.phase, Phase::Ended(_)) {
                continue;
            }
            actions.push(Action::Do(at, Network::Good));
            if state.faults > 0 {
                let bad = [Network::ReplyLost, Network::Lost, Network::Late, Network::TimeOut];
                actions.extend(bad.map(|network| Action::Do(at, network)));
                actions.push(Action::Crash(at));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        match action {
            Action::Do(driver, network) => {
                state.faults -= u8::from(network != Network::Good);
                self.step(&mut state, driver, network);
            }
            Action::Arrive(driver, put) => {
                let (version, body) = state.drivers[driver].on_the_way.remove(put);
                create(&mut state.log, version, body);
            }
            Action::Crash(driver) => {
                state.faults -= 1;
                state.drivers[driver].phase = Phase::Ended(None);
            }
        }
        Some(state)
    }

    /// A sabotaged driver may run away.
    fn within_boundary(&self, state: &State) -> bool {
        let version = |driver: &Driver| match driver.step {
            Step::Put { version, .. } | Step::Look { version, .. } => version,
            _ => 0,
        };
        state.drivers.iter().all(|driver| version(driver) <= MOST_VERSIONS)
    }

    fn properties(&self) -> Vec<Property<Commits>> {
        vec![
            Property::always("a run has one effect at most", |model: &Commits, state: &State| {
                let runs = state.log.iter().filter_map(|version| match version {
                    Version::Publish(driver) => Some(model.run_of(*driver)),
                    _ => None,
                });
                let mut runs: Vec<usize> = runs.collect();
                let all = runs.len();
                runs.sort_unstable();
                runs.dedup();
                runs.len() == all
            }),
            Property::always("the later run is not replaced", |model: &Commits, state: &State| {
                !state.log.contains(&Version::Publish(1)) || model.live(&state.log).contains(&1)
            }),
            Property::always("no live file is removed", |model: &Commits, state: &State| {
                model.live(&state.log).iter().all(|driver| !state.drivers[*driver].has_removed_files)
            }),
            Property::always("what is reported is true", |_: &Commits, state: &State| {
                state.drivers.iter().enumerate().all(|(at, driver)| {
                    let is_there = state.log.contains(&Version::Publish(at));
                    match driver.phase {
                        Phase::Ended(Some(End::Committed { .. })) => is_there,
                        Phase::Ended(Some(End::Failed | End::Stopped(_))) => !is_there,
                        _ => true,
                    }
                })
            }),
            Property::sometimes("both have ended", |_: &Commits, state: &State| {
                state.drivers.iter().all(|driver| matches!(driver.phase, Phase::Ended(Some(_))))
            }),
            Property::sometimes("a reply was lost and the commit found", |_: &Commits, state: &State| {
                state.faults < FAULTS
                    && matches!(state.drivers[0].phase, Phase::Ended(Some(End::Committed { .. })))
            }),
        ]
    }
}

fn every_setting(sabotage: Sabotage) -> impl Iterator<Item = Commits> {
    (0..16).map(move |bits: u8| Commits {
        is_retry: bits & 1 != 0,
        has_table: bits & 2 != 0,
        replaces: [bits & 4 != 0, bits & 8 != 0],
        sabotage,
    })
}

#[test]
fn no_order_of_events_breaks_a_commit() {
    for model in every_setting(Sabotage::None) {
        let checker = model.clone().checked();
        checker.assert_properties();
        eprintln!("{model:?}: {} states", checker.unique_state_count());
        assert!(checker.unique_state_count() > 1000, "{model:?}: {}", checker.unique_state_count());
    }
}

#[test]
fn every_sabotage_breaks_one() {
    for sabotage in SABOTAGES {
        let found = every_setting(sabotage).find_map(|model| {
            let checker = model.checked();
            let always =
                ["a run has one effect at most", "the later run is not replaced", "no live file is removed"];
            let always = always.into_iter().chain(["what is reported is true"]);
            always.into_iter().find(|property| checker.discovery(property).is_some())
        });
        eprintln!("{sabotage:?} breaks: {found:?}");
        assert!(found.is_some(), "{sabotage:?} breaks no property");
    }
}
