//! Checks of generated rows, and what a loop over the same rows finds.

use std::collections::BTreeMap;

use kiln::job::{CheckResult, CheckStatus};
use kiln::{Check, Class, Context, Mode, OnFail};

use super::orders::{Order, Orders, generated, sound};
use super::{everywhere, read};

/// The first number in what was found.
fn count(result: &CheckResult) -> u64 {
    let digits = |word: &str| word.parse().ok();
    result.found.split(' ').find_map(digits).unwrap()
}

/// What a loop finds: nulls, amounts and states that are not allowed, keys that more than one row has.
fn expected(rows: &[Order]) -> [u64; 4] {
    let rows_where = |breaks: &dyn Fn(&Order) -> bool| rows.iter().filter(|row| breaks(row)).count() as u64;
    let mut keys = BTreeMap::<(i64, &str), u64>::new();
    for row in rows {
        if let (Some(id), Some(state)) = (row.id, &row.state) {
            *keys.entry((id, state)).or_default() += 1;
        }
    }
    [
        rows_where(&|row| row.id.is_none()),
        rows_where(&|row| row.amount.is_some_and(|amount| amount.is_nan() || amount < 0.0)),
        rows_where(&|row| row.state.as_ref().is_some_and(|state| state == "odd")),
        keys.values().filter(|rows| **rows > 1).count() as u64,
    ]
}

fn checks() -> Vec<Check> {
    let all = [
        Check::not_null("id"),
        Check::between("amount", 0, "1000.0"),
        Check::one_of("state", ["new", "paid"]),
        Check::unique(["id", "state"]),
        Check::rows_of_source(),
    ];
    all.map(|check| check.on_fail(OnFail::Warn)).to_vec()
}

#[test]
fn checks_find_exactly_the_rows_that_a_loop_finds() {
    let mut broken = [0; 4];
    for seed in 1..9 {
        let rows = generated(seed, 50 * seed as usize);
        let expected = expected(&rows);
        broken.iter_mut().zip(expected).for_each(|(all, one)| *all += one);
        everywhere(|_, output| {
            for format in ["parquet", "csv", "json"] {
                let cx = Context::local(3);
                let copied = cx.copy(Orders::of(rows.clone()));
                let output = format!("{output}-{format}-{seed}");
                let write = checks().into_iter().fold(copied.write(), |write, check| write.check(check));
                match format {
                    "csv" => write.csv(&output),
                    "json" => write.json(&output),
                    _ => write.parquet(&output),
                }
                .unwrap();
                let results = cx.job_run().facts().checks;
                let found: Vec<u64> = results.iter().map(count).collect();
                assert_eq!(found[..4], expected, "seed {seed} {format}: {results:?}");
                assert_eq!(results[4].status, CheckStatus::Passed, "{results:?}");
                let is_warned = |(result, expected): (&CheckResult, &u64)| {
                    let status = if *expected > 0 { CheckStatus::Warned } else { CheckStatus::Passed };
                    result.status == status
                };
                assert!(results.iter().zip(&expected).all(is_warned), "seed {seed}: {results:?}");
                assert_eq!(cx.job_run().facts().outputs[0].rows, rows.len() as u64, "seed {seed} {format}");
            }
        });
    }
    assert!(broken.iter().all(|rows| *rows > 5), "the rows break every check: {broken:?}");
}

#[test]
fn rows_of_a_dataset_are_checked_as_those_of_a_source() {
    everywhere(|_, output| {
        let (cx, rows) = (Context::local(2), generated(5, 300));
        let orders = cx.parallelize_in(4, rows.clone());
        let write = checks().into_iter().take(4).fold(orders.write(), |write, check| write.check(check));
        write.parquet(output).unwrap();
        let found: Vec<u64> = cx.job_run().facts().checks.iter().map(count).collect();
        assert_eq!(found, expected(&rows));
        assert_eq!(cx.read_parquet::<Order>(output).count().unwrap(), 300);
    });
}

