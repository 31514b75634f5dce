//! Where the time of a thread goes: what it computes, and which resource it waits for.
//!
//! A thread waits while it is neither running nor ready to run. Linux accounts for both: the thread's clock has the time
//! on a processor, `/proc/thread-self/schedstat` the time in the run queue (kernel documentation,
//! `scheduler/sched-stats.rst`). What is left of the wall time is waiting, and the code that waits names the resource.
//! Where the file is missing, a thread in the run queue counts as waiting.
//!
//! A reading costs about two microseconds, so sections are batches and files, not rows.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What can limit the speed of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Closures, decoding, encoding and compression.
    Processor,
    /// The system that rows are read from.
    Source,
    /// The network to the source, or between executors.
    Network,
    /// Memory: what was written to temporary files and read back for want of it.
    Memory,
    /// The local disk that rows are read from or written to.
    Disk,
    /// The system that rows are written to.
    Target,
}

impl Resource {
    /// All of them, in the order in which times are counted.
    pub const ALL: [Resource; 6] = [
        Resource::Processor,
        Resource::Source,
        Resource::Network,
        Resource::Memory,
        Resource::Disk,
        Resource::Target,
    ];

    /// As people and machines read it.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Processor => "processor",
            Resource::Source => "source",
            Resource::Network => "network",
            Resource::Memory => "memory",
            Resource::Disk => "disk",
            Resource::Target => "target",
        }
    }
}

/// Nanoseconds for each resource, in the order of [`Resource::ALL`].
pub type Spent = [u64; Resource::ALL.len()];

/// Wall time, and the time in which the thread ran or was ready to run.
#[derive(Clone, Copy)]
struct Reading {
    wall: Instant,
    busy: i64,
}

/// Waiting and busy nanoseconds that sections have counted.
#[derive(Clone, Copy, Default)]
struct Counted {
    waiting: i64,
    busy: i64,
}

struct Meter {
    began: Reading,
    /// Signed, as the two clocks of a reading are not read at the same moment.
    spent: [i64; Resource::ALL.len()],
    /// Of the busy time, what is not counted for the processor.
    busy_elsewhere: i64,
    /// What the sections inside of the current one have counted.
    inside: Counted,
}

thread_local! {
    static METER: RefCell<Option<Meter>> = const { RefCell::new(None) };
    /// Names the thread that opens it, so each thread has one.
    static SCHEDSTAT: Option<File> = File::open("/proc/thread-self/schedstat").ok();
}

/// Begins to measure this thread, from nothing.
pub fn start() {
    METER.set(Some(Meter {
        began: Reading::now(),
        spent: Default::default(),
        busy_elsewhere: 0,
        inside: Counted::default(),
    }));
}

/// Ends measuring this thread; returns what was counted since [`start`].
pub fn finish() -> Spent {
    let Some(mut meter) = METER.take() else { return Spent::default() };
    let busy = Reading::now().busy - meter.began.busy;
    meter.spent[Resource::Processor as usize] += busy - meter.busy_elsewhere;
    meter.spent.map(|nanos| u64::try_from(nanos).unwrap_or(0))
}

/// Runs `work`; the time in which this thread waits is counted for `resource`.
pub fn waiting<R>(resource: Resource, work: impl FnOnce() -> R) -> R {
    section(resource, false, work)
}

/// Runs `work`, which is done only because there is too little of `resource`: all of its time is counted for it.
pub fn spending<R>(resource: Resource, work: impl FnOnce() -> R) -> R {
    section(resource, true, work)
}

fn section<R>(resource: Resource, is_all: bool, work: impl FnOnce() -> R) -> R {
    let entered = METER.with_borrow_mut(|meter| {
        meter.as_mut().map(|meter| (Reading::now(), std::mem::take(&mut meter.inside)))
    });
    let Some((before, outside)) = entered else { return work() };
    let result = work();
    METER.with_borrow_mut(|meter| {
        if let Some(meter) = meter {
            meter.count(resource, is_all, before, outside);
        }
    });
    result
}

impl Meter {
    /// Counts a section that began at `before`, whose outer one has counted `outside` so far.
    fn count(&mut self, resource: Resource, is_all: bool, before: Reading, outside: Counted) {
        let now = Reading::now();
        let (wall, busy) = (nanos(now.wall.duration_since(before.wall)), now.busy - before.busy);
        let own = Counted { waiting: wall - busy - self.inside.waiting, busy: busy - self.inside.busy };
        self.spent[resource as usize] += own.waiting;
        self.inside.waiting += own.waiting + outside.waiting;
        self.inside.busy += outside.busy;
        if is_all {
            self.spent[resource as usize] += own.busy;
            self.busy_elsewhere += own.busy;
            self.inside.busy += own.busy;
        }
    }
}

impl Reading {
    fn now() -> Reading {
        let clock = clock_gettime(ClockId::ThreadCPUTime);
        let running = clock.tv_sec * 1_000_000_000 + clock.tv_nsec;
        Reading { wall: Instant::now(), busy: running + ready() }
    }
}

/// Nanoseconds that this thread has been in the run queue: the second number of the file.
fn ready() -> i64 {
    let mut text = [0; 96];
    let read = SCHEDSTAT.with(|file| file.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()));
    let text = std::str::from_utf8(&text[..read.unwrap_or(0)]).unwrap_or_default();
    text.split_ascii_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn nanos(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STEP: Duration = Duration::from_millis(60);

    /// Keeps the processor busy for a while.
    fn compute() {
        let began = clock_gettime(ClockId::ThreadCPUTime);
        let spent = || {
            let now = clock_gettime(ClockId::ThreadCPUTime);
            (now.tv_sec - began.tv_sec) * 1_000_000_000 + now.tv_nsec - began.tv_nsec
        };
        while spent() < nanos(STEP) {
            std::hint::black_box(spent());
        }
    }

    fn millis(spent: &Spent, resource: Resource) -> u64 {
        spent[resource as usize] / 1_000_000
    }

    #[test]
    fn waiting_is_counted_for_its_resource_and_computing_for_the_processor() {
        start();
        waiting(Resource::Source, || {
            std::thread::sleep(STEP);
            compute();
        });
        let spent = finish();
        assert!((55..200).contains(&millis(&spent, Resource::Source)), "{spent:?}");
        assert!(millis(&spent, Resource::Processor) >= 55, "{spent:?}");
        assert_eq!(millis(&spent, Resource::Target), 0);
    }

    #[test]
    fn a_section_inside_of_another_is_counted_once() {
        start();
        waiting(Resource::Target, || {
            std::thread::sleep(STEP);
            spending(Resource::Memory, || {
                compute();
                waiting(Resource::Disk, || std::thread::sleep(STEP));
            });
        });
        let spent = finish();
        for resource in [Resource::Target, Resource::Memory, Resource::Disk] {
            assert!((55..110).contains(&millis(&spent, resource)), "{resource:?} {spent:?}");
        }
        assert!(millis(&spent, Resource::Processor) < 30, "{spent:?}");
    }

    #[test]
    fn a_thread_that_is_not_measured_counts_nothing() {
        waiting(Resource::Source, || std::thread::sleep(Duration::from_millis(5)));
        assert_eq!(finish(), Spent::default());
    }
}
