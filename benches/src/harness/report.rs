//! Formats the times of a contest.
//!
//! Returns lines of text: one per contender, then the ratios.

use std::fmt::Write;

use super::contest::{Contender, Times, median};
use super::measure::Run;
use crate::work::{Bench, Work};

/// The report on `times` of `work`.
pub fn report(work: &Work, contenders: [&Contender; 2], times: &Times) -> String {
    let mut text = format!("{:<9} {:>8} {:>9} {:>8}", "", "min s", "median s", "peak MB");
    text.push_str(if work.rows.is_some() { "   ns/row\n" } else { "\n" });
    let [base, other] = contenders.map(Contender::name);
    for (name, runs) in [(&base, &times.base), (&other, &times.other)] {
        text.push_str(&line(name, runs, work.rows));
    }
    let (medians, paired) = (times.ratio_of_medians(), times.median_of_ratios());
    let _ = writeln!(text, "{other} / {base}: {medians:.2} by medians, {paired:.2} by paired rounds");
    if work.bench == Bench::WordCount && *contenders[0] == Contender::Limit {
        text.push_str("the limit maps its file, so the pages of the file count in its peak\n");
    }
    if let Contender::Job { memory: Some(_) } = contenders[1] {
        text.push_str("both gave the same answer in every round, and left no temporary file\n");
    }
    if work.place.cluster {
        text.push_str("the job's peak is that of its largest process\n");
    }
    text
}

/// One contender's line.
fn line(name: &str, runs: &[Run], rows: Option<u64>) -> String {
    let seconds = || runs.iter().map(|run| run.seconds);
    let least = seconds().fold(f64::INFINITY, f64::min);
    let middle = median(seconds());
    let peak = runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0) as f64 / 1e6;
    let per_row = rows.map_or(String::new(), |rows| format!(" {:>8.2}", middle * 1e9 / rows as f64));
    format!("{name:<9} {least:>8.3} {middle:>9.3} {peak:>8.0}{per_row}\n")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::work::Place;

    #[test]
    fn a_report_has_a_line_for_each_contender_and_one_for_the_ratios() {
        let run = |seconds| Run { seconds, peak_bytes: 2_000_000, output: String::new() };
        let place = Place { slots: NonZeroUsize::MIN, cluster: false };
        let work = Work { bench: Bench::MapChain, input: None, rows: Some(100_000_000), place };
        let times = Times { base: vec![run(0.25)], other: vec![run(0.5)] };
        let expected = "             min s  median s  peak MB   ns/row\n\
                        limit        0.250     0.250        2     2.50\n\
                        job          0.500     0.500        2     5.00\n\
                        job / limit: 2.00 by medians, 2.00 by paired rounds\n";
        let contenders = [&Contender::Limit, &Contender::Job { memory: None }];
        assert_eq!(report(&work, contenders, &times), expected);
    }
}
