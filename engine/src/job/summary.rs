//! The summary of a run for people: the error, if there is one, and one line of counts.
//!
//! Formats the outcome and the facts of the run for standard error. Counts are grouped and sizes are
//! rounded, because machines read `result` instead. Nothing is printed here.

use std::time::Duration;

use super::bottleneck::Bottleneck;
use super::exit::{Ending, Status, left_behind};
use super::run::{Facts, Output};
use super::terminal::{Colour, paint};

/// Two spaces, which separate the parts visibly from the single blanks inside of them.
const BETWEEN: &str = "  ";

/// `error[data]: message, at file …` with its help line; `None` if the run did not fail.
pub(super) fn error_text(ending: &Ending) -> Option<String> {
    let (Status::Failed, Some(class), Some(message)) = (ending.status, ending.class, &ending.message) else {
        return None;
    };
    Some(format!("{}: {message}", paint(&format!("error[{}]", class.name()), Colour::Red)))
}

/// `OK published file:///…  rows 1,204,331  files 4 (480 MB)  2 retries  1m12s`
pub(super) fn summary(ending: &Ending, facts: &Facts, took: Duration) -> String {
    let class = ending.class.map_or("", |class| class.name());
    let mut parts = match ending.status {
        Status::Published => published(facts),
        Status::Succeeded => vec![paint("OK", Colour::Green)],
        Status::Skipped => {
            let why = ending.message.as_deref().unwrap_or("nothing to do");
            vec![format!("{} {why}", paint("SKIPPED", Colour::Yellow))]
        }
        Status::Failed => vec![format!("{} {class}{}", paint("FAILED", Colour::Red), left_behind(facts))],
        Status::Cancelled => vec![cancelled(ending)],
    };
    match facts.retries {
        0 => {}
        1 => parts.push("1 retry".to_owned()),
        many => parts.push(format!("{} retries", count(many.into()))),
    }
    if let Some(Bottleneck { resource, share }) = facts.bottleneck {
        parts.push(format!("bottleneck {} ({:.0} %)", resource.name(), share * 100.0));
    }
    parts.push(duration(took));
    parts.join(BETWEEN)
}

fn published(facts: &Facts) -> Vec<String> {
    let sum = |part: fn(&Output) -> u64| facts.outputs.iter().map(part).sum::<u64>();
    let what = match facts.outputs.as_slice() {
        [only] => only.uri.clone(),
        many => format!("{} outputs", many.len()),
    };
    let version = facts.version.map_or(String::new(), |version| format!(" v{version}"));
    vec![
        format!("{} published {what}{version}", paint("OK", Colour::Green)),
        format!("rows {}", count(sum(|output| output.rows))),
        format!("files {} ({})", count(sum(|output| output.files)), size(sum(|output| output.bytes))),
    ]
}

fn cancelled(ending: &Ending) -> String {
    let message = ending.message.as_deref().unwrap_or_default();
    // Only the first line, because the help of an error would break the summary line.
    let how = message.lines().next().unwrap_or_default().trim_start_matches("cancelled ");
    format!("{} {how}", paint("CANCELLED", Colour::Yellow))
}

/// Formats a count as `1,204,331`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a size as `480 MB`, in powers of 1000 like disks and object stores, with one decimal below
/// ten.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.5 would round to 1000 of the smaller unit.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    // 9.95 would round to 10.0.
    let decimals = usize::from(value < 9.95);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// Formats a duration as `0.4s`, `1m12s` or `3h05m`.
