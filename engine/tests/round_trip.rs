//! Property tests with random rows: every row type from Rust to Arrow and back, through files of every
//! format, and the laws of keys.
//!
//! Floats are compared bit by bit, because a NaN and a -0.0 must be preserved. Columns are converted
//! back directly and also through Arrow's IPC stream, like rows between processes.

#![allow(clippy::unwrap_used, reason = "a test fails by it, also in its support functions")]

#[path = "round_trip/everything.rs"]
mod everything;
#[path = "round_trip/files.rs"]
mod files;
#[path = "round_trip/options.rs"]
mod options;
#[path = "round_trip/representations.rs"]
mod representations;

use std::cmp::{Ordering, Reverse};
use std::fmt::Debug;

use kiln::chrono::{DateTime, NaiveDate, Utc};
use kiln::row::{Key, RowReader, ipc};
use kiln::{Bytes, Row};
use proptest::prelude::*;

use crate::everything::{Everything, Level, Money, everything, float, keys, money, text};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_from_columns_as_they_went_in(rows in prop::collection::vec(everything(), 0..6)) {
        let batch = ipc::batch_of(rows.iter()).unwrap();
        prop_assert_eq!(&ipc::rows_of::<Everything>(std::slice::from_ref(&batch)).unwrap(), &rows);
        let sent = ipc::from_bytes(&ipc::to_bytes(&batch).unwrap()).unwrap();
        prop_assert_eq!(&ipc::rows_of::<Everything>(&sent).unwrap(), &rows);
    }

    #[test]
    fn rows_come_back_from_any_part_of_a_batch(
        rows in prop::collection::vec(everything(), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(rows.len());
        let part = ipc::batch_of(rows.iter()).unwrap().slice(cut, rows.len() - cut);
        prop_assert_eq!(&ipc::rows_of::<Everything>(std::slice::from_ref(&part)).unwrap(), &rows[cut..]);
        let sent = ipc::from_bytes(&ipc::to_bytes(&part).unwrap()).unwrap();
        prop_assert_eq!(&ipc::rows_of::<Everything>(&sent).unwrap(), &rows[cut..]);
    }

    #[test]
    fn a_view_of_a_column_is_pushed_like_the_row_itself(rows in prop::collection::vec(everything(), 0..6)) {
        let batch = ipc::batch_of(rows.iter()).unwrap();
        let reader = RowReader::<Everything>::open(&batch).unwrap();
        let mut builder = <Everything as Row>::Builder::default();
        reader.iter().for_each(|view| kiln::row::ColumnBuilder::push(&mut builder, view));
        prop_assert_eq!(kiln::row::to_batch::<Everything>(&mut builder).unwrap(), batch);
    }

    #[test]
    fn keys_keep_the_laws_of_keys(keys in prop::collection::vec(keys(), 3)) {
        check_laws(&keys)?;
    }

    #[test]
    fn float_keys_keep_the_laws_of_keys(keys in prop::collection::vec((float(), any::<f32>()), 3)) {
        check_laws(&keys)?;
    }

    #[test]
    fn reversed_keys_keep_the_laws_of_keys_in_the_other_order(keys in prop::collection::vec((float(), text()), 3)) {
        let numbers: Vec<_> = keys.iter().map(|key| Reverse(key.0)).collect();
        check_laws(&numbers)?;
        let texts: Vec<_> = keys.iter().map(|key| (Reverse(key.1.clone()), key.1.clone())).collect();
        check_laws(&texts)?;
        let (a, b) = (&texts[0].0, &texts[1].0);
        prop_assert_eq!(<Reverse<String>>::compare(a.view(), b.view()), a.cmp(b));
    }

    #[test]
    fn keys_are_ordered_like_their_types(a in keys(), b in keys()) {
        let (texts, lists) = ((&a.text[..], &b.text[..]), (&a.list, &b.list));
        prop_assert_eq!(String::compare(texts.0, texts.1), texts.0.cmp(texts.1));
        prop_assert_eq!(Vec::compare(lists.0.view(), lists.1.view()), lists.0.cmp(lists.1));
        prop_assert_eq!(Bytes::compare(&a.bytes, &b.bytes), a.bytes.cmp(&b.bytes));
        prop_assert_eq!(NaiveDate::compare(a.date, b.date), a.date.cmp(&b.date));
        prop_assert_eq!(<DateTime<Utc>>::compare(a.instant, b.instant), a.instant.cmp(&b.instant));
        prop_assert_eq!(Money::compare(a.money, b.money), a.money.cmp(&b.money));
        prop_assert_eq!(Level::compare(a.level, b.level), a.level.cmp(&b.level));
    }

    #[test]
    fn a_decimal_is_parsed_as_it_is_printed(decimal in money()) {
        prop_assert_eq!(decimal.to_string().parse::<Money>().unwrap(), decimal);
    }
}

/// Hash, equality and order agree, and a stored key equals the original.
fn check_laws<K: Key + Clone + Debug>(keys: &[K]) -> Result<(), TestCaseError> {
    let mut arena = K::Arena::default();
    // Every key twice, because two random keys are hardly ever equal.
    let keys = [keys, keys].concat();
    let slots: Vec<K::Slot> = keys.iter().map(|key| K::store(key.view(), &mut arena)).collect();
    for (a, slot) in keys.iter().zip(&slots) {
        let mut other = K::Arena::default();
        let moved = K::store_slot((slot, &arena), &mut other);
        prop_assert!(K::slots_match((slot, &arena), (&moved, &other)));
        for b in &keys {
            let order = K::compare(a.view(), b.view());
            let same = K::same(a.view(), b.view());
            prop_assert_eq!(same, order == Ordering::Equal);
            prop_assert_eq!(order, K::compare(b.view(), a.view()).reverse());
            prop_assert!(!same || K::hash(a.view()) == K::hash(b.view()));
            let prefixes = K::prefix(a.view()).cmp(&K::prefix(b.view()));
            prop_assert!(prefixes == order || prefixes == Ordering::Equal && !K::PREFIX_IS_KEY);
            prop_assert_eq!(K::matches(slot, &arena, b.view()), same);
            prop_assert_eq!(K::compare(K::load(slot, &arena), K::narrow(b.view())), order);
            for c in &keys {
                let (onward, whole) = (K::compare(b.view(), c.view()), K::compare(a.view(), c.view()));
                prop_assert!(
                    order == Ordering::Greater || onward == Ordering::Greater || whole != Ordering::Greater
                );
            }
        }
    }
    Ok(())
}
