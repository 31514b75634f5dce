//! Runs a test on generated values, with a new seed in each run.
//!
//! A failure prints the seed, and `KILN_TEST_SEED` runs it again.

use std::hash::{BuildHasher, Hasher, RandomState};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// The variable that gives the seed.
const SEED: &str = "KILN_TEST_SEED";
/// How often a value that fails is made simpler: each time is a run of the test.
const SHRINKS: u32 = 200;

/// Runs `test` on `cases` of the `values`.
#[track_caller]
pub(crate) fn for_each<S: Strategy>(cases: u32, values: S, test: impl Fn(S::Value)) {
    let asked = std::env::var(SEED).ok().map(|seed| seed.parse().expect("KILN_TEST_SEED is a number"));
    let seed: u64 = asked.unwrap_or_else(random);
    println!("the seed is {seed}: {SEED}={seed} runs it again");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: SHRINKS, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
    let outcome = TestRunner::new_with_rng(config, rng).run(&values, |value| {
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

/// A number that is another one each time.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
