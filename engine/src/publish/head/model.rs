//! A model of commits in an object store, searched in full: the rules are the head's own, the store is made up.
//!
//! Two attempts of one run and one of another publish to one output. Every request can lose its reply, fail, or land after
//! its client has given it up, and every driver can be killed and run again, each as often as the budget allows. A
//! sabotaged model, in which one protection is missing, must break a promise: so the search can find such faults.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::*;

/// A file by the publish that has made it.
type Files = BTreeSet<u8>;

/// A protection that is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sabotage {
    None,
    NoFence,
    NoReadBack,
    DeleteOnUnknown,
    ManifestWithoutCondition,
    PutWithoutCondition,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stored {
    files: Files,
    replaced: Files,
    is_settled: bool,
}

/// The head with what its store calls its version.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Record {
    tag: u32,
    head: Head<Stored>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Manifest {
    tag: u32,
    version: u64,
    files: Files,
}

/// A PUT on the condition that the object has the tag `on`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "few of them exist at a time")]
enum Put {
    Head { on: u32, head: Head<Stored> },
    Manifest { on: u32, version: u64, files: Files },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ended {
    Published,
    Fenced,
    Unknown,
}

/// What a driver does next.
#[derive(Clone, Debug, PartialEq)]
enum Next {
    Begin,
    Upload,
    ReadHead,
    Commit(Put),
    Resolve(Put),
    ReadManifest,
    /// With what is removed after it.
    PutManifest(Put, Files),
    Remove(u64, Files),
    Settle(u64),
    End(Ended),
}

#[derive(Clone, Debug, PartialEq)]
struct Driver {
    run: &'static str,
    attempt: u32,
    publish: u8,
    claim: Option<Claim>,
    next: Next,
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    record: Record,
    manifest: Manifest,
    objects: Files,
    drivers: Vec<Driver>,
    in_flight: Vec<Put>,
    faults: u8,
    crashes: u8,
    /// The files of every version that was ever committed, and who committed it.
    history: BTreeMap<u64, (String, Files)>,
    /// Publishes that took the place of a version that they had not read.
    is_lost: bool,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        format!("{self:?}").hash(hasher);
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// The next request of a driver is answered.
    Step(usize),
    /// It is applied, and its reply is lost.
    LoseReply(usize),
    /// It is not applied.
    Fail(usize),
    /// It is applied later.
    Delay(usize),
    Land(usize),
    Kill(usize),
    GiveUp(usize),
}

struct Commits {
    sabotage: Sabotage,
    /// Whether the first run and the other one replace what is there.
    replaces: [bool; 2],
    faults: u8,
    crashes: u8,
}

impl Commits {
    /// Applies a PUT whose condition holds; returns whether it does.
    fn apply(&self, state: &mut State, put: &Put) -> bool {
        match put {
            Put::Head { on, head } => {
                let holds = state.record.tag == *on;
                if !holds && self.sabotage != Sabotage::PutWithoutCondition {
                    return false;
                }
                state.is_lost |= !holds;
                state.record = Record { tag: state.record.tag + 1, head: head.clone() };
                if let Some(last) = head.publishes.last() {
                    let committed = (last.claim.publish.clone(), head.state.files.clone());
                    state.history.entry(head.version).or_insert(committed);
                }
                true
            }
            Put::Manifest { on, version, files } => {
                let holds = state.manifest.tag == *on;
                if holds || self.sabotage == Sabotage::ManifestWithoutCondition {
                    let tag = state.manifest.tag + 1;
                    state.manifest = Manifest { tag, version: *version, files: files.clone() };
                }
                holds
            }
        }
    }

    /// The PUT that commits, by the head that was read.
    fn plan(&self, state: &State, driver: &Driver, claim: &Claim) -> Result<Put> {
        let Record { tag, mut head } = state.record.clone();
        let replaces = self.replaces[usize::from(driver.run == "other")];
        let scope = if replaces { Scope::whole() } else { Scope::of(BTreeSet::new(), false) };
        let scope = Scope { partitions: None, ..scope };
        if self.sabotage != Sabotage::NoFence {
            head.check(claim, &scope)?;
        }
        if scope.replaces {
            let old = std::mem::take(&mut head.state.files);
            head.state.replaced.extend(old);
        }
        head.state.files.insert(driver.publish);
        head.state.is_settled = false;
        head.publish(claim, scope, Output::default(), BTreeMap::new());
        head.nonce = format!("{}", driver.publish);
        Ok(Put::Head { on: tag, head })
    }

    /// Whether an earlier PUT of the driver has landed after all.
    fn is_published(&self, state: &State, driver: &Driver) -> bool {
        self.sabotage != Sabotage::NoReadBack
            && state.record.head.published_as(&driver.publish.to_string()).is_some()
    }

