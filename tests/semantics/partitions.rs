//! Operators that see more than one row at a time: whole partitions, batches, and external commands.

use std::sync::Arc;

use kiln::arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use kiln::arrow::compute::filter_record_batch;
use kiln::arrow::datatypes::UInt64Type;
use kiln::{Class, Error};

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed, for_each_setting, kinds, local};

#[test]
fn map_partitions_sees_the_rows_of_every_partition_in_order() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(150, Random::line);
        for_each_setting(|s, name| {
            let n = s.partitions;
            let cut = |p: usize| lines.len() * p / n;
            let expected: Vec<(u64, String)> = (0..n)
                .flat_map(|p| lines[cut(p)..cut(p + 1)].iter().map(move |line| (p as u64, line.clone())))
                .collect();
            let rows =
                s.rows(&lines).map_partitions(|index, rows| rows.map(move |line| (index as u64, line)));
            assert_eq!(rows.collect().unwrap(), expected, "{name}");
        });
    });
}

#[test]
fn map_partitions_with_hands_over_the_shared_value_and_counts() {
    for_each_seed(|seed| {
        let numbers = Random::new(seed).rows(150, |r| r.below(100));
        let expected: Vec<u64> = numbers.iter().map(|n| n + 7).collect();
        check_ordered(&expected, |s| {
            let counter = s.cx().counter("rows of partitions");
            let before = counter.value();
            let shared = s.cx().share((7u64, counter.clone()));
            // Both threads of the task count: the one before the closure and the one that runs it.
            let rows = s.rows(&numbers).inspect_with(&counter, |counter, _| counter.add(1));
            let sums = rows.map_partitions_with(&shared, |shared, _, rows| {
                rows.map(move |n| {
                    shared.1.add(1);
                    n + shared.0
                })
            });
            let sums = sums.collect();
            assert_eq!(counter.value() - before, 300);
            sums
        });
    });
}

#[test]
fn a_closure_of_a_partition_may_stop_early_and_a_consumer_may_too() {
    let numbers: Vec<u64> = (0..50_000).collect();
    for_each_setting(|s, name| {
        if name.contains("of 1 rows") {
            return; // a batch a row: slow, and the same
        }
        let rows = s.rows(&numbers).filter(|_| true);
        let first = rows.clone().map_partitions(|_, rows| rows.take(2).collect::<Vec<_>>());
        assert_eq!(first.count().unwrap(), 2 * s.partitions as u64, "{name}");
        assert_eq!(rows.map_partitions(|_, rows| rows).take(3).unwrap(), [0, 1, 2], "{name}");
    });
}

#[test]
fn what_fails_before_or_inside_a_closure_of_a_partition_fails_the_job() {
    let numbers: Vec<u64> = (0..1000).collect();
    for place in kinds() {
        let rows = || place.cx.parallelize_in(2, numbers.clone());
        let before = rows().map(|n| if n == 700 { panic!("bad luck") } else { n });
        let error = before.map_partitions(|_, rows| [rows.count() as u64]).collect().unwrap_err();
        assert!(error.to_string().starts_with("the job panicked: bad luck, at file"), "{error}");
        let inside = rows().map_partitions(|index, rows| rows.map(move |n| [n][index]));
        let error = inside.collect().unwrap_err();
        assert_eq!(error.class(), Class::Bug);
        assert!(error.to_string().contains("partitions.rs"), "{error}");
    }
}

#[test]
fn map_batches_gives_the_columns_that_the_closure_makes() {
    for_each_seed(|seed| {
        let pairs = Random::new(seed).rows(200, |r| (r.line(), r.below(100)));
        let expected: Vec<(u64, String)> =
            pairs.iter().filter(|(_, n)| n % 2 == 0).map(|(line, n)| (n + 3, line.to_uppercase())).collect();
        check_ordered(&expected, |s| {
            let even = |batch: RecordBatch| -> kiln::Result<RecordBatch> {
                let numbers = batch.column(1).as_primitive::<UInt64Type>();
                let even: BooleanArray = numbers.iter().map(|n| n.map(|n| n % 2 == 0)).collect();
                Ok(filter_record_batch(&batch, &even)?)
            };
            let shared = s.cx().share(3u64);
            let kept = s.rows(&pairs).map_batches::<(String, u64)>(even);
            let turned = kept.filter(|_| true).map_batches_with::<(u64, String), _>(&shared, |by, batch| {
                let lines: StringArray = batch
                    .column(0)
                    .as_string::<i32>()
                    .iter()
                    .map(|line| line.map(str::to_uppercase))
                    .collect();
                let numbers: UInt64Array = batch.column(1).as_primitive::<UInt64Type>().unary(|n| n + by);
                Ok(RecordBatch::try_from_iter([
                    ("n", Arc::new(numbers) as Arc<dyn Array>),
                    ("line", Arc::new(lines)),
                ])?)
            });
            turned.collect()
        });
    });
}

