//! Random scripts: two drivers, a store that fails, and what must be true whatever happens.

use std::sync::Arc;
use std::time::Duration;

use super::faults::{FaultyStore, Numbers};
use super::*;
use crate::publish::delta::table::Limits;
use crate::publish::is_unknown;

const SCRIPTS: u64 = 1000;
/// Requests of one driver that may fail.
const FAULTS: usize = 12;

/// What one driver does.
#[derive(Clone, Debug)]
struct Driver {
    claim: Claim,
    mode: Mode,
    file: &'static str,
    is_retry: bool,
}

fn table_through(log: &Log, seed: u64) -> (DeltaTable, Arc<FaultyStore>) {
    // A job that cannot read the table when it begins ends there, which is of no interest here.
    let mut table = open(log);
    let faulty = Arc::new(FaultyStore::new(Arc::clone(log.store.objects()), seed, FAULTS));
    table.log = through(Store::over(Arc::clone(&faulty) as _), log);
    let waits = (Duration::from_micros(1), Duration::from_micros(50));
    table.limits = Limits { version: Duration::from_secs(20), lost: 100, waits };
    (table, faulty)
}

/// What a driver does: the claim of a retry, then its publish.
fn run(table: &mut DeltaTable, driver: &Driver) -> Result<Committed> {
    if driver.is_retry {
        match table.claim(&driver.claim, &Cancel::default())? {
            Committed::Version(_) => {}
            already => return Ok(already),
        }
    }
    publish(table, &driver.claim, driver.mode, &[driver.file], &[])
}

fn drivers(numbers: &mut Numbers) -> [Driver; 2] {
    let modes = [Mode::Append, Mode::Overwrite, Mode::ReplacePartitions];
    let is_retry = numbers.below(2) == 0;
    let second = if is_retry { "one" } else { "two" };
    let first =
        Driver { claim: claim("one", 1, 2), mode: modes[numbers.below(3)], file: "1/first", is_retry: false };
    let mode = if is_retry { first.mode } else { modes[numbers.below(3)] };
    [first, Driver { claim: claim(second, 2, 3), mode, file: "1/second", is_retry }]
}

/// Each commit is in the log once, and each that was reported as made is there.
fn check(log: &Log, drivers: &[Driver], ended: &[Result<Committed>], context: &str) {
    let mut publishes = Vec::new();
    for version in 0.. {
        let Some(commit) = log.commit(version).unwrap() else { break };
        publishes.extend(KilnInfo::in_commit(&commit.actions).filter(|info| info.scope.is_some()));
    }
    for run in ["one", "two"] {
        let effects = publishes.iter().filter(|info| info.run_id.as_deref() == Some(run)).count();
        assert!(effects <= 1, "{effects} effects of the run {run}: {context}");
    }
    for (driver, ended) in drivers.iter().zip(ended) {
        let is_there = publishes.iter().any(|info| info.publish == driver.claim.publish);
        match ended {
            Ok(Committed::Version(_)) => assert!(is_there, "a commit is lost: {context}"),
            Ok(Committed::Already(_)) => assert!(!is_there, "published twice: {context}"),
            Err(error) => assert!(!is_there || is_unknown(error), "{error} though it is there: {context}"),
        }
    }
    let (later, live) = (&drivers[1], files(log));
    if matches!(ended[1], Ok(Committed::Version(_))) {
        assert!(live.contains(&later.file.to_owned()), "the later run is replaced: {live:?} {context}");
        if later.mode != Mode::Append {
            let others: Vec<_> =
                live.iter().filter(|file| **file == "1/seed" || **file == "1/first").collect();
            let first_came_after = matches!(drivers[0].mode, Mode::Append);
            assert!(others.is_empty() || first_came_after, "{live:?} {context}");
        }
    }
}

/// Both drivers at once, each through faults of its own.
#[test]
fn whatever_the_store_loses_each_run_has_one_effect_and_the_later_one_stays() {
    for seed in 0..SCRIPTS {
        let mut numbers = Numbers(seed);
        let drivers = drivers(&mut numbers);
        let log = place();
        publish(&mut open(&log), &claim("", 1, 1), Mode::Error, &["1/seed", "2/seed"], &[]).unwrap();
        let (mut first, first_store) = table_through(&log, numbers.next());
        let (mut second, second_store) = table_through(&log, numbers.next());
        let is_parallel = numbers.below(2) == 0;
        let ended = if is_parallel {
            std::thread::scope(|threads| {
                let one = threads.spawn(|| run(&mut first, &drivers[0]));
                let two = run(&mut second, &drivers[1]);
                [one.join().unwrap(), two]
            })
        } else if numbers.below(2) == 0 {
            let two = run(&mut second, &drivers[1]);
            [run(&mut first, &drivers[0]), two]
        } else {
            let one = run(&mut first, &drivers[0]);
            [one, run(&mut second, &drivers[1])]
        };
        let scripts =
            (first_store.script.lock().unwrap().clone(), second_store.script.lock().unwrap().clone());
        check(&log, &drivers, &ended, &format!("seed {seed}, {drivers:?}, {ended:?}, {scripts:?}"));
    }
}
