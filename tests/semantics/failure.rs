//! A panic in a closure is a bug error that names the line, and the context still works afterwards.

use kiln::{Class, Context, Error};

use crate::support::kinds;

#[test]
fn a_panic_in_a_narrow_closure_is_a_bug_with_its_line() {
    for_each_place(|cx| {
        let error = cx.range(0..10).map(|n| if n == 7 { panic!("seven") } else { n }).collect().unwrap_err();
        assert_names(&error, "seven");
    });
}

#[test]
fn a_panic_before_an_exchange_is_a_bug_with_its_line() {
    for_each_place(|cx| {
        let pairs = cx.parallelize_in(3, (0..100u64).map(|n| (n % 5, n)));
        let error = pairs
            .reduce_by_key(|a, b| if b > 50 { panic!("too much") } else { a + b })
            .collect()
            .unwrap_err();
        assert_names(&error, "too much");
    });
}

#[test]
fn a_panic_behind_an_exchange_is_a_bug_with_its_line() {
    for_each_place(|cx| {
        let sums = cx.parallelize_in(3, (0..100u64).map(|n| (n % 5, n))).reduce_by_key(|a, b| a + b);
        let error =
            sums.map_values(|n: u64| n.checked_sub(10_000).expect("never enough")).count().unwrap_err();
        assert_names(&error, "never enough");
    });
}

/// The driver's own thread merges partial results of tasks.
#[test]
fn a_panic_while_results_of_partitions_meet_is_a_bug_with_its_line() {
    for_each_place(|cx| {
        let rows = cx.parallelize_in(2, [1u64, 2]);
        let error = rows.reduce(|_, _| panic!("two partitions meet")).unwrap_err();
        assert_names(&error, "two partitions meet");
    });
}

#[test]
fn a_panic_in_the_key_of_top_is_a_bug_with_its_line() {
    for_each_place(|cx| {
        let error = cx.range(0..5).top(2, |n| if n == 3 { panic!("no rank") } else { n }).unwrap_err();
        assert_names(&error, "no rank");
    });
}

#[test]
fn a_panic_in_one_of_many_tasks_fails_the_action_once() {
    for_each_place(|cx| {
        let rows = cx.parallelize_in(50, 0..500u64);
        let error = rows.map(|n: u64| if n == 321 { panic!("one of many") } else { n }).count().unwrap_err();
        assert_names(&error, "one of many");
    });
}

#[test]
fn a_cache_whose_computation_panicked_may_be_asked_again() {
    for_each_place(|cx| {
        let rows =
            cx.parallelize_in(3, 0..30u64).map(|n: u64| if n == 29 { panic!("the last") } else { n }).cache();
        assert_eq!(rows.count().unwrap_err().class(), Class::Bug);
        assert_eq!(rows.count().unwrap_err().class(), Class::Bug);
    });
}

#[test]
fn a_source_that_is_not_there_fails_the_action_and_not_the_program() {
    for_each_place(|cx| {
        let lines = cx.read_text("/nowhere/at/all.txt");
        assert_eq!(lines.count().unwrap_err().class(), Class::Config);
        let other = cx.parallelize(["here".to_owned()]);
        assert_eq!(other.clone().union(lines).collect().unwrap_err().class(), Class::Config);
        assert_eq!(other.collect().unwrap(), ["here"]);
    });
}

/// Runs `test` in every cluster; afterwards the context must still give correct results.
fn for_each_place(test: impl Fn(&Context)) {
    for place in kinds() {
        test(&place.cx);
        let counts = place.cx.parallelize_in(4, 0..100u64).map(|n: u64| n % 10).count_by_value();
        let right = counts.sort_by_key().collect().unwrap();
        assert_eq!(right, (0..10).map(|n| (n, 10)).collect::<Vec<_>>(), "{}", place.name);
    }
}

#[track_caller]
fn assert_names(error: &Error, message: &str) {
    let text = error.to_string();
    assert_eq!(error.class(), Class::Bug, "{text}");
    assert!(text.contains(message), "{text}");
    let place = format!("{}:{}", file!(), line_of(message));
    assert!(text.contains(&place), "{place} is not in: {text}");
}

/// The line of this file on which a closure panics with `message`.
fn line_of(message: &str) -> usize {
    let call = format!("(\"{message}\")");
    include_str!("failure.rs").lines().position(|line| line.contains(&call)).expect("a closure says so") + 1
}
