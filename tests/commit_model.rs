//! A model of commits to a table: two drivers, a store that loses requests and replies, and crashes at
//! any point. If there is no table yet, the head of the output decides its first version, and another
//! writer may create the table.
//!
//! The decisions are those of the engine (`engine/src/publish/delta/steps.rs`). The model provides the
//! log, the network and the crashes, and tries every order of events. A property that no sabotaged
//! decision violates proves nothing, so each sabotage must violate one.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[allow(dead_code)]
#[path = "../engine/src/publish/delta/steps.rs"]
mod steps;

use stateright::{Checker, Model, Property};
use steps::{Change, End, Event, RunEpochs, Step, Verdict, judge};

/// Number of lost requests and replies in one run of the model.
const FAULTS: u8 = 5;
/// The same without a table at first, where the head adds many more states.
const NEW_TABLE_FAULTS: u8 = 3;

/// The last version that a driver tries.
const MOST_VERSIONS: u64 = 6;

/// A change to the decisions that some property must detect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sabotage {
    None,
    /// Every claim may publish.
    NoFence,
    /// An error is taken to mean that the commit did not happen.
    TrustErrors,
    /// After an error the next version is tried without looking at this one.
    NoLook,
    /// After an error the version is taken for one of another writer.
    TakeForOther,
    /// The files of a commit with an unknown outcome are removed.
    CleanUpUnknown,
    /// The head is not asked.
    NoAsk,
    /// The head is asked only for version 0.
    AskOnce,
    /// A failed commit leaves its decision in the head.
    NoRetract,
}

const SABOTAGES: [Sabotage; 8] = [
    Sabotage::NoFence,
    Sabotage::TrustErrors,
    Sabotage::NoLook,
    Sabotage::TakeForOther,
    Sabotage::CleanUpUnknown,
    Sabotage::NoAsk,
    Sabotage::AskOnce,
    Sabotage::NoRetract,
];

/// Two drivers that commit to one table.
#[derive(Clone, Debug)]
struct Commits {
    /// Whether the second driver is another attempt of the first driver's run.
    is_retry: bool,
    has_table: bool,
    /// Whether each driver replaces the existing rows or appends.
    replaces: [bool; 2],
    sabotage: Sabotage,
    faults: u8,
}

/// The contents of a version of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    /// Of another writer, either from before the drivers started, or of one that does not use the head.
    Seed,
    Claim(usize),
    Publish(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Claims a new table in its head.
    Beginning,
    /// Checks whether the table exists by now.
    Looking,
    /// Puts the first version of another driver, and then starts again or continues.
    CarryingOut(usize, Back),
    /// Before its work, a retry fences the older attempt.
    Claiming,
    Publishing,
    /// Takes its decision back.
    Retracting,
    /// The outcome that it has reported; `None` after a crash.
    Ended(Option<End>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Back {
    Beginning,
    Publishing,
}

/// The part of the output's head that decides the first version. Each change of it is atomic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Head {
    claims: Vec<usize>,
    /// The driver whose first version is decided, and whether another driver may be putting it.
    decided: Option<(usize, bool)>,
    published: Vec<usize>,
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
    head: Head,
    /// Whether the second driver, a retry, has claimed the table in the head before the table existed.
    is_replaced: bool,
    drivers: [Driver; 2],
    faults: u8,
}

/// The fate of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    Good,
    /// It is applied and the reply is lost; or the client's own retry finds the object and reports
    /// "exists".
    ReplyLost,
    /// It never arrives.
    Lost,
    /// It arrives later, or never.
    Late,
    /// The time limit has passed.
    TimeOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Do(usize, Network),
    Arrive(usize, usize),
    Crash(usize),
    /// Another writer creates the table.
    Foreign,
}

impl Commits {
    /// The second driver started last, so it has the higher epoch.
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