    /// The state after a request of the driver `at`, which was applied, and whose reply came.
    fn step(&self, state: &mut State, at: usize) {
        let driver = state.drivers[at].clone();
        let next = match driver.next.clone() {
            Next::Begin => {
                let identity =
                    Identity { run_id: driver.run.to_owned(), attempt: Some(driver.attempt), is_given: true };
                let publisher = Publisher { identity, sequence: 0, publish: driver.publish.to_string() };
                match state.record.head.begin(&publisher) {
                    Err(_) => Next::End(Ended::Fenced),
                    // What an earlier attempt has decided is settled by this one before it ends.
                    Ok(Begun::Published(_)) => Next::ReadManifest,
                    Ok(Begun::Claimed(claim)) => {
                        state.record.head.nonce = format!("claim {}", driver.publish);
                        state.record.tag += 1;
                        state.drivers[at].claim = Some(claim);
                        Next::Upload
                    }
                }
            }
            Next::Upload => {
                state.objects.insert(driver.publish);
                Next::ReadHead
            }
            Next::ReadHead if self.is_published(state, &driver) => Next::ReadManifest,
            Next::ReadHead => {
                let claim = driver.claim.clone().unwrap();
                match self.plan(state, &driver, &claim) {
                    Ok(put) => Next::Commit(put),
                    Err(_) => {
                        state.objects.remove(&driver.publish);
                        Next::End(Ended::Fenced)
                    }
                }
            }
            Next::Commit(put) => match self.apply(state, &put) {
                true => Next::ReadManifest,
                // Another version is there: this PUT can never land.
                false => Next::ReadHead,
            },
            Next::Resolve(put) => {
                let Put::Head { on, .. } = &put else { unreachable!() };
                if state.record.head.published_as(&driver.publish.to_string()).is_some() {
                    Next::ReadManifest
                } else if state.record.tag != *on {
                    Next::ReadHead
                } else {
                    Next::Commit(put)
                }
            }
            Next::ReadManifest => {
                let head = &state.record.head;
                let (version, files) = (head.version, head.state.files.clone());
                match head.state.is_settled {
                    true => Next::End(Ended::Published),
                    false
                        if state.manifest.version >= version
                            && self.sabotage != Sabotage::ManifestWithoutCondition =>
                    {
                        Next::Remove(version, head.state.replaced.clone())
                    }
                    false => {
                        let put = Put::Manifest { on: state.manifest.tag, version, files };
                        Next::PutManifest(put, head.state.replaced.clone())
                    }
                }
            }
            Next::PutManifest(put, replaced) => match self.apply(state, &put) {
                true => Next::Remove(state.manifest.version, replaced),
                false => Next::ReadManifest,
            },
            Next::Remove(version, files) => {
                state.objects.retain(|file| !files.contains(file));
                Next::Settle(version)
            }
            Next::Settle(version) => {
                let head = &mut state.record.head;
                if head.version == version && !head.state.is_settled {
                    head.state =
                        Stored { files: head.state.files.clone(), is_settled: true, ..Stored::default() };
                    head.nonce = format!("settled {version}");
                    state.record.tag += 1;
                }
                Next::End(Ended::Published)
            }
            ended => ended,
        };
        state.drivers[at].next = next;
    }

