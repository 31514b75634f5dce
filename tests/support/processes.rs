//! Finds the processes of a job in /proc, even those that have lost their parent.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The variable that all processes of one job inherit.
pub(crate) const MARK: &str = "KILN_TEST_MARK";

/// Interval at which /proc is checked, because it has no notifications.
const LOOK: Duration = Duration::from_millis(5);

/// Starts `program` with the default action for SIGHUP. Tests under `nohup` ignore it, and so would
/// their children.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=HUP").arg(program);
    command
}

/// The processes whose environment contains the mark of the job, in ascending order.
///
/// A zombie process has no environment any more.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let variable = format!("{MARK}={mark}");
    let holds = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(holds)
        .collect();
    pids.sort_unstable();
    pids
}

/// Those of them that still exist after `limit`.
pub(crate) fn left_after(mark: &str, limit: Duration) -> Vec<u32> {
    let end = Instant::now() + limit;
    loop {
        let left = marked(mark);
        if left.is_empty() || Instant::now() > end {
            return left;
        }
        std::thread::sleep(LOOK);
    }
}

/// Peak memory of process `pid` so far; `None` after its exit.
pub(crate) fn peak_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

/// Whether process `pid` is still running.
pub(crate) fn runs(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
