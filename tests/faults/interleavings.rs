//! Attempts of one run in random interleavings: stopped, continued and killed at random moments and at named steps.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rustix::process::Signal;

use super::generated;
use super::job::{Ended, Running};
use super::place::{MODES, Place, numbers_from, with};

/// Steps at which an attempt may be stopped or killed; the ones that a place or mode does not have do nothing.
const STEPS: [&str; 9] = [
    "claimed",
    "commit.ready",
    "commit.checked",
    "commit.decided",
    "commit.applied",
    "commit.renamed",
    "commit.published",
    "commit.manifest",
    "commit.removed",
];
/// Partitions of the attempts.
const PARTITIONS: [u64; 3] = [1, 2, 4];
/// How much longer than a clean run a retry may take.
const LATENESS: Duration = Duration::from_secs(5);
/// The seed of the few rounds that every run of the tests makes; the long ones have a new one each time.
const SEED: u64 = 374_628_348_790_291_936;
/// The sabotage by which every attempt may publish.
const FENCELESS: &str = "fence";
/// How long a moment is waited for.
const MOMENT: std::ops::Range<u64> = 0..250;

/// How many places there are.
const PLACES: usize = 4;

/// What happens to an attempt.
#[derive(Clone, Copy, Debug)]
enum Event {
    Nothing,
    /// It is stopped this many milliseconds after its start, and goes on later.
    Stop(u64),
    Kill(u64),
    StopAt(usize),
    KillAt(usize),
}

/// Attempts 1 and 2 of a run, and attempt 3 when the second is killed.
#[derive(Clone, Copy, Debug)]
struct Story {
    /// Which of [`Place::nth`].
    place: usize,
    mode: usize,
    first: Event,
    second: Event,
    /// Milliseconds from the start of the first to that of the second, and from there until the first goes on.
    pauses: [u64; 2],
    /// Whether the first goes on only after the end of the second.
    is_ordered: bool,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Nothing),
        MOMENT.prop_map(Event::Stop),
        MOMENT.prop_map(Event::Kill),
        (0..STEPS.len()).prop_map(Event::StopAt),
        (0..STEPS.len()).prop_map(Event::KillAt),
    ]
}

fn story() -> impl Strategy<Value = Story> {
    let parts = (0..PLACES, 0..MODES.len(), event(), event(), [MOMENT, MOMENT]);
    parts.prop_map(|(place, mode, first, second, pauses)| Story {
        place,
        mode,
        first,
        second,
        pauses,
        is_ordered: false,
    })
}

/// An attempt with the event that it meets.
struct Attempt {
    number: u32,
    event: Event,
    job: Running,
}

impl Attempt {
    fn start(place: &Place, mode: &str, number: u32, event: Event, sabotage: &str) -> Attempt {
        let job = place.attempt(mode, 1000 * u64::from(number), number);
        // The number of files shows whose result an attempt reports.
        let job = job
            .option("--partitions", PARTITIONS[number as usize - 1].to_string())
            .env("KILN_SABOTAGE", sabotage);
        let job = match event {
            Event::StopAt(step) => job.env("KILN_FAILPOINT", format!("{}=stop", STEPS[step])),
            Event::KillAt(step) => job.env("KILN_FAILPOINT", format!("{}=kill", STEPS[step])),
            _ => job,
        };
        Attempt { number, event, job: job.start() }
    }

    /// Lets its event happen.
    fn meet(&self) {
        let (pause, signal) = match self.event {
            Event::Stop(pause) => (pause, Signal::STOP),
            Event::Kill(pause) => (pause, Signal::KILL),
            _ => return,
        };
        std::thread::sleep(Duration::from_millis(pause));
        self.job.signal(signal);
    }

    /// Waits for its end, which a stop at a step may keep off.
    fn end(self) -> (u32, Ended) {
        let pid = self.job.pid();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    super::job::send(pid, Signal::CONT);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let ended = self.job.wait();
            is_over.store(true, std::sync::atomic::Ordering::SeqCst);
            ended
        });
        (self.number, ended)
    }
}

/// Plays a story; the error names the promise that was broken.
fn play(story: Story, sabotage: &str) -> Result<(), String> {
    let place = Place::nth(story.place);
    let mode = MODES[story.mode];
    let before = place.prepare(mode);
    let publishes = place.publishes();
    let first = Attempt::start(&place, mode, 1, story.first, sabotage);
    first.meet();
    if story.is_ordered {
        first.job.wait_until_stopped();
    }
    std::thread::sleep(Duration::from_millis(story.pauses[0]));
    let second = Attempt::start(&place, mode, 2, story.second, sabotage);
    second.meet();
    std::thread::sleep(Duration::from_millis(story.pauses[1]));
    // A lock on disk is held by whoever was stopped in its commit: it has to go on, or the second waits for it.
    let mut ended = Vec::new();
    let first = if story.is_ordered {
        ended.push(second.end());
        std::thread::spawn(move || first.end())
    } else {
        let first = std::thread::spawn(move || first.end());
        ended.push(second.end());
        first
    };
    if ended[0].1.killed_by().is_some() {
        ended.push(Attempt::start(&place, mode, 3, Event::Nothing, sabotage).end());
    }
    ended.push(first.join().unwrap());
    ended.sort_by_key(|(number, _)| *number);
    judge(&place, mode, &before, publishes, &ended)
}