    /// What a driver does after an error of the request `put`.
    fn failed(next: Next) -> Next {
        match next {
            Next::Commit(put) => Next::Resolve(put),
            Next::PutManifest(..) => Next::ReadManifest,
            other => other,
        }
    }
}

impl Model for Commits {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let driver =
            |(run, attempt, publish)| Driver { run, attempt, publish, claim: None, next: Next::Begin };
        vec![State {
            record: Record::default(),
            manifest: Manifest::default(),
            objects: Files::new(),
            drivers: [("run", 1, 1), ("run", 2, 2), ("other", 1, 3)].map(driver).to_vec(),
            in_flight: Vec::new(),
            faults: self.faults,
            crashes: self.crashes,
            history: BTreeMap::new(),
            is_lost: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, driver) in state.drivers.iter().enumerate() {
            let Next::End(_) = driver.next else {
                actions.push(Action::Step(at));
                if matches!(driver.next, Next::Commit(_) | Next::PutManifest(..)) && state.faults > 0 {
                    actions.extend([Action::LoseReply(at), Action::Fail(at), Action::Delay(at)]);
                }
                if matches!(driver.next, Next::Resolve(_)) {
                    actions.push(Action::GiveUp(at));
                }
                if state.crashes > 0 && driver.next != Next::Begin {
                    actions.push(Action::Kill(at));
                }
                continue;
            };
        }
        actions.extend((0..state.in_flight.len()).map(Action::Land));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Step(at) => self.step(&mut state, at),
            Action::LoseReply(at) | Action::Fail(at) | Action::Delay(at) => {
                state.faults -= 1;
                let (Next::Commit(put) | Next::PutManifest(put, _)) = state.drivers[at].next.clone() else {
                    return None;
                };
                match action {
                    Action::LoseReply(_) => _ = self.apply(&mut state, &put),
                    Action::Delay(_) => state.in_flight.push(put),
                    _ => {}
                }
                state.drivers[at].next = Commits::failed(state.drivers[at].next.clone());
            }
            Action::Land(at) => {
                let put = state.in_flight.remove(at);
                self.apply(&mut state, &put);
            }
            Action::Kill(at) => {
                state.crashes -= 1;
                let driver = &mut state.drivers[at];
                // Its retry counts on, and has files of its own.
                let (attempt, publish) = (driver.attempt + 2, driver.publish + 10);
                *driver = Driver { attempt, publish, claim: None, next: Next::Begin, ..driver.clone() };
            }
            Action::GiveUp(at) => {
                if self.sabotage == Sabotage::DeleteOnUnknown {
                    state.objects.remove(&state.drivers[at].publish.clone());
                }
                state.drivers[at].next = Next::End(Ended::Unknown);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a run has at most one effect", |_, state: &State| {
                let of = |run: &str| {
                    let publishes = state.record.head.publishes.iter();
                    publishes.filter(|done| done.claim.run_id.as_deref() == Some(run)).count()
                };
                of("run") <= 1 && of("other") <= 1
            }),
            Property::always("no publish is lost", |_, state: &State| {
                let is_there =
                    |(publish, _): &(String, Files)| state.record.head.published_as(publish).is_some();
                !state.is_lost && state.history.values().all(is_there)
            }),
            Property::always("a reader by the manifest sees one whole version", |_, state: &State| {
                let Manifest { version, files, .. } = &state.manifest;
                let is_version =
                    *version == 0 || state.history.get(version).is_some_and(|(_, of)| of == files);
                is_version && files.is_subset(&state.objects)
            }),
            Property::always("no live file is removed", |_, state: &State| {
                state.record.head.state.files.is_subset(&state.objects)
            }),
            Property::always("the manifest never goes back", |_, state: &State| {
                !state.record.head.state.is_settled || state.manifest.version == state.record.head.version
            }),
            Property::always("what a driver reports is true", |_, state: &State| {
                state.drivers.iter().all(|driver| {
                    let is_published = state.record.head.published_as(&driver.publish.to_string()).is_some();
                    let of_run = state.record.head.publishes.iter();
                    let mut of_run = of_run.filter(|done| done.claim.run_id.as_deref() == Some(driver.run));
                    match driver.next {
                        Next::End(Ended::Fenced) => !is_published,
                        Next::End(Ended::Published) => of_run.next().is_some(),
                        _ => true,
                    }
                })
            }),
            Property::sometimes("both runs publish", |_, state: &State| state.history.len() == 2),
            Property::sometimes("the newer attempt wins", |_, state: &State| {
                state.record.head.published_as("2").is_some()
                    && state.drivers[0].next == Next::End(Ended::Fenced)
            }),
        ]
    }
}

fn commits(sabotage: Sabotage, replaces: [bool; 2], [faults, crashes]: [u8; 2]) -> Commits {
    Commits { sabotage, replaces, faults, crashes }
}

#[test]
fn every_interleaving_of_three_drivers_keeps_the_promises() {
    for (replaces, budget) in [([true, true], [1, 0]), ([true, true], [0, 1]), ([true, false], [0, 1])] {
        let checker = commits(Sabotage::None, replaces, budget).checker().threads(2).spawn_bfs().join();
        println!("{} states", checker.unique_state_count());
        checker.assert_properties();
    }
}

/// The promises that a sabotaged model breaks.
fn broken(sabotage: Sabotage) -> Vec<&'static str> {
    let checker = commits(sabotage, [true, true], [1, 0]).checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let broken = checker.discoveries().into_keys().filter(|name| *name != "both runs publish");
    broken.filter(|name| *name != "the newer attempt wins").collect()
}

#[test]
fn a_model_without_one_of_the_protections_breaks_a_promise() {
    for sabotage in [
        Sabotage::NoFence,
        Sabotage::NoReadBack,
        Sabotage::DeleteOnUnknown,
        Sabotage::ManifestWithoutCondition,
        Sabotage::PutWithoutCondition,
    ] {
        assert!(!broken(sabotage).is_empty(), "{sabotage:?} breaks nothing");
    }
}
