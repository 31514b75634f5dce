//! Progress bars: one for the whole job, and one for each stage of which some but not all tasks are done.
//!
//! Draws the job's numbers and elapsed time on the shared screen; dropping clears the bars. The first
//! bar has the rate and the time left. Bars of finished stages are removed, so that a job of a hundred
//! stages fits the screen. indicatif handles colours and obeys `NO_COLOR`.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::numbers::{Numbers, StageNumbers, time_left};
use super::summary::{duration, size};
use super::terminal::SCREEN;

/// Jobs that end before this show no bars, which would only flicker.
const UNSEEN: Duration = Duration::from_millis(300);
/// Upper limit of the number of stage bars.
const MAX_STAGE_BARS: usize = 12;
/// Upper limit of the characters of a stage's label.
const MAX_LABEL_CHARS: usize = 40;

/// Length of the whole job's bar, with a finer resolution than any terminal.
const WHOLE: u64 = 1000;

const JOB: &str = "{elapsed:>4} {bar:30.green} {percent:>3}%  {msg}";
const STAGE: &str = "     {bar:30.cyan} {pos} of {len} tasks  {msg}";

/// The bars of one job. Nothing is drawn before the first of them exists.
#[derive(Default)]
pub(super) struct Bars {
    whole: Option<ProgressBar>,
    stages: BTreeMap<u32, ProgressBar>,
}

impl Bars {
    /// Updates the screen to `numbers`.
    pub(super) fn draw(&mut self, numbers: &Numbers, elapsed: Duration) {
        if elapsed < UNSEEN {
            return;
        }
        self.draw_whole(numbers, elapsed);
        for stage in &numbers.stages {
            let at_work = stage.done > 0 && !stage.is_done();
            if at_work { self.draw_stage(stage) } else { self.remove_stage(stage.id) }
        }
    }

    fn draw_whole(&mut self, numbers: &Numbers, elapsed: Duration) {
        let bar = self.whole.get_or_insert_with(|| {
            let bar = unseen(WHOLE).with_style(style(JOB)).with_elapsed(elapsed);
            SCREEN.insert(0, bar)
        });
        bar.set_message(counts(numbers, elapsed));
        bar.set_position((numbers.fraction() * WHOLE as f64) as u64);
        bar.tick();
    }

    fn draw_stage(&mut self, stage: &StageNumbers) {
        if !self.stages.contains_key(&stage.id) && self.stages.len() >= MAX_STAGE_BARS {
            return;
        }
        let bar = self.stages.entry(stage.id).or_insert_with(|| {
            let bar = unseen(stage.total.into()).with_style(style(STAGE));
            bar.set_message(label(stage));
            SCREEN.add(bar)
        });
        bar.set_length(stage.total.into());
        bar.set_position(stage.done.into());
    }

    fn remove_stage(&mut self, id: u32) {
        if let Some(bar) = self.stages.remove(&id) {
            clear(&bar);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.stages.values().chain(&self.whole).for_each(clear);
    }
}

fn clear(bar: &ProgressBar) {
    bar.finish_and_clear();
    SCREEN.remove(bar);
}

/// A bar that is hidden until it is added to the screen. Otherwise it would draw a line between the
/// other bars, and the screen would erase one line too few.
fn unseen(length: u64) -> ProgressBar {
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden())
}

/// Falls back to the default style, because a malformed template must not fail the job. A test parses
/// all templates.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

/// Text such as `120 MB of 1.5 GB  60 MB/s  23s left`. The rate is the average since the start of the
/// job, because indicatif measures from the first drawing and its first rates are far too high.
fn counts(numbers: &Numbers, elapsed: Duration) -> String {
    let (done, tasks) = numbers.tasks();
    let read = size(numbers.read_bytes);
    let mut text = match numbers.known_bytes() {
        Some(total) => format!("{read} of {}", size(total)),
        None => format!("{done} of {tasks} tasks"),
    };
    if numbers.read_bytes > 0 {
        let rate = numbers.read_bytes as f64 / elapsed.as_secs_f64();
        text += &format!("  {}/s", size(rate as u64));
    }
    if let Some(left) = time_left(numbers.fraction(), elapsed) {
        text += &format!("  {} left", duration(left));
    }
    text
}

fn label(stage: &StageNumbers) -> String {
    let mut text = format!("stage {} {}", stage.id, stage.label);
    if let Some((cut, _)) = text.char_indices().nth(MAX_LABEL_CHARS) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(done: u32) -> Numbers {
        let stage = |id| StageNumbers { id, label: "flat_map".repeat(9), done, total: 2 };
        Numbers { stages: (0..20).map(stage).collect(), ..Numbers::default() }
    }

    #[test]
    fn every_template_can_be_read() {
        for template in [JOB, STAGE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn the_whole_bar_says_how_much_how_fast_and_how_long() {
        let bytes = Numbers { total_bytes: Some(1_500_000_000), read_bytes: 120_000_000, ..numbers(1) };
        assert_eq!(counts(&bytes, Duration::from_secs(2)), "120 MB of 1.5 GB  60 MB/s  23.0s left");
        assert_eq!(counts(&numbers(1), Duration::from_secs(2)), "20 of 40 tasks  2.0s left");
    }

    #[test]
    fn a_short_job_draws_nothing() {
        let mut bars = Bars::default();
        bars.draw(&numbers(1), Duration::from_millis(299));
        assert!(bars.whole.is_none() && bars.stages.is_empty());
    }

    #[test]
    fn only_stages_at_work_have_bars_and_not_too_many() {
        let mut bars = Bars::default();
        let second = Duration::from_secs(1);
        bars.draw(&numbers(1), second);
        assert!(bars.whole.is_some());
        assert_eq!(bars.stages.len(), MAX_STAGE_BARS);
        bars.draw(&numbers(2), second);
        assert_eq!(bars.stages.len(), 0);
    }

    #[test]
    fn a_long_label_is_cut() {
        assert_eq!(label(&numbers(1).stages[3]).chars().count(), MAX_LABEL_CHARS + 1);
    }
}
