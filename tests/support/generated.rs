//! Runs a test on generated values, with a new seed in each run.
//!
//! A failure prints the seed, and `KILN_TEST_SEED` runs it again.

use std::hash::{BuildHasher, Hasher, RandomState};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Environment variable with the seed.
const SEED: &str = "KILN_TEST_SEED";
/// How often a failing value is shrunk. Each time is another run of the test.
const SHRINKS: u32 = 200;

/// Runs `test` on `cases` of the `values`.
#[track_caller]
pub(crate) fn for_each<S: Strategy>(cases: u32, values: S, test: impl Fn(S::Value)) {
    for_each_from(random(), cases, values, test);
}

/// The same with a fixed seed, unless the environment sets another one.
#[track_caller]
pub(crate) fn for_each_from<S: Strategy>(seed: u64, cases: u32, values: S, test: impl Fn(S::Value)) {
    let seed = asked().unwrap_or(seed);
    println!("the seed is {seed}: {SEED}={seed} runs it again");
    let outcome = runner(seed, cases, SHRINKS).run(&values, |value| {
        test(value);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => {
            panic!("{why}\nwith {value:?}\nthe seed was {seed}: {SEED}={seed} runs it again")
        }
        Err(error) => panic!("{error}"),
    }
}

/// The first of `cases` of the `values` for which `test` returns an error, and its number, starting
/// with 1.
#[allow(dead_code, reason = "each test binary uses a part of it")]
pub(crate) fn first_failure<S: Strategy>(
    cases: u32,
    values: S,
    test: impl Fn(S::Value) -> Result<(), String>,
) -> Option<(u32, String)> {
    let seed = asked().unwrap_or_else(random);
    println!("the seed is {seed}: {SEED}={seed} runs it again");
    let mut runner = runner(seed, cases, 0);
    (1..=cases).find_map(|number| {
        let value = values.new_tree(&mut runner).expect("there is a value").current();
        test(value).err().map(|error| (number, error))
    })
}

fn asked() -> Option<u64> {
    std::env::var(SEED).ok().map(|seed| seed.parse().expect("KILN_TEST_SEED is a number"))
}

fn runner(seed: u64, cases: u32, shrinks: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
    TestRunner::new_with_rng(config, rng)
}

/// A random number, different at each call.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
