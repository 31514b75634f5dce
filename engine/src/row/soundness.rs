//! Safe code cannot break the assumptions of `unsafe` code: strings are valid UTF-8 and nulls stay
//! null, whatever a user's `Row` does. Run these tests under Miri.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Int32Type};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::error::Result;

fn runner() -> TestRunner {
    let cases = if cfg!(miri) { 8 } else { 256 };
    // Miri cannot read proptest's files of past failures.
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Strings about as long as an inline slot, of characters of one to four bytes.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let character = prop::sample::select(vec!['a', '\0', 'ß', '€', '😀']);
    let text = prop::collection::vec(character, 0..20).prop_map(|text| text.into_iter().collect());
    prop::collection::vec(text, 0..20)
}

/// Whether a `&str` is valid UTF-8, which rustc assumes and only Miri and this function check.
fn is_text(text: &str) -> bool {
    std::str::from_utf8(std::hint::black_box(text.as_bytes())).is_ok()
}

#[test]
fn a_kept_string_is_text_in_every_arena() {
    let run = |(texts, others): (Vec<String>, Vec<String>)| {
        let (mut arena, mut other, mut copies) = (String::new(), String::new(), String::new());
        let slots: Vec<_> = texts.iter().map(|text| String::store(text, &mut arena)).collect();
        for text in &others {
            let _ = String::store(text, &mut other);
        }
        for (slot, text) in slots.iter().zip(&texts) {
            assert_eq!(String::load(slot, &arena), text);
            let copy = String::store_slot((slot, &arena), &mut copies);
            assert_eq!(String::load(&copy, &copies), text);
            // With the arena of another table, `load` returns the wrong text or panics.
            let found = catch_unwind(AssertUnwindSafe(|| is_text(String::load(slot, &other))));
            assert!(found.unwrap_or(true));
        }
        Ok(())
    };
    runner().run(&(texts(), texts()), run).unwrap();
}

#[test]
fn a_column_of_strings_holds_text_and_its_nulls() {
    let run = |rows: Vec<Option<String>>| {
        let mut builder = <Option<String> as Row>::Builder::default();
        // Twice, because `finish` resets the builder.
        for _ in 0..2 {
            rows.iter().for_each(|row| builder.push(row.view()));
            let column = builder.finish();
            let reader = <Option<String> as Row>::Reader::open(&column).unwrap();
            for (at, row) in rows.iter().enumerate() {
                assert_eq!(reader.get(at), row.as_deref());
                assert!(is_text(column.as_string::<i32>().value(at)));
            }
        }
        Ok(())
    };
    let rows = texts().prop_flat_map(|texts| {
        texts.into_iter().map(|text| prop::option::of(Just(text))).collect::<Vec<_>>()
    });
    runner().run(&rows, run).unwrap();
}

/// The defect in the columns of a [`Foreign`] row.
#[derive(Clone, Copy, Debug)]
enum Trick {
    /// `finish` returns fewer rows than the builder counts.
    Short,
    /// `finish` returns more rows.
    Long,
    /// The first row is null by itself, and its value is out of bounds.
    NullOfItsOwn,
}

const TRICKS: [Trick; 3] = [Trick::Short, Trick::Long, Trick::NullOfItsOwn];

/// A row type that a user might write in safe code and that violates the contracts of the traits.
#[derive(Clone, Copy)]
struct Foreign(Trick);

impl IntoRow for Foreign {
    type Row = Foreign;
    fn as_view(&self) -> Foreign {
        *self
    }
}

impl Row for Foreign {
    own_view!();
    type Builder = ForeignColumn;
    type Reader = ForeignReader;
    type Nullability = Required;
    fn data_type() -> DataType {
        DataType::UInt64
    }
}

#[derive(Default)]
struct ForeignColumn(Vec<Trick>);

impl ColumnBuilder for ForeignColumn {
    type Row = Foreign;
    fn push(&mut self, view: Foreign) {
        self.0.push(view.0);
    }
    fn push_null(&mut self) {
        self.0.push(Trick::Short);
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        0
    }
    fn finish(&mut self) -> ArrayRef {
        let rows = self.0.len();
        match std::mem::take(&mut self.0)[0] {
            Trick::Short => Arc::new(UInt64Array::from(vec![7; rows - 1])),
            Trick::Long => Arc::new(UInt64Array::from(vec![7; rows + 1])),
            Trick::NullOfItsOwn => {
                let nulls = (0..rows).map(|row| row > 0).collect::<Vec<_>>().into();
                let keys = (0..rows).map(|row| if row == 0 { 1 << 30 } else { 0 }).collect::<Vec<_>>();
                let keys = Int32Array::new(keys.into(), Some(nulls));
                Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["a"]))))
            }
        }
    }
}

struct ForeignReader;

impl ColumnReader for ForeignReader {
    type Row = Foreign;
    fn open(_: &ArrayRef) -> Result<Self> {
        Ok(ForeignReader)
    }
    fn get(&self, _: usize) -> Foreign {
        Foreign(Trick::Short)
    }
}

#[test]
fn an_option_of_a_users_row_is_a_valid_column_or_a_panic() {
    for trick in TRICKS {
        let mut builder = <Option<Foreign> as Row>::Builder::default();
        [Some(Foreign(trick)), None, Some(Foreign(trick))].into_iter().for_each(|row| builder.push(row));
        let Ok(column) = catch_unwind(AssertUnwindSafe(|| builder.finish())) else {
            assert!(!matches!(trick, Trick::NullOfItsOwn));
            continue;
        };
        assert_eq!(column.len(), 3, "{trick:?}");
        column.to_data().validate_full().unwrap();
        let texts = column.as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap();
        assert_eq!(texts.into_iter().collect::<Vec<_>>(), [None, None, Some("a")]);
    }
}
