//! Plans as text: the stages of typical jobs, the reasons for exchanges, and the lines in the user's
//! code.
//!
//! Each text is the output of `explain`, with `(+2)` for the second line after the one of `line!()`. No
//! test of this file runs an action, so only `explain` itself could start a thread or a process here.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

use kiln::{Cluster, Config, Context, Dataset, Partitioner, job};

#[test]
fn word_count_combines_before_its_one_exchange() {
    let cx = Context::local(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.txt").to_string_lossy().into_owned();
    std::fs::write(&path, "a b a\n").unwrap();
    let at = line!();
    let counts = cx.read_text(&path);
    let words = counts.flat_map_to(str::split_whitespace);
    let pairs = words.map_to::<(String, u64)>(|word| (word, 1));
    let counts = pairs.reduce_by_key(|a, b| a + b);
    assert_plan(
        &counts,
        at,
        &"
stage 1: 1 task
  read_text PATH (+1), flat_map (+2), map (+3), combine for reduce_by_key (+4)
  → exchange 1 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+4)
stage 2: 1 task
  reduce_by_key (+4)
    read exchange 1
  → result
"
        .replace("PATH", &path),
    );
}

#[test]
fn a_join_behind_reduce_by_key_moves_only_the_other_side() {
    let cx = Context::local(2);
    let at = line!();
    let sums = cx.range(0..100).key_by(|n| n % 7).reduce_by_key(|a, b| a + b);
    let names = cx.parallelize([(1u64, "one".to_owned())]);
    let joined = sums.map_values(|n| n + 1).join(names);
    assert_plan(
        &joined,
        at,
        "
stage 1: 1 task
  range 0..100 (+1), key_by (+1), combine for reduce_by_key (+1)
  → exchange 1 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+1)
stage 2: 1 task
  parallelize (+2)
  → exchange 2 by hash of the key, 1 partition: join brings equal keys together (+3)
stage 3: 1 task
  join (+3)
    map_values (+3)
      reduce_by_key (+1)
        read exchange 1
    read exchange 2
  → result
",
    );
}

#[test]
fn a_join_of_two_placed_sides_moves_neither() {
    let cx = Context::local(2);
    let at = line!();
    let left = cx.range(0..100).key_by(|n| n % 7).reduce_by_key(|a, b| a + b);
    let right = cx.range(0..100).map(|n| n % 7).count_by_value();
    let joined = left.filter(|(_, sum)| sum > 9).join(right);
    assert_plan(
        &joined,
        at,
        "
stage 1: 1 task
  range 0..100 (+1), key_by (+1), combine for reduce_by_key (+1)
  → exchange 1 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+1)
stage 2: 1 task
  range 0..100 (+2), map (+2), map (+2), combine for count_by_value (+2)
  → exchange 2 by hash of the key, 1 partition: count_by_value brings equal keys together (+2)
stage 3: 1 task
  join (+3)
    filter (+3)
      reduce_by_key (+1)
        read exchange 1
    count_by_value (+2)
      read exchange 2
  → result
",
    );
}

#[test]
fn a_join_behind_a_map_moves_both_sides_as_keys_may_have_changed() {
    let cx = Context::local(2);
    let at = line!();
    let left = cx.range(0..100).key_by(|n| n % 7).reduce_by_key(|a, b| a + b).map(|(k, n)| (k + 1, n));
    let right = cx.range(0..100).key_by(|n| n + 1);
    let joined = left.join(right);
    assert_plan(
        &joined,
        at,
        "
stage 1: 1 task
  range 0..100 (+1), key_by (+1), combine for reduce_by_key (+1)
  → exchange 1 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+1)
stage 2: 1 task
  map (+1)
    reduce_by_key (+1)
      read exchange 1
  → exchange 2 by hash of the key, 1 partition: join brings equal keys together (+3)
stage 3: 1 task
  range 0..100 (+2), key_by (+2)
  → exchange 3 by hash of the key, 1 partition: join brings equal keys together (+3)
stage 4: 1 task
  join (+3)
    read exchange 2
    read exchange 3
  → result
",
    );
}