fn judge(
    place: &Place,
    mode: &str,
    before: &[u64],
    publishes: u64,
    ended: &[(u32, Ended)],
) -> Result<(), String> {
    let said = || ended.iter().map(|(n, e)| format!("{n}: {:?}\n{}", e.code(), e.stderr)).collect::<String>();
    let Some(numbers) = place.try_numbers() else { return Err(format!("a file is missing\n{}", said())) };
    let winner = (1..4).find(|number| numbers == with(before, 1000 * *number));
    let Some(winner) = winner else {
        let thousands: std::collections::BTreeSet<u64> = numbers.iter().map(|n| n / 1000).collect();
        let found = format!("{} numbers of the thousands {thousands:?}", numbers.len());
        return Err(format!("not one publish: {found}\n{}", said()));
    };
    if place.publishes() != publishes + 1 {
        return Err(format!("{} publishes after {publishes}\n{}", place.publishes(), said()));
    }
    for (number, ended) in ended {
        let broken = match ended.code() {
            // Whoever did not publish itself reports what the winner has published.
            Some(0) if ended.json()["outputs"][0]["files"] != files_of(winner, mode) => {
                "exit 0 with another result"
            }
            Some(0) if ended.json()["version"] != place.version() => "exit 0 with another version",
            Some(0) if u64::from(*number) < winner => "exit 0 of an attempt that a newer one has replaced",
            Some(0) => continue,
            Some(73) if ended.json()["outputs"] != serde_json::json!([]) => "fenced with an output",
            Some(73) if u64::from(*number) < winner => continue,
            None => continue,
            _ => "an unexpected end",
        };
        return Err(format!("attempt {number} of which {winner} won: {broken}\n{}", said()));
    }
    let (last, end) = ended.last().unwrap();
    if end.code() != Some(0) {
        return Err(format!("the last attempt {last} did not end well\n{}", said()));
    }
    let is_killed = ended.iter().any(|(_, ended)| ended.killed_by().is_some());
    match place.left() {
        left if !left.is_empty() && !is_killed => Err(format!("{left:?} is left\n{}", said())),
        _ => Ok(()),
    }
}

/// The files of an attempt: one for each partition, and in folders by day one for each day in each partition.
fn files_of(number: u64, mode: &str) -> u64 {
    let at = number as usize - 1;
    if mode == "replace-partitions" { [3, 4, 6][at] } else { PARTITIONS[at] }
}

#[test]
fn two_attempts_in_random_interleavings_publish_once() {
    generated::for_each_from(SEED, 12, story(), |story| play(story, "").unwrap());
}

#[test]
#[ignore = "slow"]
fn two_hundred_random_interleavings_publish_once() {
    generated::for_each(200, story(), |story| play(story, "").unwrap());
}

#[test]
fn without_the_fence_an_interleaving_goes_wrong() {
    for (place, mode) in (0..PLACES).zip([1, 2, 4, 1]) {
        let (first, second) = (Event::StopAt(1), Event::Nothing);
        let story = Story { place, mode, first, second, pauses: [0, 0], is_ordered: true };
        play(story, "").unwrap();
        let broken = play(story, FENCELESS).expect_err("the fence is off");
        assert!(!broken.contains("unexpected end"), "{broken}");
    }
}

/// An attempt that is killed at a random moment, and its retry at once.
#[derive(Clone, Copy, Debug)]
struct Kill {
    /// Which of [`Place::nth`].
    place: usize,
    mode: usize,
    /// Milliseconds after its start.
    moment: u64,
}

/// Kills at moments of a clean run, and the time that the slowest clean run takes.
fn kills() -> (impl Strategy<Value = Kill>, Duration) {
    let clean = (0..PLACES).map(|place| {
        let place = Place::nth(place);
        let begun = Instant::now();
        place.job("error", 0).run().ok();
        begun.elapsed()
    });
    let clean = clean.max().unwrap();
    let parts = (0..PLACES, 0..MODES.len(), 0..clean.as_millis() as u64);
    (parts.prop_map(|(place, mode, moment)| Kill { place, mode, moment }), clean)
}

