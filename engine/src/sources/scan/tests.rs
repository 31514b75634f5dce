//! A source of numbers, as a connector would write it.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use super::*;
use crate::connect::ScanBatches;
use crate::error::Class;

/// How often a split of a source of five rows was opened.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// The numbers from 0 to `rows` and their texts, in splits of ten; `bad` is null.
#[derive(Clone, Serialize, Deserialize)]
struct Counting {
    rows: i32,
    bad: Option<i32>,
}

impl Scan for Counting {
    type Split = Range<i32>;

    fn address(&self) -> String {
        "counting:".to_owned()
    }

    fn label(&self) -> String {
        "count".to_owned()
    }

    fn plan(&self, _: Option<&SchemaRef>) -> Result<ScanPlan<Range<i32>>> {
        let fields = vec![Field::new("text", DataType::Utf8, false), Field::new("n", DataType::Int32, true)];
        let splits = (0..self.rows).step_by(10).map(|from| {
            let split = from..self.rows.min(from + 10);
            PlannedSplit { split, rows: Some(10), bytes: 40 }
        });
        let (schema, splits) = (Arc::new(Schema::new(fields)), splits.collect());
        Ok(ScanPlan { schema, splits, row_bytes: 400, input: None, hold: None })
    }

    fn open<'t>(
        &'t self,
        split: &'t Range<i32>,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>> {
        OPENED.fetch_add(usize::from(self.rows == 5), Ordering::SeqCst);
        task.enter("decade", &format!("{}s", split.start), "number", split.start as u64);
        Ok(Box::new(Decade { left: split.clone(), bad: self.bad, task }))
    }
}

struct Decade<'t> {
    left: Range<i32>,
    bad: Option<i32>,
    task: &'t ScanTask<'t>,
}

impl ScanBatches for Decade<'_> {
    /// Three rows at a time.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let numbers: Vec<i32> = self.left.by_ref().take(3).collect();
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(numbers.iter().map(i32::to_string)));
        let shown = |n: &i32| Some(*n).filter(|n| Some(*n) != self.bad);
        let column: ArrayRef = Arc::new(numbers.iter().map(shown).collect::<Int32Array>());
        let batch = RecordBatch::try_new(Arc::clone(self.task.schema()), vec![texts, column])?;
        Ok((!numbers.is_empty()).then_some(batch))
    }

    fn bytes_read(&self) -> u64 {
        0
    }
}

#[derive(kiln::Row, Clone, Debug, PartialEq)]
struct Number {
    n: i64,
    text: String,
    comment: Option<String>,
}

#[test]
fn columns_are_found_by_name_and_widened_and_a_split_is_a_partition() {
    let cx = Context::local(2);
    let rows = cx.scan::<Number, _>(Counting { rows: 25, bad: None });
    assert_eq!(rows.num_partitions(), 3);
    let expected = (0..25).map(|n| Number { n, text: n.to_string(), comment: None });
    assert_eq!(rows.collect().unwrap(), expected.collect::<Vec<_>>());
    assert_eq!(cx.scan::<Number, _>(Counting { rows: 0, bad: None }).count().unwrap(), 0);
}

#[test]
fn a_column_that_is_missing_or_does_not_fit_is_an_error_before_a_split_is_opened() {
    #[derive(kiln::Row, Clone)]
    struct Narrow {
        #[allow(dead_code, reason = "it is never read")]
        n: i16,
    }
    #[derive(kiln::Row, Clone)]
    struct Other {
        #[allow(dead_code, reason = "it is never read")]
        price: f64,
    }
    let cx = Context::local(1);
    let errors = [
        (
            cx.scan::<Narrow, _>(Counting { rows: 5, bad: None }).count().unwrap_err(),
            "`n` is Int32, expected Int16",
        ),
        (cx.scan::<Other, _>(Counting { rows: 5, bad: None }).count().unwrap_err(), "`price` is missing"),
    ];
    for (error, says) in errors {
        assert_eq!(error.class(), Class::Data);
        assert!(
            error.to_string().contains(says) && error.to_string().contains("source counting:"),
            "{error}"
        );
    }
    assert_eq!(OPENED.load(Ordering::SeqCst), 0);
}

#[test]
fn an_error_names_the_part_and_the_row_that_the_source_has_stated() {
    let cx = Context::local(1);
    let rows = cx.scan::<Number, _>(Counting { rows: 30, bad: Some(17) });
    let error = rows.collect().unwrap_err();
    assert!(error.to_string().contains("number 17"), "a null in a column that is no `Option`: {error}");
    let rows = cx.scan::<Number, _>(Counting { rows: 30, bad: None });
    let failing = rows.try_map(
        |row| match row.n {
            17 => Err(Error::data("seventeen")),
            n => Ok(n),
        },
        kiln::OnError::Fail,
    );
    let error = failing.collect().unwrap_err().to_string();
    assert!(error.contains("decade 10s, number 17"), "{error}");
}
