//! Job against limit: runs both in turn, checks that they agree, and compares their times.
//!
//! A piece of work goes in, a verdict comes out. The turns are A B A B after one warm-up each,
//! because a machine that slows down for a minute then slows down both; the median of the ratios
//! within the rounds is the figure that survives such a minute. What the work is, and how a process
//! is measured, others know.

use kiln::Result;

use crate::cli::Work;
use crate::measure::{Run, run_self};

/// How a contest ended.
pub enum Verdict {
    /// Both gave the same answer, so their times may be compared.
    Agreed(Times),
    /// They did not; the two answers.
    Differed { limit: String, job: String },
}

/// The measured runs of both contenders, one each per round.
pub struct Times {
    pub limit: Vec<Run>,
    pub job: Vec<Run>,
}

/// Runs the contest over `work`; the warm-up is checked, but not counted.
///
/// # Errors
/// When a contender fails.
pub fn run(work: &Work, rounds: usize) -> Result<Verdict> {
    let mut times = Times { limit: Vec::new(), job: Vec::new() };
    for round in 0..=rounds {
        let limit = run_self(&work.arguments("run-limit"))?;
        let job = run_self(&work.arguments("run-job"))?;
        if limit.output != job.output {
            return Ok(Verdict::Differed { limit: limit.output, job: job.output });
        }
        if round > 0 {
            times.limit.push(limit);
            times.job.push(job);
        }
    }
    Ok(Verdict::Agreed(times))
}

impl Times {
    /// The job's median time over the limit's.
    pub fn ratio_of_medians(&self) -> f64 {
        median(self.job.iter().map(|run| run.seconds)) / median(self.limit.iter().map(|run| run.seconds))
    }

    /// The median over the rounds of job over limit.
    pub fn median_of_ratios(&self) -> f64 {
        median(self.job.iter().zip(&self.limit).map(|(job, limit)| job.seconds / limit.seconds))
    }
}

/// The middle value, or the mean of the two in the middle; NaN when there is none.
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
        let times = Times { limit: runs(&[1.0, 5.0, 1.0]), job: runs(&[1.5, 7.5, 9.0]) };
        assert_eq!((times.median_of_ratios(), times.ratio_of_medians()), (1.5, 7.5));
    }

    fn runs(seconds: &[f64]) -> Vec<Run> {
        seconds.iter().map(|s| Run { seconds: *s, peak_bytes: 0, output: String::new() }).collect()
    }
}
