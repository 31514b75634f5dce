//! Detects closures that capture undeclared values.
//!
//! An executor would silently lack these values, so the job is refused before anything runs. In one process
//! the job works, with a warning that it would not work on executors.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::closure::Closure;
use crate::error::{Error, Result};

/// What happens to a job with undeclared captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captures {
    /// The job runs, after one warning with the text of the refusal.
    Warn,
    /// The job is refused.
    Refuse,
}

/// Checks the closures of one job.
pub fn check(closures: &[Closure], policy: Captures) -> Result<()> {
    let lines: BTreeSet<String> =
        closures.iter().filter(|c| c.captured_bytes > 0 || c.has_destructor).map(line).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let text: Vec<&str> = lines.iter().map(String::as_str).collect();
    let error = Error::config(format!("the job cannot run on executors: {}", text.join("; "))).help(ADVICE);
    match policy {
        Captures::Refuse => Err(error),
        Captures::Warn => {
            if is_new(&error) {
                log::warn!("{error}");
            }
            Ok(())
        }
    }
}

const ADVICE: &str = "declare the value with `let shared = cx.share(value)` and pass `&shared` to the operator's `…_with` \
                      form, which hands it to the closure: `filter_with(&shared, |shared, row| …)`; capture nothing, \
                      not even `shared`";

fn line(c: &Closure) -> String {
    let (what, bytes) = (c.operator, c.captured_bytes);
    if c.is_pointer {
        return format!("{}: `{what}` was given a function pointer: pass the function itself", c.site);
    }
    if bytes == 0 {
        return format!("{}: the closure of `{what}` captures a value with a destructor", c.site);
    }
    format!("{}: the closure of `{what}` captures {bytes} bytes that were not declared", c.site)
}

/// Whether this warning is new; a loop builds the same operators many times.
fn is_new(warning: &Error) -> bool {
    static GIVEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_string())
}
