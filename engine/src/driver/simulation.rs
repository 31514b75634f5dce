//! Simulates a whole cluster from one seed: the driver with executors that fail in every way they can.
//!
//! `world` has the clock and a queue of messages that arrive late, twice or never; `fakes` are its mock
//! executors. `judge` is the oracle: it sees every event and action of the driver, keeps its own simple model
//! of what must be true, and reports violations. `weather` generates random numbers, faults and jobs. A
//! failing test prints its seed; `World::new(seed, None).run()` repeats exactly the same run.

mod fakes;
mod judge;
mod weather;
mod world;

use super::guard::Guard;
use world::{Summary, World};

/// Enough for a few seconds in an unoptimised test; raise it by hand for a longer search.
const SEEDS: u64 = 2_000;

#[test]
fn every_job_ends_right_or_with_a_documented_error_in_any_weather() {
    let mut sum = Summary::default();
    for seed in 0..SEEDS {
        let one = World::new(seed, None).run().unwrap_or_else(|objection| panic!("seed {seed}: {objection}"));
        sum.add(&one);
    }
    assert!(sum.done * 4 > sum.jobs * 3, "most jobs must survive, or the weather tests nothing: {sum:?}");
    let rare = [sum.failed, sum.retries, sum.losses, sum.given_up, sum.misses, sum.duplicates, sum.late];
    assert!(rare.iter().all(|count| *count > 100), "every fault must really occur: {sum:?}");
}

#[test]
fn in_calm_weather_every_job_is_done_and_no_task_starts_twice() {
    for seed in (SEEDS..SEEDS + 500).filter(|seed| weather::is_calm(*seed)) {
        let one = World::new(seed, None).run().unwrap_or_else(|objection| panic!("seed {seed}: {objection}"));
        assert_eq!((one.done, one.retries), (one.jobs, 0), "seed {seed}");
    }
}

#[test]
fn the_same_seed_plays_the_same_story() {
    for seed in 0..50 {
        let record = || World::new(seed, None).recorded().run().map(|summary| summary.record);
        assert_eq!(record(), record(), "seed {seed}");
    }
}

#[test]
fn without_the_check_for_late_statuses_the_simulation_turns_red() {
    assert_objects(Guard::StatusOfRunningTask);
}

#[test]
fn without_forgetting_lost_output_the_simulation_turns_red() {
    assert_objects(Guard::OutputDiesWithExecutor);
}

#[test]
fn without_fresh_attempt_numbers_the_simulation_turns_red() {
    assert_objects(Guard::FreshAttempt);
}

fn assert_objects(missing: Guard) {
    let objection = (0..200).find_map(|seed| World::new(seed, Some(missing)).run().err());
    assert!(objection.is_some(), "200 seeds without {missing:?} and nobody noticed");
}
