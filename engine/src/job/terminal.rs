//! The one way to standard error: lines go above the progress bars, and never fail the job.
//!
//! Text enters, whole lines leave. Log, errors, summary and bars share one screen, so all of them
//! pass here; a bar that is drawn while another thread writes a line would leave rubbish. A closed
//! or full standard error is no reason to lose a job, so write errors are dropped. What is said and
//! when is not known here.

use std::io::{IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressDrawTarget};

/// How often a second the bars are drawn at most.
const DRAWS_PER_SECOND: u8 = 10;

/// All bars of the process; it draws nothing when standard error is not a terminal.
pub(super) static SCREEN: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND)));

/// Calls `write` while no bar is on the screen; for whatever writes to the terminal by itself.
pub fn above_bars<T>(write: impl FnOnce() -> T) -> T {
    SCREEN.suspend(write)
}

/// Writes `text` and a line end to standard error.
pub(super) fn say(text: &str) {
    above_bars(|| {
        // One write, so that lines of other processes on the same stream are not mixed into it.
        let line = format!("{text}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    });
}

/// A colour for one word of a line.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// `text` in bold `colour`, where standard error is a terminal that takes colours.
pub(super) fn paint(text: &str, colour: Colour) -> String {
    let wanted = std::io::stderr().is_terminal() && takes_colour(|name| std::env::var(name).ok());
    if wanted { format!("\x1b[1;{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
}

/// <https://no-color.org>: any value that is not empty means no colours.
fn takes_colour(env: impl Fn(&str) -> Option<String>) -> bool {
    env("NO_COLOR").is_none_or(|value| value.is_empty()) && env("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_a_dumb_terminal_turn_colours_off() {
        let with = |name: &'static str, value: &'static str| {
            takes_colour(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!([with("NO_COLOR", "1"), with("NO_COLOR", ""), with("TERM", "dumb")], [false, true, false]);
    }
}