#[test]
fn examples_name_values_and_places() {
    let cx = Context::local(2);
    let mut rows = sound(50);
    (rows[23].amount, rows[44].id) = (Some(-3.5), Some(7));
    let copied = cx.copy(Orders::of(rows));
    let write = copied.write().check(Check::at_least("amount", 0)).check(Check::unique(["id"]));
    let error = write.parquet("memory:///examples/rows").unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Data, "check_failed"));
    let text = error.to_string();
    for part in [
        "2 of 2 checks have failed",
        "`amount >= 0`: 1 of 50 rows break it (amount = -3.5 at split from 20, row 4)",
        "1 keys are in more than one row, in 2 rows together (7 in 2 rows)",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn unique_rows_are_found_beyond_the_memory_of_a_task() {
    const ROWS: i64 = 400_000;
    let cx = Context::new(
        kiln::Config { memory: 8 << 20, ..kiln::Config::new(kiln::Cluster::Local { slots: 2 }) },
        kiln::job::Run::new("unique", kiln::job::Progress::silent()),
    );
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("rows").display().to_string();
    // Two rows far from each other have the key of the first.
    let rows = cx.range_in(8, 0, ROWS, 1).map(|n| if n % 100_000 == 99_999 { 0 } else { n });
    let write = |check: Check| rows.write().names(["n"]).mode(Mode::Overwrite).check(check).parquet(&output);
    let error = write(Check::unique(["n"])).unwrap_err().to_string();
    assert!(error.contains("1 keys are in more than one row, in 5 rows together (0 in 5 rows)"), "{error}");
    write(Check::not_null("n")).unwrap();
}

#[test]
fn the_rows_of_a_source_are_those_that_were_read() {
    everywhere(|cx, output| {
        let load = |counted: Option<u64>, is_silent: bool| {
            let orders = Orders { counted, is_silent, ..Orders::of(sound(33)) };
            cx.copy(orders).write().mode(Mode::Overwrite).check(Check::rows_of_source()).parquet(output)
        };
        load(None, false).unwrap();
        let error = load(Some(34), false).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        assert!(error.message().contains("33 rows were read, the source counts 34"), "{error}");
        assert_eq!(load(None, true).unwrap_err().reason_word(), "no_source_count");
        assert_eq!(read(cx, output), sound(33));
    });
}

#[test]
fn a_dataset_straight_from_a_source_is_held_against_it_and_any_other_is_not() {
    let place = tempfile::tempdir().unwrap();
    let output = |name: &str| place.path().join(name).display().to_string();
    let cx = Context::local(2);
    cx.copy(Orders::of(sound(40))).write().parquet(&output("in")).unwrap();
    let files = cx.read_parquet::<Order>(&output("in"));
    files.write().check(Check::rows_of_source()).parquet(&output("out")).unwrap();
    let scanned = cx.scan::<Order, _>(Orders { counted: Some(41), ..Orders::of(sound(40)) });
    let write = scanned.write().check(Check::rows_of_source());
    assert_eq!(write.parquet(&output("scanned")).unwrap_err().class(), Class::Data);
    let some = files.filter(|order| order.day == 0);
    let error = some.write().check(Check::rows_of_source()).parquet(&output("some")).unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "no_source_count"));
}

#[test]
fn the_count_of_rows_is_held_against_the_version_before() {
    everywhere(|cx, output| {
        let load = |rows: usize, mode: Mode| {
            let copied = cx.copy(Orders::of(sound(rows)));
            copied.write().mode(mode).check(Check::rows_change("-20%..+50%")).parquet(output)
        };
        load(100, Mode::Overwrite).unwrap();
        load(80, Mode::Overwrite).unwrap();
        for rows in [63, 121] {
            let error = load(rows, Mode::Overwrite).unwrap_err();
            assert!(error.message().contains(&format!("80 rows before, {rows} now")), "{error}");
        }
        load(40, Mode::Append).unwrap();
        let error = load(61, Mode::Append).unwrap_err();
        assert!(error.message().contains("120 rows before, 181 now"), "{error}");
        assert_eq!(cx.read_parquet::<Order>(output).count().unwrap(), 120);
        let statuses: Vec<_> = cx.job_run().facts().checks.iter().map(|result| result.status).collect();
        use CheckStatus::{Failed, Passed, Skipped};
        assert_eq!(statuses, [Skipped, Passed, Failed, Failed, Passed, Failed], "{output}");
    });
}

#[test]
fn a_replaced_partition_is_held_against_its_own_rows() {
    everywhere(|cx, output| {
        let load = |rows: Vec<Order>| {
            let copied = cx.copy(Orders::of(rows));
            let write = copied.write().partition_by(["day"]).mode(Mode::ReplacePartitions);
            write.check(Check::rows_change("-20%..")).parquet(output)
        };
        let of_day = |day: i64, count: usize| -> Vec<Order> {
            sound(count).into_iter().map(|order| Order { day, ..order }).collect()
        };
        load(of_day(1, 100)).unwrap();
        load(of_day(2, 10)).unwrap();
        load(of_day(2, 8)).unwrap();
        let error = load(of_day(2, 6)).unwrap_err();
        assert!(error.message().contains("8 rows before, 6 now"), "{error}");
        load(of_day(3, 1)).unwrap();
    });
}