#[test]
fn sort_by_key_moves_ranges_of_keys() {
    let cx = Context::local(2);
    let at = line!();
    let pairs = cx.parallelize_in(3, [(2u64, true), (1, false)]);
    let sorted = pairs.filter(|(key, _)| key > 0).sort_by_key();
    let keys = sorted.map(|(key, _)| key);
    assert_plan(
        &keys,
        at,
        "
stage 1: 3 tasks
  parallelize (+1), filter (+2)
  → exchange 1 by range of the key, 3 partitions: sort_by_key puts ranges of keys in order (+2)
stage 2: 3 tasks
  map (+3)
    sort_by_key (+2)
      read exchange 1
  → result
",
    );
}

#[test]
fn union_moves_nothing() {
    let cx = Context::local(2);
    let at = line!();
    let numbers = cx.range(0..10).map(|n| n + 1);
    let union = numbers.union(cx.parallelize_in(3, [5u64]));
    let even = union.filter(|n| n % 2 == 0);
    assert_plan(
        &even,
        at,
        "
stage 1: 4 tasks
  filter (+3)
    UnionExec
      range 0..10 (+1), map (+1)
      parallelize (+2)
  → result
",
    );
}

#[test]
fn narrow_operators_and_a_source_are_one_step_of_one_stage() {
    let cx = Context::local(2);
    let at = line!();
    let shared = cx.share(3u64);
    let numbers = cx.range(0..10).map(|n| n + 1);
    let numbers = numbers.map_with(&shared, |shared, n| n * shared).filter(|n| n > 5);
    let pairs = numbers.flat_map(|n| [n; 2]).key_by(|n| n % 2);
    let erased = pairs.map_values(|n| n + 1).erase();
    let text = erased.flat_map_emit::<String>(|(key, n), emit| emit(&format!("{key} {n}")));
    assert_plan(
        &text,
        at,
        "
stage 1: 1 task
  flat_map_emit (+6)
    range 0..10 (+2), map (+2), map (+3), filter (+3), flat_map (+4), key_by (+4), map_values (+5)
  → result
",
    );
}

#[test]
fn pairs_that_lie_by_their_key_are_aggregated_where_they_are() {
    let cx = Context::local(2);
    let at = line!();
    let pairs = cx.range(0..10).key_by(|n| n % 3).partition_by(Partitioner::Hash(4));
    let sums = pairs.reduce_by_key(|a, b| a + b).map_values(|sum| sum % 7);
    let again = sums.fold_by_key(0, |a, b| a + b);
    assert_plan(
        &again,
        at,
        "
stage 1: 1 task
  range 0..10 (+1), key_by (+1)
  → exchange 1 by hash of the key, 4 partitions: partition_by brings equal keys together (+1)
stage 2: 4 tasks
  map_values (+2), fold_by_key where keys lie (+3)
    reduce_by_key where keys lie (+2)
      read exchange 1
  → result
",
    );
}

#[test]
fn a_cache_that_is_used_twice_is_one_stage() {
    let cx = Context::local(2);
    let at = line!();
    let pairs = cx.parallelize_in(3, [(1u64, 2u64)]).cache();
    let sums = pairs.clone().reduce_by_key(|a, b| a + b);
    let joined = pairs.join(sums);
    assert_plan(
        &joined,
        at,
        "
stage 1: 3 tasks
  parallelize (+1)
  → exchange 1 kept, 3 partitions: cache keeps these rows (+1)
stage 2: 3 tasks
  pass on
    read exchange 1
  → exchange 3 by hash of the key, 3 partitions: join brings equal keys together (+3)
stage 3: 3 tasks
  combine for reduce_by_key (+2)
    read exchange 1
  → exchange 2 by hash of the key, 3 partitions: reduce_by_key brings equal keys together (+2)
stage 4: 3 tasks
  join (+3)
    read exchange 3
    reduce_by_key (+2)
      read exchange 2
  → result
",
    );
}

#[test]
fn without_a_cache_rows_that_are_used_twice_are_computed_twice_but_exchanged_once() {
    let cx = Context::local(2);
    let at = line!();
    let sums = cx.range(0..10).key_by(|n| n % 2).reduce_by_key(|a, b| a + b);
    let doubled = sums.clone().union(sums);
    assert_plan(
        &doubled,
        at,
        "
stage 1: 1 task
  range 0..10 (+1), key_by (+1), combine for reduce_by_key (+1)
  → exchange 1 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+1)
stage 2: 2 tasks
  UnionExec
    reduce_by_key (+1)
      read exchange 1
    reduce_by_key (+1)
      read exchange 1
  → result
",
    );
}

