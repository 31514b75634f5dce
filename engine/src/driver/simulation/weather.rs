//! The random input of the simulation: numbers, faults and the shape of jobs.

use super::super::{ExchangeId, JobId, JobSpec, StageId, StageSpec};

/// A small generator (splitmix64); the same seed gives the same numbers on every machine.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True with a probability of `often` in a thousand.
    pub(super) fn permille(&mut self, often: u64) -> bool {
        self.next() % 1000 < often
    }
}

/// How often faults occur, in a thousand; tasks are counted unless the field names something else.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) transient: u64,
    pub(super) fatal: u64,
    /// The executor crashes while it runs the task.
    pub(super) crash: u64,
    /// The executor stops sending messages.
    pub(super) mute: u64,
    /// The executor loses what it stores of one exchange, but stays alive.
    pub(super) rot: u64,
    /// A status arrives twice; of statuses.
    pub(super) twice: u64,
    /// The job is cancelled; of jobs.
    pub(super) cancel: u64,
    /// The longest delay of a message.
    pub(super) delay_ms: u64,
}

/// Whether this seed has no faults.
pub(super) fn is_calm(seed: u64) -> bool {
    seed.is_multiple_of(5)
}

impl Weather {
    pub(super) fn of(seed: u64) -> Weather {
        let mild = Weather {
            transient: 40,
            crash: 15,
            mute: 5,
            rot: 15,
            twice: 200,
            delay_ms: 800,
            ..Weather::default()
        };
        match seed % 5 {
            0 => Weather { delay_ms: 5, ..Weather::default() },
            1 => Weather { transient: 200, twice: 500, delay_ms: 2000, ..Weather::default() },
            2 => Weather { fatal: 3, cancel: 100, ..mild },
            3 => Weather { rot: 150, ..mild },
            _ => Weather { transient: 60, crash: 60, mute: 30, rot: 60, twice: 300, delay_ms: 3000, ..mild },
        }
    }
}

/// One to three jobs; the later ones share some stages with the first.
pub(super) fn jobs(chance: &mut Chance) -> Vec<JobSpec> {
    let first = stages(chance, Vec::new(), 0);
    let mut jobs = vec![JobSpec { id: JobId(0), stages: first.clone(), kept: Vec::new() }];
    for id in 1..chance.between(1, 3) {
        let shared = chance.between(0, first.len() as u64) as usize;
        let stages = stages(chance, first[..shared].to_vec(), id);
        jobs.push(JobSpec { id: JobId(id), stages, kept: Vec::new() });
    }
    jobs
}

/// Adds stages to `stages`, up to six in all; the result has at least one.
fn stages(chance: &mut Chance, mut stages: Vec<StageSpec>, job: u64) -> Vec<StageSpec> {
    let least = stages.len().max(1) as u64;
    let count = chance.between(least, 6);
    for id in stages.len() as u64..count {
        let earlier = stages.iter().map(|stage: &StageSpec| stage.output);
        // The nearest earlier stage is read more often, which makes for long chains.
        let reads = |output: &ExchangeId| chance.permille(if output.0 % 10 + 1 == id { 750 } else { 300 });
        let inputs: Vec<ExchangeId> = earlier.filter(reads).collect();
        stages.push(StageSpec {
            id: StageId(id as u32),
            output: ExchangeId(job * 10 + id),
            inputs,
            partitions: if chance.permille(30) { 0 } else { chance.between(1, 6) as u32 },
            durable: chance.permille(if id + 1 == count { 300 } else { 50 }),
            keep: chance.permille(200),
        });
    }
    stages
}
