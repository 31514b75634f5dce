//! The log of a job: records of the `log` crate, written as lines to standard error.
//!
//! `KILN_LOG` is a level or a filter of env_logger (`debug`, `kiln::shuffle=trace,warn`). Lines are
//! written through `terminal`, so that they do not break the progress bars. Times are UTC, because
//! executors on other machines write to the same log.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::{Builder, Env, Target};

use super::terminal::above_bars;

/// Environment variable with the filter.
const FILTER: &str = "KILN_LOG";
/// The filter when the variable is not set.
const DEFAULT_FILTER: &str = "warn";

/// Starts logging to standard error, unless the job has installed its own logger.
pub fn init() {
    let mut builder = Builder::from_env(Env::new().filter_or(FILTER, DEFAULT_FILTER));
    builder.target(Target::Pipe(Box::new(AboveBars))).format(|out, record| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = time_of_day(since.as_secs());
        writeln!(out, "{time} {:<5} {}", record.level(), record.args())
    });
    let _ = builder.try_init();
}

/// Formats a time as `12:00:01`, in UTC.
fn time_of_day(unix_seconds: u64) -> String {
    let (minutes, seconds) = (unix_seconds / 60, unix_seconds % 60);
    format!("{:02}:{:02}:{seconds:02}", minutes / 60 % 24, minutes % 60)
}

/// Writes to standard error while no progress bars are drawn.
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        above_bars(|| std::io::stderr().write_all(line)).map(|()| line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_line_is_utc() {
        assert_eq!(time_of_day(1_767_225_600 + 12 * 3600 + 1), "12:00:01");
        assert_eq!(time_of_day(86_399), "23:59:59");
    }
}
