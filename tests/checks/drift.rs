//! Columns that are others than those of what is published.

use kiln::{Class, Context, Drift, Error, Mode, Result, Row};

use super::everywhere;
use super::orders::{Orders, sound};

/// An order with what came later.
#[derive(Row, Clone, Debug, PartialEq)]
struct Noted {
    id: Option<i64>,
    amount: Option<f64>,
    note: Option<String>,
}

fn noted(rows: usize) -> Orders {
    let notes = (0..rows).map(|n| (n % 2 == 0).then(|| format!("note {n}"))).collect();
    Orders { extra: vec![("note".to_owned(), notes)], ..Orders::of(sound(rows)) }
}

fn load(cx: &Context, orders: Orders, output: &str, mode: Mode, policy: Option<Drift>) -> Result<()> {
    let copied = cx.copy(orders);
    let write = copied.write().mode(mode);
    match policy {
        Some(policy) => write.drift(policy),
        None => write,
    }
    .parquet(output)
}

fn is_refused(refused: Result<()>, parts: &[&str]) {
    let error: Error = refused.unwrap_err();
    assert_eq!((error.class(), error.reason_word()), (Class::Config, "schema_mismatch"), "{error}");
    for part in parts {
        assert!(error.message().contains(part), "{part} in {error}");
    }
}

#[test]
fn without_a_policy_an_append_takes_the_same_columns_and_an_overwrite_any() {
    everywhere(|cx, output| {
        load(cx, Orders::of(sound(5)), output, Mode::Overwrite, None).unwrap();
        load(cx, Orders::of(sound(5)), output, Mode::Append, None).unwrap();
        let other = Orders { without: vec!["amount".to_owned(), "day".to_owned()], ..noted(5) };
        let names = ["`note` is new", "`amount` is missing", "`day` is missing"];
        is_refused(load(cx, other.clone(), output, Mode::Append, None), &names);
        is_refused(load(cx, other.clone(), output, Mode::Overwrite, Some(Drift::Freeze)), &names);
        load(cx, other, output, Mode::Overwrite, None).unwrap();
        assert_eq!(cx.read_parquet::<Noted>(output).count().unwrap(), 5);
    });
}

#[test]
fn an_output_evolves_and_old_and_new_rows_are_read_together() {
    everywhere(|cx, output| {
        load(cx, Orders::of(sound(4)), output, Mode::Overwrite, None).unwrap();
        load(cx, noted(4), output, Mode::Append, Some(Drift::Evolve)).unwrap();
        // What has gone is null in new rows; what is narrower widens.
        let without = Orders { without: vec!["amount".to_owned()], is_narrow: true, ..Orders::of(sound(2)) };
        load(cx, without, output, Mode::Append, Some(Drift::Evolve)).unwrap();
        load(cx, noted(1), output, Mode::Append, None).unwrap();
        let rows = cx.read_parquet::<Noted>(output).collect().unwrap();
        let count = |holds: &dyn Fn(&Noted) -> bool| rows.iter().filter(|row| holds(row)).count();
        assert_eq!(rows.len(), 11);
        assert_eq!(count(&|row| row.note.is_some()), 3);
        assert_eq!(count(&|row| row.amount.is_none()), 2);
        assert_eq!(rows.iter().map(|row| row.id.unwrap()).sum::<i64>(), 6 + 6 + 1);
        // A column that must not be null cannot go.
        let without = Orders { without: vec!["day".to_owned()], ..noted(2) };
        is_refused(load(cx, without, output, Mode::Append, Some(Drift::Evolve)), &["`day` is missing"]);
    });
}

#[test]
fn a_wider_column_widens_plain_files_and_is_refused_by_a_table() {
    everywhere(|cx, output| {
        let narrow = Orders { is_narrow: true, ..Orders::of(sound(3)) };
        load(cx, narrow.clone(), output, Mode::Overwrite, None).unwrap();
        is_refused(load(cx, Orders::of(sound(3)), output, Mode::Append, None), &["`id` is"]);
        let widened = load(cx, Orders::of(sound(3)), output, Mode::Append, Some(Drift::Evolve));
        if output.starts_with("memory") {
            is_refused(widened, &["cannot widen a column"]);
        } else {
            widened.unwrap();
            // The newest file says what the columns are now.
            load(cx, Orders::of(sound(3)), output, Mode::Append, None).unwrap();
            let rows = cx.copy(narrow);
            rows.write().mode(Mode::Append).drift(Drift::Evolve).parquet(output).unwrap();
            assert_eq!(super::read(cx, output).len(), 12);
        }
    });
}

#[test]
fn new_columns_are_not_read_where_they_are_discarded() {
    everywhere(|cx, output| {
        load(cx, Orders::of(sound(4)), output, Mode::Overwrite, None).unwrap();
        load(cx, noted(4), output, Mode::Append, Some(Drift::DiscardColumns)).unwrap();
        assert_eq!(super::read(cx, output).len(), 8);
        let rows = cx.read_parquet::<Noted>(output).collect().unwrap();
        assert!(rows.iter().all(|row| row.note.is_none()));
        load(cx, Orders::of(sound(1)), output, Mode::Append, None).unwrap();
    });
}

#[test]
fn rows_with_a_value_in_a_new_column_are_rejected() {
    everywhere(|cx, output| {
        load(cx, Orders::of(sound(4)), output, Mode::Overwrite, None).unwrap();
        load(cx, noted(5), output, Mode::Append, Some(Drift::DiscardRows)).unwrap();
        assert_eq!(super::read(cx, output).len(), 6, "of five rows three have a note");
        let rejects = cx.read_text(&format!("{output}_rejects/run_id=*/*.json")).collect().unwrap();
        assert_eq!(rejects.len(), 3);
        assert!(rejects.iter().all(|line| line.contains("note IS NULL")), "{rejects:?}");
    });
}

#[test]
fn partitions_are_part_of_the_columns() {
    everywhere(|cx, output| {
        let load = |by: &str, orders: Orders, policy: Drift| {
            let copied = cx.copy(orders);
            let write = copied.write().partition_by([by]).mode(Mode::ReplacePartitions);
            write.drift(policy).parquet(output)
        };
        load("day", Orders::of(sound(6)), Drift::Freeze).unwrap();
        load("day", Orders::of(sound(6)), Drift::Freeze).unwrap();
        load("day", noted(6), Drift::Evolve).unwrap();
        load("day", noted(3), Drift::DiscardColumns).unwrap();
        is_refused(load("state", Orders::of(sound(6)), Drift::Evolve), &["by [state]", "by [day]"]);
    });
}

#[test]
fn a_policy_is_for_formats_that_keep_types() {
    let cx = Context::local(1);
    let copied = cx.copy(Orders::of(sound(1)));
    let error = copied.write().drift(Drift::Freeze).csv("memory:///drift/csv").unwrap_err();
    assert_eq!(error.class(), Class::Config);
}
