//! Output to standard error: lines are printed above the progress bars and never fail the job.
//!
//! Log, errors, summary and bars share one screen, so all of them are printed here: a bar that is drawn
//! while another thread writes a line would garble the screen. A closed or full standard error must not
//! fail a job, so write errors are ignored.

use std::io::{IsTerminal, Write};
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressDrawTarget};

/// Upper limit of the redraws per second.
const DRAWS_PER_SECOND: u8 = 10;

/// All bars of the process. Nothing is drawn when standard error is not a terminal.
pub(super) static SCREEN: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND)));

/// Calls `write` while the bars are hidden, for code that writes to the terminal itself.
pub fn above_bars<T>(write: impl FnOnce() -> T) -> T {
    SCREEN.suspend(write)
}

/// Prints `text` as a line to standard error.
pub(super) fn say(text: &str) {
    above_bars(|| {
        // A single write, so that lines of other processes on the same stream are not mixed in.
        let line = format!("{text}\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    });
}

/// The colour of one word of a line.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
}

/// `text` in bold `colour`, if standard error is a terminal with colours.
pub(super) fn paint(text: &str, colour: Colour) -> String {
    let wanted = std::io::stderr().is_terminal() && takes_colour(|name| std::env::var(name).ok());
    if wanted { format!("\x1b[1;{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
}

/// By <https://no-color.org>, any non-empty value disables colours.
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