/// Kills an attempt and runs the next one; the error names the promise that was broken.
fn kill_and_retry(kill: Kill, clean: Duration, sabotage: &str) -> Result<(), String> {
    let (place, mode) = (Place::nth(kill.place), MODES[kill.mode]);
    let before = place.prepare(mode);
    let publishes = place.publishes();
    let killed = Attempt::start(&place, mode, 1, Event::Kill(kill.moment), sabotage);
    killed.meet();
    let begun = Instant::now();
    let retry = Attempt::start(&place, mode, 2, Event::Nothing, sabotage).job.wait();
    let taken = begun.elapsed();
    if taken > clean + LATENESS {
        return Err(format!("the retry took {taken:?}, a clean run {clean:?}"));
    }
    judge(&place, mode, &before, publishes, &[(1, killed.job.wait()), (2, retry)])
}

#[test]
fn a_retry_right_after_a_random_kill_publishes_once() {
    let (kills, clean) = kills();
    generated::for_each_from(SEED, 8, kills, |kill| kill_and_retry(kill, clean, "").unwrap());
}

#[test]
#[ignore = "slow"]
fn a_retry_right_after_each_of_a_hundred_random_kills_publishes_once() {
    let (kills, clean) = kills();
    generated::for_each(100, kills, |kill| kill_and_retry(kill, clean, "").unwrap());
}

#[test]
#[ignore = "slow"]
fn without_the_fence_two_hundred_random_interleavings_go_wrong() {
    let failure = generated::first_failure(200, story(), |story| play(story, FENCELESS));
    let (number, error) = failure.expect("the fence is off");
    println!("number {number} goes wrong: {}", error.lines().next().unwrap_or_default());
}

#[test]
#[ignore = "slow"]
fn without_the_fence_a_hundred_random_kills_go_wrong() {
    let (kills, clean) = kills();
    let failure = generated::first_failure(100, kills, |kill| kill_and_retry(kill, clean, FENCELESS));
    let (number, error) = failure.expect("the fence is off");
    println!("number {number} goes wrong: {}", error.lines().next().unwrap_or_default());
}

#[test]
fn an_attempt_stays_fenced_when_the_newer_one_has_given_up() {
    for place in (0..PLACES).map(Place::nth) {
        let old = place.attempt("overwrite", 0, 1).env("KILN_FAILPOINT", "commit.ready=stop").start();
        old.wait_until_stopped();
        let gate = tempfile::tempdir().unwrap();
        let new = place.attempt("overwrite", 1000, 2).option("--gate", gate.path()).start();
        super::folder::wait_for(gate.path(), "waits-", 1);
        new.signal(Signal::TERM);
        new.wait().exits(143);
        old.signal(Signal::CONT);
        old.wait().fails(73, "fenced", &["a newer attempt of this run has taken over"]);
        place.attempt("overwrite", 2000, 3).run().ok();
        assert_eq!(place.numbers(), with(&[], 2000));
    }
}

#[test]
fn a_commit_that_is_cut_off_while_its_retry_begins_is_settled_by_the_retry() {
    let (place, gate) = (Place::s3(), tempfile::tempdir().unwrap());
    let old = place.attempt("append-once", 0, 1).env("KILN_FAILPOINT", "commit.published=kill");
    let old = old.option("--gate", gate.path()).start();
    super::folder::wait_for(gate.path(), "waits-", 1);
    let new = place.attempt("append-once", 1000, 2).env("KILN_FAILPOINT", "begun=stop").start();
    new.wait_until_stopped();
    std::fs::write(gate.path().join("open"), "").unwrap();
    assert_eq!(old.wait().killed_by(), Some(9));
    assert_eq!(place.version(), 0);
    new.signal(Signal::CONT);
    new.wait().ok();
    assert_eq!((place.numbers(), place.version(), place.left()), (numbers_from(0), 1, Vec::new()));
}

#[test]
fn files_of_an_attempt_that_claims_meanwhile_are_no_output() {
    for is_attempt in [true, false] {
        let place = Place::s3();
        let old = if is_attempt { place.attempt("error", 0, 1) } else { place.job("error", 0) };
        let old = old.env("KILN_FAILPOINT", "looked=stop").start();
        old.wait_until_stopped();
        let new = place.attempt("error", 1000, 2).env("KILN_FAILPOINT", "commit.ready=stop").start();
        new.wait_until_stopped();
        let (_, old) = Attempt { number: 1, event: Event::Nothing, job: old }.end();
        old.exits(if is_attempt { 73 } else { 0 });
        new.signal(Signal::CONT);
        new.wait().exits(if is_attempt { 0 } else { 78 });
        assert_eq!(place.numbers(), numbers_from(if is_attempt { 1000 } else { 0 }));
        assert_eq!((place.version(), place.left()), (1, Vec::new()));
    }
}

#[test]
fn an_older_attempt_that_begins_after_the_newer_one_has_published_is_fenced() {
    for place in (0..PLACES).map(Place::nth) {
        place.attempt("append", 1000, 2).run().ok();
        let old = place.attempt("append", 0, 1).run();
        old.fails(73, "fenced", &["a newer attempt of this run has taken over"]);
        place.attempt("append", 2000, 3).run().ok();
        assert_eq!((place.numbers(), place.publishes()), (numbers_from(1000), 1));
    }
}
