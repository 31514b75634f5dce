//! The processes that wait for this one: its parent, and the shells between it and its caller.
//!
//! A scheduler often starts a job through a shell, which outlives the scheduler's own process. The
//! chain of parents is therefore followed up to the first process outside of this process group: a
//! shell script shares the group of its commands, while an interactive shell gives each of them a new
//! group. When a link of the chain changes, nobody waits for the job any more.

use std::fs;

/// The process that adopts orphans and starts services. It is not a caller that could exit.
const INIT: i32 = 1;
/// Upper limit of the links that are followed, in case /proc is inconsistent.
const MAX_LINKS: usize = 16;

/// The fields of a process in /proc.
#[derive(Clone, Copy, Debug)]
struct Process {
    parent: i32,
    group: i32,
}

/// The chain of processes from this one up to its caller: each with its original parent.
pub(super) struct Callers(Vec<(i32, i32)>);

impl Callers {
    /// The callers of this process; `None` if it was started by the system.
    pub(super) fn of_this_process() -> Option<Callers> {
        Callers::of(std::process::id().cast_signed(), read)
    }

    fn of(me: i32, read: impl Fn(i32) -> Option<Process>) -> Option<Callers> {
        let group = read(me)?.group;
        let (mut links, mut pid) = (Vec::new(), me);
        while links.len() < MAX_LINKS {
            let Some(process) = read(pid).filter(|process| process.parent > INIT) else { break };
            if pid != me && process.group != group {
                break;
            }
            links.push((pid, process.parent));
            pid = process.parent;
        }
        (!links.is_empty()).then_some(Callers(links))
    }

    /// Whether one of them has exited.
    pub(super) fn have_ended(&self) -> bool {
        self.differ(read)
    }

    fn differ(&self, read: impl Fn(i32) -> Option<Process>) -> bool {
        self.0.iter().any(|(pid, parent)| read(*pid).is_none_or(|now| now.parent != *parent))
    }
}

fn read(pid: i32) -> Option<Process> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses `412 (name) S 1 412 …`. The name may contain blanks and parentheses.
fn parse(stat: &str) -> Option<Process> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(1);
    let mut number = || fields.next()?.parse().ok();
    Some(Process { parent: number()?, group: number()? })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A process table: for each id its parent and group.
    fn table(rows: &[(i32, i32, i32)]) -> impl Fn(i32) -> Option<Process> {
        let rows: HashMap<i32, Process> = rows
            .iter()
            .map(|(pid, parent, group)| (*pid, Process { parent: *parent, group: *group }))
            .collect();
        move |pid| rows.get(&pid).copied()
    }

    #[test]
    fn the_fields_of_a_process_follow_its_name() {
        let process = parse("7 (a) b (c) S 5 6 7 0 -1").unwrap();
        assert_eq!((process.parent, process.group), (5, 6));
        assert!(parse("7 (a").is_none());
    }

    #[test]
    fn the_shell_between_job_and_scheduler_is_followed() {
        // The scheduler 10 runs the shell 20, which leads a group and runs the job 30.
        let before = table(&[(30, 20, 20), (20, 10, 20), (10, 9, 10), (9, 1, 9)]);
        let callers = Callers::of(30, &before).unwrap();
        assert_eq!(callers.0, [(30, 20), (20, 10)]);
        assert!(!callers.differ(&before));
        assert!(callers.differ(table(&[(30, 20, 20), (20, 1, 20)])), "the scheduler has ended");
        assert!(callers.differ(table(&[(30, 1, 20)])), "the shell has ended");
    }

    #[test]
    fn an_interactive_shell_is_the_caller_and_its_terminal_is_not_followed() {
        let callers = Callers::of(30, table(&[(30, 20, 30), (20, 10, 20), (10, 1, 10)])).unwrap();
        assert_eq!(callers.0, [(30, 20)]);
    }

    #[test]
    fn what_the_system_starts_has_no_caller() {
        assert!(Callers::of(30, table(&[(30, 1, 30)])).is_none());
        assert!(Callers::of(30, table(&[(30, 0, 30)])).is_none(), "the parent is outside of the container");
        assert!(Callers::of_this_process().is_none_or(|callers| !callers.have_ended()));
    }
}
