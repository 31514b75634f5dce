//! Runs a job in every setting and holds what comes out against the model.

use std::fmt::Debug;
use std::sync::LazyLock;

use kiln::row::Row;
use kiln::{Cluster, Config, Context, Dataset, Result, job};

/// Partitions of the input, and whether exchanges have several partitions.
const WIDTHS: [(usize, bool); 4] = [(1, false), (2, true), (7, false), (7, true)];
/// Seeds of the generated rows, when `KILN_TEST_SEED` gives none.
const SEEDS: [u64; 2] = [17, 4242];
/// Numbers of a range whose estimated size asks for several partitions behind an exchange.
const WIDE_ROWS: u64 = 12 << 20;

/// Where jobs run: contexts of the whole test binary, as starting executors takes longer than a test.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) cx: Context,
    /// No rows, of a source so large that exchanges behind it have several partitions.
    wide: LazyLock<Dataset<u64>, Box<dyn FnOnce() -> Dataset<u64> + Send>>,
}

/// Where, and over how many partitions, a job runs.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) place: &'static Place,
    /// Partitions of the input.
    pub(crate) partitions: usize,
    /// Whether exchanges have several partitions.
    pub(crate) is_wide: bool,
}

/// One slot, two slots, two executor processes.
pub(crate) fn places() -> &'static [Place] {
    static PLACES: LazyLock<[Place; 3]> = LazyLock::new(|| {
        [
            place("local[1]", Cluster::Local { slots: 1 }),
            place("local[2]", Cluster::Local { slots: 2 }),
            place("local-cluster[2,1]", Cluster::LocalCluster { executors: 2, slots: 1 }),
        ]
    });
    &*PLACES
}

/// Two slots of this process.
pub(crate) fn local() -> &'static Context {
    &places()[1].cx
}

fn place(name: &'static str, cluster: Cluster) -> Place {
    let config = Config {
        executor_args: ["kiln_executor", "--exact", "--nocapture"].map(String::from).into(),
        ..Config::new(cluster)
    };
    let cx = Context::new(config, job::Run::new(name.to_owned(), job::Progress::silent()));
    let source = cx.clone();
    let wide = move || source.range(0..WIDE_ROWS).filter(|_| false).cache();
    Place { name, cx, wide: LazyLock::new(Box::new(wide)) }
}

impl Setting {
    pub(crate) fn cx(&self) -> &'static Context {
        &self.place.cx
    }

    /// A dataset of `rows` as the setting says.
    pub(crate) fn rows<T: Row + Clone>(&self, rows: &[T]) -> Dataset<T> {
        let rows = self.cx().parallelize_in(self.partitions, rows.to_vec());
        if !self.is_wide {
            return rows.erase();
        }
        rows.union(self.place.wide.clone().flat_map_emit::<T>(|_, _| ()))
    }
}

/// Runs `test` for every seed, and prints the seed of a failure.
pub(crate) fn for_each_seed(test: impl Fn(u64)) {
    SEEDS.iter().for_each(|seed| for_seed(*seed, &test));
}

/// Runs `test` for one seed: enough where many types go through one test.
pub(crate) fn for_one_seed(test: impl Fn(u64)) {
    for_seed(SEEDS[0], &test);
}

fn for_seed(seed: u64, test: &dyn Fn(u64)) {
    struct SaysSeed(u64);
    impl Drop for SaysSeed {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the seed was {0}: KILN_TEST_SEED={0} runs it alone", self.0);
            }
        }
    }
    let asked = std::env::var("KILN_TEST_SEED").ok();
    let seed = asked.map_or(seed, |text| text.parse().expect("KILN_TEST_SEED is a number"));
    let _says = SaysSeed(seed);
    test(seed);
}

/// Runs `job` in every setting: it must give the rows `expected`, in this order.
#[track_caller]
pub(crate) fn check_ordered<T: Debug>(expected: &[T], job: impl Fn(Setting) -> Result<Vec<T>>) {
    let expected = texts(expected);
    for_each_setting(|setting, name| assert_same(name, &ran(name, job(setting)), &expected));
}

/// Runs `job` in every setting: it must give the rows `expected` in some order, and for the same
/// partitions this order must be the same in every place.
#[track_caller]
pub(crate) fn check<T: Debug>(expected: &[T], job: impl Fn(Setting) -> Result<Vec<T>>) {
    let expected = sorted(texts(expected));
    let mut first: Vec<String> = Vec::new();
    for_each_setting(|setting, name| {
        let rows = ran(name, job(setting));
        assert_same(name, &sorted(rows.clone()), &expected);
        if setting.place.name == places()[0].name {
            first = rows;
        } else {
            assert_same(&format!("{name}, against the order of {}", places()[0].name), &rows, &first);
        }
    });
}

/// The innermost loop is that over the places.
#[track_caller]
pub(crate) fn for_each_setting(mut test: impl FnMut(Setting, &str)) {
    for (partitions, is_wide) in WIDTHS {
        for place in places() {
            let width = if is_wide { "several partitions" } else { "one partition" };
            let name = format!("{}, {partitions} partitions, {width} behind exchanges", place.name);
            test(Setting { place, partitions, is_wide }, &name);
        }
    }
}

/// Rows as text: `NaN` is itself and `-0.0` is not `0.0`.
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

/// Says the first difference alone, as there may be thousands of rows.
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
