//! Rows that are rejected: by their source, which cannot convert them, or by a check.

use std::collections::BTreeMap;
use std::fs;

use kiln::{Check, Class, Context, Mode, OnFail, Rejects, Row};
use serde_json::Value;

use super::gates::load;
use super::job::EVERYWHERE;
use super::orders::{Order, Orders, generated, sound};
use super::{everywhere, read};

#[derive(Row, Clone, Debug, PartialEq)]
struct Kept {
    place: String,
    record: String,
    error: String,
}

fn kept(cx: &Context, output: &str) -> Vec<Kept> {
    let mut kept = cx.read_json::<Kept>(&format!("{output}_rejects/run_id=*/*.json")).collect().unwrap();
    kept.sort_by(|a, b| a.place.cmp(&b.place));
    kept
}

/// What is not rejected.
fn rest(rows: &[Order], bad: &[u64], breaks: impl Fn(&Order) -> bool) -> Vec<Order> {
    let left = rows.iter().enumerate().filter(|(at, row)| !bad.contains(&(*at as u64)) && !breaks(row));
    let mut left: Vec<Order> = left.map(|(_, row)| row.clone()).collect();
    left.sort_by_key(|order| (order.id, order.day));
    left
}

#[test]
fn a_row_that_cannot_be_converted_is_kept_with_its_place_and_the_next_one_is_read() {
    everywhere(|cx, output| {
        let (rows, bad) = (sound(50), vec![0, 1, 26, 49]);
        let copied = cx.copy(Orders { bad: bad.clone(), ..Orders::of(rows.clone()) });
        let checks = [Check::rows_of_source(), Check::at_most("amount", 30)];
        let write =
            checks.into_iter().fold(copied.write(), |write, check| write.check(check.on_fail(OnFail::Warn)));
        write.rejects(Rejects::new().max_rows(4)).parquet(output).unwrap();
        assert_eq!(read(cx, output), rest(&rows, &bad, |_| false));
        let places: Vec<String> = kept(cx, output).into_iter().map(|kept| kept.place).collect();
        let expected =
            ["split from 0, row 1", "split from 0, row 2", "split from 20, row 7", "split from 40, row 10"];
        assert_eq!(places, expected);
        let kept = &kept(cx, output)[2];
        assert_eq!(kept.record, r#"{"id":"order 26"}"#);
        assert!(kept.error.contains("cannot be converted"), "{kept:?}");
        let facts = cx.job_run().facts();
        assert_eq!(facts.counters["rejected rows"], 4);
        assert_eq!(facts.checks[0].found, "50 rows were read, the source counts 50");
        // The row behind a rejected one has its own place still.
        assert!(
            facts.checks[1].examples[0].contains("amount = 31.0 at split from 20, row 12"),
            "{:?}",
            facts.checks
        );
    });
}

#[test]
fn without_rejects_such_a_row_fails_the_load_and_too_many_do_so_with_them() {
    everywhere(|cx, output| {
        let load = |rejects: Option<Rejects>| {
            let copied = cx.copy(Orders { bad: vec![2, 3, 44], ..Orders::of(sound(50)) });
            let write = copied.write();
            match rejects {
                Some(rejects) => write.rejects(rejects),
                None => write,
            }
            .parquet(output)
        };
        let error = load(None).unwrap_err();
        assert_eq!(error.class(), Class::Data, "{error}");
        assert!(error.message().contains("cannot be converted"), "{error}");
        for limits in [Rejects::new().max_rows(2), Rejects::new().max_rows(1), Rejects::new().max_share(0.05)]
        {
            let error = load(Some(limits)).unwrap_err();
            assert_eq!((error.class(), error.reason_word()), (Class::Data, "too_many_rejects"), "{error}");
        }
        assert!(cx.read_parquet::<Order>(output).count().is_err(), "nothing is published");
        load(Some(Rejects::new().max_rows(3).max_share(0.06))).unwrap();
    });
}

#[test]
fn a_check_rejects_exactly_the_rows_that_a_loop_finds() {
    everywhere(|_, output| {
        for seed in 20..24 {
            let (cx, rows, output) = (Context::local(3), generated(seed, 120), format!("{output}-{seed}"));
            let copied = cx.copy(Orders::of(rows.clone()));
            let checks = [Check::not_null("id"), Check::between("amount", 0, 1000)];
            let write = checks
                .into_iter()
                .fold(copied.write(), |write, check| write.check(check.on_fail(OnFail::Reject)));
            write.parquet(&output).unwrap();
            let breaks = |row: &Order| row.id.is_none() || row.amount.is_some_and(|a| a.is_nan() || a < 0.0);
            let expected = rest(&rows, &[], breaks);
            assert_eq!(read(&cx, &output), expected, "seed {seed}");
            assert_eq!(kept(&cx, &output).len(), 120 - expected.len(), "seed {seed}");
        }
    });
}

#[test]
fn a_load_that_is_tried_again_keeps_each_rejected_row_once() {
    for cluster in EVERYWHERE {
        let place = tempfile::tempdir().unwrap();
        let output = place.path().join("rows").display().to_string();
        let job = |bad: &[u64]| {
            let orders = Orders { bad: bad.to_vec(), ..Orders::of(sound(60)) };
            load(place.path(), &orders, &output)
                .on(cluster)
                .option("--rejects", "5")
                .env("KILN_RUN_ID", "night-1")
        };
        let folder = place.path().join("rows_rejects/run_id=night-1");
        let lines = || -> Vec<Value> {
            let files = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
            let texts: Vec<String> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
            texts
                .iter()
                .flat_map(|text| text.lines())
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        // It is killed between the rejected rows and the commit.
        let killed = job(&[7, 33]).env("KILN_FAILPOINT", "rejected=kill").run();
        assert_eq!(killed.killed_by(), Some(9), "{}", killed.stderr);
        assert_eq!(lines().len(), 2, "they are there before the commit: {}", killed.stderr);
        assert!(!place.path().join("rows").exists(), "the rows are not");
        let again = job(&[7, 40, 41]).run().ok();
        assert_eq!(again.json()["counters"]["rejected rows"], 3);
        let places: BTreeMap<String, usize> = lines().iter().fold(BTreeMap::new(), |mut places, line| {
            *places.entry(line["place"].as_str().unwrap().to_owned()).or_default() += 1;
            places
        });
        let expected = ["split from 0, row 8", "split from 40, row 1", "split from 40, row 2"];
        assert_eq!(
            places,
            expected.map(|place| (place.to_owned(), 1)).into(),
            "those of the last attempt, once"
        );
        job(&[7, 40, 41]).run().ok();
        assert_eq!(lines().len(), 3, "a retry after success changes nothing");
    }
}

#[test]
fn a_check_of_all_rows_rejects_none_and_a_share_is_one() {
    let cx = Context::local(1);
    let copied = cx.copy(Orders::of(sound(1)));
    let unique = Check::unique(["id"]).on_fail(OnFail::Reject);
    let error = copied.write().check(unique).mode(Mode::Overwrite).parquet("memory:///no/rows").unwrap_err();
    assert_eq!(error.class(), Class::Config);
    let write = copied.write().rejects(Rejects::new().max_share(3.0));
    assert_eq!(write.parquet("memory:///no/rows").unwrap_err().class(), Class::Config);
}
