//! Every value in a table is dropped exactly once, whatever panics. Run these tests under Miri.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

thread_local! {
    /// Number of drops of each value, by id.
    static DROPS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// A value that counts its drops, and whose heap memory lets Miri detect a use after the drop.
struct Counted {
    id: usize,
    sum: Box<u64>,
    panics_on_drop: bool,
}

impl Counted {
    fn new(sum: u64) -> Counted {
        let id = DROPS.with_borrow_mut(|drops| {
            drops.push(0);
            drops.len() - 1
        });
        Counted { id, sum: Box::new(sum), panics_on_drop: false }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.with_borrow_mut(|drops| drops[self.id] += 1);
        assert!(!self.panics_on_drop, "a destructor panics");
    }
}

fn drops() -> Vec<u32> {
    DROPS.take()
}

type Counts = Table<String, Counted>;

/// An operation on a table.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Replaces a value.
    Replace(u16),
    /// Changes a value in place.
    Change(u16),
    /// Panics in the closure that replaces a value, while it owns the value.
    PanicOwning(u16),
    /// Panics in the closure that changes a value, or in the one that creates the first value.
    PanicBorrowing(u16),
    KeepLowerHalf,
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..400_u16;
    let step = prop_oneof![
        6 => key.clone().prop_map(Step::Replace),
        6 => key.clone().prop_map(Step::Change),
        1 => key.clone().prop_map(Step::PanicOwning),
        1 => key.prop_map(Step::PanicBorrowing),
        1 => Just(Step::KeepLowerHalf),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 0..600)
}

/// Few distinct hashes, so that keys share them, probes are long and the tail grows; keys of all
/// lengths.
fn key(n: u16) -> (u64, String) {
    (u64::from(n % 5) * (u64::MAX / 4), "k".repeat(usize::from(n % 20)) + &n.to_string())
}

impl Step {
    fn run(self, table: &mut Counts) {
        let start = || Counted::new(1);
        let upsert = |table: &mut Counts, n: u16, add: &dyn Fn(Occupied<'_, Counted>)| {
            let (hash, key) = key(n);
            table.upsert(hash, &key, start, add);
        };
        match self {
            Step::Replace(n) => upsert(table, n, &|held| held.replace(|old| Counted::new(*old.sum + 1))),
            Step::Change(n) => upsert(table, n, &|held| *held.into_mut().sum += 1),
            Step::PanicOwning(n) => upsert(table, n, &|held| held.replace(|_old| panic!("owning"))),
            Step::PanicBorrowing(n) => {
                let (hash, key) = key(n);
                let panics = || panic!("no first value");
                table.upsert(hash, &key, panics, |held| panic!("a value of {}", held.into_mut().sum));
            }
            Step::KeepLowerHalf => table.keep_lower_half(),
            Step::Clear => table.clear(),
        }
    }
}

fn runner() -> TestRunner {
    let cases = if cfg!(miri) { 4 } else { 256 };
    // Miri cannot read proptest's files of past failures.
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Runs the steps and catches the panic of each. Every value that is still in the table must be alive.
fn check_drops(steps: Vec<Step>) {
    drops();
    let mut table = Counts::new(0, 1);
    for step in steps {
        let _ = catch_unwind(AssertUnwindSafe(|| step.run(&mut table)));
        let live = table.iter().map(|(_, _, value)| value.id).collect::<Vec<_>>();
        DROPS.with_borrow(|drops| {
            assert!(live.iter().all(|id| drops[*id] == 0), "after {step:?}: {drops:?}, live {live:?}");
        });
    }
    drop(table);
    assert!(drops().iter().all(|drops| *drops == 1));
}

#[test]
fn every_value_is_dropped_once_whatever_panics() {
    runner()
        .run(&steps(), |steps| {
            check_drops(steps);
            Ok(())
        })
        .unwrap();
}

#[test]
fn without_panics_a_table_holds_what_a_map_holds() {
    let run = |steps: Vec<Step>| {
        let (mut table, mut map) = (Counts::new(0, 1), BTreeMap::new());
        for step in steps {
            let (Step::Replace(n) | Step::Change(n)) = step else { continue };
            step.run(&mut table);
            *map.entry(key(n).1).or_insert(0) += 1;
        }
        let held: BTreeMap<String, u64> = table.iter().map(|(_, k, v)| (k.to_owned(), *v.sum)).collect();
        assert_eq!(held, map);
        Ok(())
    };
    runner().run(&steps(), run).unwrap();
}

#[test]
fn a_value_whose_closure_panics_is_dropped_once_although_the_panic_is_caught() {
    check_drops(vec![Step::Replace(1), Step::PanicOwning(1), Step::Replace(1)]);
}

#[test]
fn a_destructor_that_panics_while_a_table_is_cleared_runs_once() {
    drops();
    let mut table = Counts::new(0, 1);
    (0..30).for_each(|n| Step::Change(n).run(&mut table));
    let (hash, text) = key(7);
    table.upsert(hash, &text, || unreachable!(), |held| held.into_mut().panics_on_drop = true);
    assert!(catch_unwind(AssertUnwindSafe(|| table.clear())).is_err());
    drop(table);
    assert_eq!(drops(), [1; 30]);
}