pub(super) fn duration(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    let seconds = (time.as_millis() + 500) / 1000;
    match seconds / 60 {
        minutes if minutes < 60 => format!("{minutes}m{:02}s", seconds % 60),
        minutes => format!("{}h{:02}m", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Class, Error};
    use crate::job::cancel::CancelReason;
    use crate::meter::Resource;

    fn facts(outputs: usize, retries: u32) -> Facts {
        let output = Output {
            uri: "file:///out/counts".to_owned(),
            partitions: 4,
            files: 4,
            rows: 1_204_331,
            bytes: 480_200_000,
            ..Output::default()
        };
        Facts { outputs: vec![output; outputs], retries, ..Facts::default() }
    }

    fn line(ending: &Ending, facts: &Facts, millis: u64) -> String {
        summary(ending, facts, Duration::from_millis(millis))
    }

    #[test]
    fn a_published_run_says_what_and_how_much() {
        let done = |facts: &Facts| Ending::of(&Ok(()), None, facts);
        let one = facts(1, 2);
        assert_eq!(
            line(&done(&one), &one, 72_000),
            "OK published file:///out/counts  rows 1,204,331  files 4 (480 MB)  2 retries  1m12s"
        );
        let limited =
            Facts { bottleneck: Some(Bottleneck { resource: Resource::Source, share: 0.81 }), ..facts(1, 0) };
        assert_eq!(
            line(&done(&limited), &limited, 900),
            "OK published file:///out/counts  rows 1,204,331  files 4 (480 MB)  bottleneck source (81 %)  0.9s"
        );
        let two = facts(2, 0);
        assert_eq!(
            line(&done(&two), &two, 900),
            "OK published 2 outputs  rows 2,408,662  files 8 (960 MB)  0.9s"
        );
    }

    #[test]
    fn a_run_that_published_nothing_says_only_how_it_ended() {
        let none = facts(0, 0);
        let failed = Ending::failed(Class::Data, "bad".to_owned());
        assert_eq!(line(&Ending::of(&Ok(()), None, &none), &none, 400), "OK  0.4s");
        assert_eq!(line(&failed, &none, 1200), "FAILED data  1.2s");
        assert_eq!(line(&failed, &facts(0, 1), 1200), "FAILED data  1 retry  1.2s");
        let skipped = Facts { skipped: Some("no new input".to_owned()), ..facts(0, 0) };
        assert_eq!(line(&Ending::of(&Ok(()), None, &skipped), &skipped, 50), "SKIPPED no new input  0.1s");
    }

    #[test]
    fn a_run_that_stopped_half_way_says_what_is_published() {
        let int = |facts: &Facts| line(&Ending::cancelled(CancelReason::Interrupt, facts), facts, 300);
        assert_eq!(int(&facts(0, 0)), "CANCELLED by SIGINT, nothing published  0.3s");
        assert_eq!(int(&facts(1, 0)), "CANCELLED by SIGINT, 1 output was published  0.3s");
        let orphaned = Ending::cancelled(CancelReason::Orphaned, &facts(0, 0));
        let expected = "CANCELLED as the parent process has ended, nothing published  0.3s";
        assert_eq!(line(&orphaned, &facts(0, 0), 300), expected);
        let failed = Ending::failed(Class::Auth, "no key".to_owned());
        assert_eq!(line(&failed, &facts(2, 0), 300), "FAILED auth, 2 outputs were published  0.3s");
    }

    #[test]
    fn an_error_is_shown_with_class_place_and_help() {
        let error = Error::data("invalid UTF-8").at("file", "a.txt").help("convert it");
        let text = error_text(&Ending::of(&Err(error), None, &facts(0, 0)));
        assert_eq!(text.as_deref(), Some("error[data]: invalid UTF-8, at file a.txt\n  help: convert it"));
        assert_eq!(error_text(&Ending::cancelled(CancelReason::Terminate, &facts(0, 0))), None);
    }

    #[test]
    fn counts_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 1_204_331].map(count), ["0", "999", "1,000", "1,204,331"]);
    }

    #[test]
    fn sizes_are_short_and_never_round_up_to_a_thousand() {
        let sizes = [0, 999, 1000, 9_949, 9_951, 999_499, 999_500, 1_500_000_000, u64::MAX].map(size);
        assert_eq!(
            sizes,
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "1.5 GB", "18 EB"]
        );
    }

    #[test]
    fn durations_have_two_parts_at_most() {
        let times = [40, 400, 59_949, 59_951, 72_000, 3_599_600, 11_100_000];
        let texts = times.map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(texts, ["0.0s", "0.4s", "59.9s", "1m00s", "1m12s", "1h00m", "3h05m"]);
    }
}