#[test]
fn columns_that_do_not_fit_the_row_type_are_a_bug_with_both_types() {
    for place in kinds() {
        let rows = || place.cx.parallelize_in(2, 0..10u64);
        let error = rows().map_batches::<String>(Ok).collect().unwrap_err();
        assert_eq!(error.class(), Class::Bug);
        let text = error.to_string();
        assert!(
            text.starts_with("map_batches returned the type UInt64, expected Utf8, at column value"),
            "{text}"
        );
        let error = rows().map_batches::<(u64, u64)>(Ok).collect().unwrap_err().to_string();
        assert!(error.starts_with("map_batches returned 1 columns, expected 2, at line"), "{error}");
        let nulls = rows().map(|n: u64| (n > 3).then_some(n)).map_batches::<u64>(Ok);
        let error = nulls.collect().unwrap_err().to_string();
        assert!(error.contains("nulls, expected none"), "{error}");
        let refusing = rows().map_batches::<u64>(|_| Err(Error::data("not these")));
        assert_eq!(refusing.collect().unwrap_err().class(), Class::Data);
    }
}

#[test]
fn pipe_sends_each_partition_through_a_process() {
    for_each_seed(|seed| {
        let lines = Random::new(seed).rows(60, Random::line);
        check_ordered(&lines, |s| s.rows(&lines).pipe("cat", [""; 0]).collect());
        let upper: Vec<String> = lines.iter().map(|line| line.replace('e', "E")).collect();
        check_ordered(&upper, |s| s.rows(&lines).pipe("sed", ["s/e/E/g"]).collect());
        for_each_setting(|s, name| {
            let counts = s.rows(&lines).pipe("wc", ["-l"]).collect().unwrap();
            let sum: usize = counts.iter().map(|count| count.trim().parse::<usize>().unwrap()).sum();
            assert_eq!((counts.len(), sum), (s.partitions, lines.len()), "{name}");
        });
    });
}

#[test]
fn pipe_env_gives_the_command_variables_on_every_executor() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let (lines, value) = (random.rows(40, Random::line), random.string());
        let expected: Vec<String> = lines.iter().map(|line| format!("{value}:{line}")).collect();
        check_ordered(&expected, |s| {
            let script = r#"while IFS= read -r line; do printf '%s:%s\n' "$KILN_TEST_WORD" "$line"; done"#;
            let env = [("KILN_TEST_WORD", "an earlier value"), ("KILN_TEST_WORD", &value)];
            s.rows(&lines).pipe_env("sh", ["-c", script], env).collect()
        });
    });
    // The variables of the process itself are kept.
    let path = local().parallelize_in(1, [String::new()]).pipe_env("sh", ["-c", "echo $PATH"], [("A", "b")]);
    assert_eq!(path.collect().unwrap(), [std::env::var("PATH").unwrap()]);
}

#[test]
fn variables_that_no_environment_can_hold_are_config_errors_that_do_not_show_the_value() {
    for (name, value) in [("", "secret"), ("A=B", "secret"), ("A\0", "secret"), ("A", "secret\0")] {
        let rows = local().parallelize_in(1, [String::new()]);
        let error = rows.pipe_env("cat", [""; 0], [(name, value)]).collect().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
        assert!(
            error.to_string().contains(&format!("{name:?}")) && !error.to_string().contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn pipe_does_not_wait_for_a_command_that_answers_early_or_reads_nothing() {
    // More than any pipe holds, in both directions.
    let rows = |cx: &kiln::Context| cx.range_in(1, 0, 200_000, 1).map(|n| format!("line {n}")).erase();
    for place in kinds() {
        let echoed = rows(&place.cx).pipe("cat", [""; 0]);
        assert_eq!(echoed.count().unwrap(), 200_000, "{}", place.name);
        assert_eq!(echoed.take(2).unwrap(), ["line 0", "line 1"], "{}", place.name);
        assert_eq!(rows(&place.cx).pipe("head", ["-n", "1"]).collect().unwrap(), ["line 0"]);
        assert_eq!(rows(&place.cx).pipe("echo", ["hi"]).collect().unwrap(), ["hi"]);
    }
}

#[test]
fn a_command_that_fails_fails_the_job_with_its_code_and_its_last_words() {
    for place in kinds() {
        let run = |script: &str| {
            let rows = place.cx.parallelize_in(1, ["a".to_owned()]);
            rows.pipe("sh", ["-c", script]).collect().unwrap_err()
        };
        let error = run("cat; echo first >&2; echo worst >&2; exit 3");
        assert_eq!(error.class(), Class::Bug);
        let text = error.to_string();
        assert!(text.starts_with("the command ended with code 3, at command sh -c cat;"), "{text}");
        assert!(text.contains("first | worst"), "{text}");
        assert!(run("kill -9 $$").to_string().starts_with("the command was ended by signal 9"));
        assert_eq!(run("printf '\\377\\n'").class(), Class::Data);
        let rows = place.cx.parallelize_in(1, ["a".to_owned()]);
        let error = rows.pipe("/no/such/command", [""; 0]).collect().unwrap_err();
        assert_eq!(error.class(), Class::Config, "{error}");
    }
}

#[test]
fn what_fails_before_a_command_ends_it() {
    for place in kinds() {
        let started = std::time::Instant::now();
        let lines = place.cx.parallelize_in(1, 0..10u64).map(|n| if n == 5 { panic!("bad luck") } else { n });
        let slept = lines.map(|n: u64| n.to_string()).pipe("sleep", ["100"]);
        let error = slept.collect().unwrap_err();
        assert!(error.to_string().starts_with("the job panicked: bad luck"), "{error}");
        assert!(started.elapsed().as_secs() < 50, "it did not wait for the command");
    }
}
