//! Runs a job in every setting and compares its output with the model.
//!
//! Rows come from two fixed seeds and one that is new in every run, which covers new cases. Executors,
//! which take most of the time, run all settings only for the new seed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use kiln::row::Row;
use kiln::{Cluster, Config, Context, Dataset, Result, job};

/// Number of partitions of the input and after every exchange.
const PARTITIONS: [usize; 3] = [1, 2, 7];
/// Upper limit of the rows in a batch.
const BATCH_ROWS: [usize; 3] = [1, 7, 8192];
/// Seeds of the generated rows in addition to that of the run, if `KILN_TEST_SEED` is not set.
const SEEDS: [u64; 2] = [17, 4242];
/// Environment variable with the only seed to use.
const SEED: &str = "KILN_TEST_SEED";

thread_local! {
    /// Whether a test runs with only some of the settings, because another seed covers all of them.
    static SOME: Cell<bool> = const { Cell::new(false) };
}

/// A cluster for jobs. The contexts are shared by the whole test binary, because starting executors
/// takes longer than a test.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) cx: Context,
    partitions: usize,
    batch_rows: usize,
    /// Whether it belongs to the reduced settings.
    is_one_of_some: bool,
}

/// The cluster of a job and its number of partitions.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) place: &'static Place,
    /// Number of partitions of the input and after every exchange.
    pub(crate) partitions: usize,
}

/// Two slots, and two executor processes, with every number of partitions and every batch size; one
/// slot with some of them.
pub(crate) fn places() -> &'static [Place] {
    static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
        let mut places = Vec::new();
        let cluster = Cluster::LocalCluster { executors: 2, slots: 1 };
        for (i, partitions) in PARTITIONS.into_iter().enumerate() {
            places.push(place("local[1]", Cluster::Local { slots: 1 }, partitions, BATCH_ROWS[i], true));
            for (j, batch_rows) in BATCH_ROWS.into_iter().enumerate() {
                places.push(place("local[2]", Cluster::Local { slots: 2 }, partitions, batch_rows, true));
                let is_one_of_some = j == (i + 1) % 3;
                places.push(place("local-cluster[2,1]", cluster, partitions, batch_rows, is_one_of_some));
            }
        }
        places
    });
    &PLACES
}

/// A context with two slots in this process.
pub(crate) fn local() -> &'static Context {
    &kinds().nth(1).unwrap().cx
}

/// One slot, two slots, two executor processes: the places that differ in more than sizes.
pub(crate) fn kinds() -> impl Iterator<Item = &'static Place> {
    let mut names = Vec::new();
    places().iter().filter(move |place| {
        let is_new = !names.contains(&place.name);
        names.push(place.name);
        is_new
    })
}

fn place(
    name: &'static str,
    cluster: Cluster,
    partitions: usize,
    batch_rows: usize,
    is_one_of_some: bool,
) -> Place {
    let (exchange_partitions, exchange_slices) = (Some(partitions), Some(1 + partitions % 3));
    let config = Config { exchange_partitions, exchange_slices, batch_rows, ..config(cluster) };
    let cx = context(config, name);
    Place { name, cx, partitions, batch_rows, is_one_of_some }
}

/// A configuration whose executors run this test binary.
pub(crate) fn config(cluster: Cluster) -> Config {
    let executor_args = ["kiln_executor", "--exact", "--nocapture"].map(String::from).into();
    Config { executor_args, ..Config::new(cluster) }
}

/// A context for a single test.
pub(crate) fn context(config: Config, name: &str) -> Context {
    Context::new(config, job::Run::new(name.to_owned(), job::Progress::silent()))
}

impl Setting {
    pub(crate) fn cx(&self) -> &'static Context {
        &self.place.cx
    }

    /// A dataset of `rows` with the partitions of the setting.
    pub(crate) fn rows<T: Row + Clone>(&self, rows: &[T]) -> Dataset<T> {
        self.cx().parallelize_in(self.partitions, rows.to_vec()).erase()
    }
}

/// Runs `test` for every seed, and prints the seed of a failure.
pub(crate) fn for_each_seed(test: impl Fn(u64)) {
    if asked_seed().is_none() {
        SOME.set(true);
        SEEDS.iter().for_each(|seed| for_seed(*seed, &test));
        SOME.set(false);
    }
    for_one_seed(test);
}

/// Runs `test` only for the new seed, which is enough if a test covers many types.
pub(crate) fn for_one_seed(test: impl Fn(u64)) {
    static NEW: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish() >> 32);
    for_seed(asked_seed().unwrap_or(*NEW), &test);
}

fn asked_seed() -> Option<u64> {
    std::env::var(SEED).ok().map(|text| text.parse().expect("KILN_TEST_SEED is a number"))
}

fn for_seed(seed: u64, test: &dyn Fn(u64)) {
    struct SaysSeed(u64);
    impl Drop for SaysSeed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the seed was {0}: {SEED}={0} runs it alone", self.0);
            }
        }
    }
    let _says = SaysSeed(seed);
    test(seed);
}

/// Runs `job` in every setting: it must give the rows `expected`, in this order.
#[track_caller]
pub(crate) fn check_ordered<T: Debug>(expected: &[T], job: impl Fn(Setting) -> Result<Vec<T>>) {
    let expected = texts(expected);
    for_each_setting(|setting, name| assert_same(name, &ran(name, job(setting)), &expected));
}

/// Runs `job` in every setting: it must give the rows `expected` in any order, but for the same number
/// of partitions the order must be the same in every cluster.
#[track_caller]
pub(crate) fn check<T: Debug>(expected: &[T], job: impl Fn(Setting) -> Result<Vec<T>>) {
    let expected = sorted(texts(expected));
    let mut first: BTreeMap<usize, (String, Vec<String>)> = BTreeMap::new();
    for_each_setting(|setting, name| {
        let rows = ran(name, job(setting));
        assert_same(name, &sorted(rows.clone()), &expected);
        let (other, order) =
            first.entry(setting.partitions).or_insert_with(|| (name.to_owned(), rows.clone()));
        assert_same(&format!("{name}, against the order of {other}"), &rows, order);
    });
}

/// Runs `test` in every setting, with its name.
#[track_caller]
pub(crate) fn for_each_setting(mut test: impl FnMut(Setting, &str)) {
    for place in places().iter().filter(|place| place.is_one_of_some || !SOME.get()) {
        let Place { name, partitions, batch_rows, .. } = place;
        let name = format!("{name}, {partitions} partitions, batches of {batch_rows} rows");
        test(Setting { place, partitions: *partitions }, &name);
    }
}

/// Rows as text, in which `NaN` equals itself and `-0.0` differs from `0.0`.
fn texts<T: Debug>(rows: &[T]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort_unstable();
    rows
}

#[track_caller]
fn ran<T: Debug>(name: &str, outcome: Result<Vec<T>>) -> Vec<String> {
    match outcome {
        Ok(rows) => texts(&rows),
        Err(e) => panic!("{name}: the job failed: {e}"),
    }
}

/// Reports only the first difference, because there may be thousands of rows.
#[track_caller]
fn assert_same(name: &str, found: &[String], expected: &[String]) {
    let at = (0..found.len().max(expected.len())).find(|i| found.get(*i) != expected.get(*i));
    if let Some(at) = at {
        let (found_rows, expected_rows) = (found.len(), expected.len());
        panic!(
            "{name}: row {at} is {:?}, expected {:?} ({found_rows} rows, expected {expected_rows})",
            found.get(at),
            expected.get(at)
        );
    }
}
