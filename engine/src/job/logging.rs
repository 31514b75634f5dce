//! The log of a job: records enter through the `log` crate, lines leave on standard error.
//!
//! `KILN_LOG` takes a level or env_logger's filters (`debug`, `kiln::shuffle=trace,warn`). Lines go
//! through `terminal`, so that they do not tear the progress bars. The time is UTC, because executors
//! on other machines write into the same log. Which records exist belongs to the modules that log.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::{Builder, Env, Target};

use super::terminal::above_bars;

/// The variable that holds the filters.
const FILTER: &str = "KILN_LOG";
/// What is logged when the variable is not set.
const DEFAULT_FILTER: &str = "warn";

/// Starts logging to standard error; a logger that the job has installed itself stays.
pub fn init() {
    let mut builder = Builder::from_env(Env::new().filter_or(FILTER, DEFAULT_FILTER));
    builder.target(Target::Pipe(Box::new(AboveBars))).format(|out, record| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = time_of_day(since.as_secs());
        writeln!(out, "{time} {:<5} {}", record.level(), record.args())
    });
    let _ = builder.try_init();
}

/// `12:00:01` in UTC.
fn time_of_day(unix_seconds: u64) -> String {
    let (minutes, seconds) = (unix_seconds / 60, unix_seconds % 60);
    format!("{:02}:{:02}:{seconds:02}", minutes / 60 % 24, minutes % 60)
}

/// Standard error, with the bars out of the way.
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