/// Two rounds of a PageRank: each has one exchange of ranks, and links are exchanged once, before the
/// loop.
#[test]
fn the_rounds_of_a_page_rank_move_ranks_alone() {
    let cx = Context::local(2);
    let at = line!();
    let links = cx.parallelize([(1u64, 2u64), (2, 1)]);
    let placed = links.map_values(|to| to).reduce_by_key(|a, _| a).cache();
    let mut ranks: Dataset<(u64, f64)> = placed.clone().map_values(|_| 1.0).erase();
    for _ in 0..2 {
        let flow = placed.clone().join(ranks);
        let shares = flow.map(|(_, (to, rank))| (to, rank));
        ranks = shares.reduce_by_key(|a, b| a + b);
    }
    assert_plan(
        &ranks,
        at,
        "
stage 1: 1 task
  parallelize (+1), map_values (+2), combine for reduce_by_key (+2)
  → exchange 1 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+2)
stage 2: 1 task
  pass on
    reduce_by_key (+2)
      read exchange 1
  → exchange 2 kept, 1 partition: cache keeps these rows (+2)
stage 3: 1 task
  map (+6), combine for reduce_by_key (+7)
    join (+5)
      read exchange 2
      map_values (+3)
        read exchange 2
  → exchange 3 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+7)
stage 4: 1 task
  map (+6), combine for reduce_by_key (+7)
    join (+5)
      read exchange 2
      reduce_by_key (+7)
        read exchange 3
  → exchange 4 by hash of the key, 1 partition: reduce_by_key brings equal keys together (+7)
stage 5: 1 task
  reduce_by_key (+7)
    read exchange 4
  → result
",
    );
}

#[test]
fn explain_reads_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.txt");
    std::fs::write(&path, "a b a\n").unwrap();
    let counts = Context::local(2)
        .read_text(&path.to_string_lossy())
        .flat_map_to(str::split_whitespace)
        .count_by_value();
    let sorted = counts.sort_by_key();
    let before = sorted.explain().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(sorted.explain().unwrap(), before);
}

#[test]
fn explain_starts_no_thread_and_no_process() {
    let config = Config::new(Cluster::LocalCluster { executors: 3, slots: 2 });
    let cx = Context::new(config, job::Run::new("explain".to_owned(), job::Progress::silent()));
    let sorted = cx.range(0..1000).map(|n| (n % 7, n)).cache().sort_by_key();
    sorted.explain().unwrap();
    let threads: Vec<String> = own_threads().into_iter().filter(|name| name.starts_with("kiln-")).collect();
    assert_eq!(threads, [""; 0]);
    assert_eq!(children(), [0; 0]);
}

#[test]
fn explain_says_what_is_wrong_with_a_source() {
    let error =
        Context::local(1).read_text("/nowhere/at/all.txt").map_to::<String>(str::trim).explain().unwrap_err();
    assert_eq!(error.class(), kiln::Class::Config);
}

/// Compares the plan with `expected`, in which `(+N)` means the location N lines after `at`.
#[track_caller]
fn assert_plan<T: kiln::Row, C: kiln::chain::Chain<Out = T>>(rows: &Dataset<T, C>, at: u32, expected: &str) {
    let mut parts = expected.split("(+");
    let mut text = parts.next().unwrap_or("").trim_start().to_owned();
    for part in parts {
        let (lines, rest) = part.split_once(')').expect("a place ends");
        text += &format!("({}:{}){rest}", file!(), at + lines.parse::<u32>().expect("lines"));
    }
    let found = rows.explain().unwrap();
    assert!(found == text, "the plan is\n{found}\nexpected\n{text}");
}

/// The names of this process's threads.
fn own_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok()).collect()
}

/// The child processes of this process.
fn children() -> Vec<u32> {
    let me = std::process::id().to_string();
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    processes
        .filter(|pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(&me)
        })
        .collect()
}