    /// The step after `event`, as the engine or its sabotage decides.
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
                Event::Refreshed { next, verdict, asks: !self.has_table }
            }
            (Step::Ask { .. }, _) if phase == Phase::Claiming => Event::Allowed,
            (Step::Ask { version }, Network::Good | Network::ReplyLost) => {
                let event = self.ask(state, driver, version);
                // The driver asks again for what the head has decided.
                if network == Network::Good { event } else { Event::Unreadable }
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

    /// The answer of the head to a driver that asks for a version.
    fn ask(&self, state: &mut State, driver: usize, version: u64) -> Event {
        let head = &mut state.head;
        let is_decided = head.decided.is_some_and(|(decided, _)| decided == driver);
        let is_first = version == 0 && (is_decided || head.published.contains(&driver));
        let is_unasked =
            self.sabotage == Sabotage::NoAsk || (self.sabotage == Sabotage::AskOnce && version > 0);
        if is_first || is_unasked {
            return Event::Allowed;
        }
        let is_fenced = self.is_retry
            && (head.published.contains(&(1 - driver)) || (driver == 0 && head.claims.contains(&1)));
        if is_fenced && self.sabotage != Sabotage::NoFence {
            state.drivers[driver].phase = Phase::Ended(Some(End::Stopped(Verdict::NewerAttempt)));
            state.drivers[driver].has_removed_files = true;
            return Event::Unreadable;
        }
        match &mut head.decided {
            _ if version > 0 => Event::Allowed,
            Some((other, is_taken)) => {
                *is_taken = true;
                state.drivers[driver].phase = Phase::CarryingOut(*other, Back::Publishing);
                Event::Other
            }
            None => {
                head.decided = Some((driver, false));
                Event::Allowed
            }
        }
    }

    /// A step of a driver outside of the commit.
    fn step_beside(&self, state: &mut State, driver: usize, network: Network) {
        let (phase, is_done) = (state.drivers[driver].phase, network == Network::Good);
        let next = match (phase, &mut state.head.decided) {
            (_, _) if network == Network::TimeOut => match phase {
                Phase::Retracting => Phase::Ended(Some(End::Unknown { version: 0 })),
                _ => Phase::Ended(Some(End::Failed)),
            },
            (_, _) if !matches!(network, Network::Good | Network::ReplyLost | Network::Late) => phase,
            (Phase::CarryingOut(other, _), _) if network == Network::Late => {
                state.drivers[driver].on_the_way.push((0, Version::Publish(other)));
                phase
            }
            (_, _) if network == Network::Late => phase,
            (Phase::Beginning, Some((other, is_taken))) => {
                *is_taken = true;
                Phase::CarryingOut(*other, Back::Beginning)
            }
            (Phase::Beginning, None) => {
                state.head.claims.push(driver);
                state.is_replaced |= self.is_retry && state.log.is_empty();
                if is_done { Phase::Looking } else { phase }
            }
            (Phase::Looking, _) if self.is_retry && !state.log.is_empty() => Phase::Claiming,
            (Phase::Looking, _) => Phase::Publishing,
            (Phase::CarryingOut(other, back), _) => {
                create(&mut state.log, 0, Version::Publish(other));
                if !is_done {
                    return;
                }
                if state.log[0] == Version::Publish(other) {
                    state.head.published.push(other);
                }
                state.head.decided.take_if(|(decided, _)| *decided == other);
                if back == Back::Beginning { Phase::Beginning } else { Phase::Publishing }
            }
            (Phase::Retracting, decided) => {
                let is_taken = decided.is_some_and(|(decided, is_taken)| decided == driver && is_taken);
                if is_taken || state.head.published.contains(&driver) {
                    Phase::Ended(Some(End::Unknown { version: 0 }))
                } else {
                    decided.take_if(|(decided, _)| *decided == driver);
                    state.drivers[driver].has_removed_files = true;
                    Phase::Ended(Some(End::Failed))
                }
            }
            _ => phase,
        };
        state.drivers[driver].phase = next;
    }

    fn step(&self, state: &mut State, driver: usize, network: Network) {
        if !matches!(state.drivers[driver].phase, Phase::Claiming | Phase::Publishing) {
            return self.step_beside(state, driver, network);
        }
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
            (Phase::Publishing, End::Failed) if !self.has_table && self.sabotage != Sabotage::NoRetract => {
                driver.phase = Phase::Retracting;
                return;
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

/// Creates a version if it does not exist. A store does not know about gaps.
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
        // Without a table there is nothing to claim in its log.
        let second = driver(match (self.has_table, self.is_retry) {
            (false, _) => Phase::Beginning,
            (true, true) => Phase::Claiming,
            (true, false) => Phase::Publishing,
        });
        let log = if self.has_table { vec![Version::Seed] } else { Vec::new() };
        let head = Head { claims: vec![0], ..Head::default() };
        let drivers = [driver(Phase::Publishing), second];
        vec![State { log, head, is_replaced: false, drivers, faults: self.faults }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.log.is_empty() && state.faults > 0 {
            actions.push(Action::Foreign);
        }
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
            Action::Foreign => {
                state.faults -= 1;
                create(&mut state.log, 0, Version::Seed);
            }
            Action::Crash(driver) => {
                state.faults -= 1;
                state.drivers[driver].phase = Phase::Ended(None);
            }
        }
        Some(state)
    }

    /// Bounds the states of a sabotaged driver, which may never stop.
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
            Property::always("a replaced attempt does not publish", |_: &Commits, state: &State| {
                let at = |version| state.log.iter().position(|found| *found == version);
                let is_late = at(Version::Claim(1)).zip(at(Version::Publish(0)));
                let is_replaced = state.is_replaced && state.log.contains(&Version::Publish(0));
                !is_replaced && is_late.is_none_or(|(claim, publish)| publish < claim)
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
            Property::sometimes("a reply was lost and the commit found", |model: &Commits, state: &State| {
                state.faults < model.faults
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
        faults: if bits & 2 != 0 { FAULTS } else { NEW_TABLE_FAULTS },
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
#[ignore = "slow"]
fn no_order_of_more_events_breaks_the_first_commit() {
    for model in every_setting(Sabotage::None).filter(|model| !model.has_table) {
        Commits { faults: FAULTS, ..model }.checked().assert_properties();
    }
}

#[test]
fn every_sabotage_breaks_one() {
    for sabotage in SABOTAGES {
        let found = every_setting(sabotage).find_map(|model| {
            let checker = model.checked();
            let always = [
                "a run has one effect at most",
                "the later run is not replaced",
                "a replaced attempt does not publish",
                "no live file is removed",
                "what is reported is true",
            ];
            always.into_iter().find(|property| checker.discovery(property).is_some())
        });
        eprintln!("{sabotage:?} breaks: {found:?}");
        assert!(found.is_some(), "{sabotage:?} breaks no property");
    }
}
