//! The time of a trivial job: of a whole process, and again in a warm driver.
//!
//! There is no hand-written program to compare with: the figures are the time that a user waits for the
//! first row. The child process runs two trivial jobs of two stages and prints the time of the second
//! one.

use std::ffi::OsString;
use std::time::Instant;

use kiln::{Error, Result};

use super::contest::median;
use super::measure::{self, this_program};
use crate::work::Place;

/// Measures `place` in `rounds` processes, after one warm-up.
pub fn report(place: &Place, rounds: usize) -> Result<String> {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let run = measure::run(this_program(&arguments(place))?)?;
        let second = run.output.trim().parse::<f64>();
        let second = second.map_err(|e| Error::bug("a trivial job's time cannot be read").because(e))?;
        if round > 0 {
            cold.push(run.seconds * 1e3);
            warm.push(second);
        }
    }
    let (cold, warm) = (median(cold.into_iter()), median(warm.into_iter()));
    let name = place.kiln_cluster();
    Ok(format!("{name:<20} {cold:>9.1} ms whole process {warm:>9.2} ms second job in a warm driver\n"))
}

/// The arguments for running the trivial jobs at `place`.
fn arguments(place: &Place) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["run-trivial".into(), "--slots".into()];
    arguments.push(place.slots.to_string().into());
    arguments.extend(place.cluster.then(|| "--cluster".into()));
    arguments
}

/// Runs two trivial jobs in the child process and returns the milliseconds of the second.
pub fn run(place: &Place) -> Result<f64> {
    let cx = place.context()?;
    let trivial = |seed: u64| {
        let seed = cx.share(seed);
        cx.range(0..100).map_with(&seed, |seed, n| (n % 10, n + seed)).reduce_by_key(|a, b| a + b).count()
    };
    trivial(1)?;
    let started = Instant::now();
    trivial(2)?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
