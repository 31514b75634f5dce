//! A contest between two contenders: runs both in turn, checks that they agree, and compares their
//! times.
//!
//! The order is A B A B after one warm-up each, so that a machine that is slow for a minute slows down
//! both. The median of the ratios within the rounds is robust against such a minute. Processes are
//! measured in `measure`.

use kiln::Result;

use super::measure::{self, Run, this_program};
use super::scratch::Scratch;
use crate::work::Work;

/// Allocator settings of the engine, passed to the hand-written programs in environment variables: the
/// ratio should measure the engine, not glibc's defaults.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_TRIM_THRESHOLD_", "67108864"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// Who does the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The hand-written program.
    Limit,
    /// The job, optionally with this `KILN_MEMORY`.
    Job { memory: Option<String> },
}

/// The outcome of a contest.
pub enum Verdict {
    /// Both gave the same answer, so their times can be compared.
    Agreed(Times),
    /// The two answers, which differ.
    Differed { base: String, other: String },
}

/// The measured runs of both contenders, one of each per round.
pub struct Times {
    pub base: Vec<Run>,
    pub other: Vec<Run>,
}

/// Runs the contest over `work`. The warm-up is checked, but not measured.
///
/// # Errors
/// Fails when a contender fails or leaves temporary files.
pub fn run(work: &Work, base: &Contender, other: &Contender, rounds: usize) -> Result<Verdict> {
    let mut times = Times { base: Vec::new(), other: Vec::new() };
    for round in 0..=rounds {
        let (of_base, of_other) = (base.run(work)?, other.run(work)?);
        if of_base.output != of_other.output {
            return Ok(Verdict::Differed { base: of_base.output, other: of_other.output });
        }
        if round > 0 {
            times.base.push(of_base);
            times.other.push(of_other);
        }
    }
    Ok(Verdict::Agreed(times))
}

impl Contender {
    /// Name in reports.
    pub fn name(&self) -> String {
        match self {
            Contender::Limit => "limit".to_owned(),
            Contender::Job { memory: None } => "job".to_owned(),
            Contender::Job { memory: Some(memory) } => format!("in {memory}"),
        }
    }

    /// Runs the contender once. The digest of its output files is part of its answer.
    ///
    /// # Errors
    /// Fails when it fails or leaves temporary files.
    pub fn run(&self, work: &Work) -> Result<Run> {
        let scratch = Scratch::new()?;
        let command = if *self == Contender::Limit { "run-limit" } else { "run-job" };
        let mut command = this_program(&work.arguments(command, &scratch.output()))?;
        command.env("KILN_TMP", scratch.tmp()).env_remove("KILN_MEMORY");
        match self {
            Contender::Limit => command.envs(ALLOCATOR),
            Contender::Job { memory: Some(memory) } => command.env("KILN_MEMORY", memory),
            Contender::Job { memory: None } => &mut command,
        };
        let mut run = measure::run(command)?;
        scratch.check_no_file_is_left()?;
        run.output.push_str(&work.bench.digest(&scratch.output())?);
        Ok(run)
    }
}

impl Times {
    /// The other's median time divided by the base's.
    pub fn ratio_of_medians(&self) -> f64 {
        median(self.other.iter().map(|run| run.seconds)) / median(self.base.iter().map(|run| run.seconds))
    }

    /// The median over the rounds of other divided by base.
    pub fn median_of_ratios(&self) -> f64 {
        median(self.other.iter().zip(&self.base).map(|(other, base)| other.seconds / base.seconds))
    }
}

/// The median: the middle value, or the mean of the two in the middle; NaN without values.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (count, middle) if count % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_value_or_the_mean_of_two() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }

    #[test]
    fn a_slow_round_does_not_move_the_median_of_ratios() {
        let times = Times { base: runs(&[1.0, 5.0, 1.0]), other: runs(&[1.5, 7.5, 9.0]) };
        assert_eq!((times.median_of_ratios(), times.ratio_of_medians()), (1.5, 7.5));
    }

    fn runs(seconds: &[f64]) -> Vec<Run> {
        seconds.iter().map(|s| Run { seconds: *s, peak_bytes: 0, output: String::new() }).collect()
    }
}
