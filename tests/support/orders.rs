//! A source of the tests' own: orders that it is given, in splits, with columns, faults and a count that a test chooses.

#![allow(dead_code, reason = "each program uses a part of it")]

use std::ops::Range;
use std::sync::Arc;

use kiln::arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use kiln::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use kiln::connect::{Hold, PlannedSplit, Scan, ScanBatches, ScanPlan, ScanTask};
use kiln::{Error, Result, Row};
use serde::{Deserialize, Serialize};

/// Rows of a batch: less than a split has.
const BATCH_ROWS: usize = 7;

/// One order.
#[derive(Row, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: Option<i64>,
    pub(crate) day: i64,
    pub(crate) amount: Option<f64>,
    pub(crate) state: Option<String>,
}

/// Orders as a source.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) rows: Vec<Order>,
    /// Rows of a split; all of them unless set.
    pub(crate) split_rows: usize,
    /// How many rows it counts; as many as there are unless set.
    pub(crate) counted: Option<u64>,
    /// Whether it cannot tell.
    pub(crate) is_silent: bool,
    /// Rows that it cannot convert.
    pub(crate) bad: Vec<u64>,
    /// Columns beside those of an order: a text for each row, where it has one.
    pub(crate) extra: Vec<(String, Vec<Option<String>>)>,
    /// Columns that it does not have.
    pub(crate) without: Vec<String>,
    /// Whether `id` is narrower.
    pub(crate) is_narrow: bool,
}

impl Orders {
    pub(crate) fn of(rows: Vec<Order>) -> Orders {
        Orders { rows, split_rows: 20, ..Orders::default() }
    }

    fn fields(&self) -> Vec<Field> {
        let id = if self.is_narrow { DataType::Int32 } else { DataType::Int64 };
        let of_orders =
            [("id", id), ("day", DataType::Int64), ("amount", DataType::Float64), ("state", DataType::Utf8)];
        let of_orders = of_orders.map(|(name, data_type)| Field::new(name, data_type, name != "day"));
        let extra = self.extra.iter().map(|(name, _)| Field::new(name, DataType::Utf8, true));
        let all = of_orders.into_iter().chain(extra);
        all.filter(|field| !self.without.contains(field.name())).collect()
    }

    fn column(&self, name: &str, rows: &[u64]) -> ArrayRef {
        let of = |row: &u64| &self.rows[*row as usize];
        match name {
            "id" if self.is_narrow => {
                Arc::new(rows.iter().map(|row| of(row).id.map(|id| id as i32)).collect::<Int32Array>())
            }
            "id" => Arc::new(rows.iter().map(|row| of(row).id).collect::<Int64Array>()),
            "day" => Arc::new(rows.iter().map(|row| Some(of(row).day)).collect::<Int64Array>()),
            "amount" => Arc::new(rows.iter().map(|row| of(row).amount).collect::<Float64Array>()),
            "state" => Arc::new(rows.iter().map(|row| of(row).state.clone()).collect::<StringArray>()),
            extra => {
                let values = self.extra.iter().find(|(name, _)| name == extra).map(|(_, values)| values);
                let value =
                    |row: &u64| values.and_then(|values| values.get(*row as usize).cloned().flatten());
                Arc::new(rows.iter().map(value).collect::<StringArray>())
            }
        }
    }
}

impl Scan for Orders {
    type Split = Range<u64>;

    fn address(&self) -> String {
        "orders of a test".to_owned()
    }

    fn label(&self) -> String {
        "read_orders".to_owned()
    }

    fn plan(&self, wanted: Option<&SchemaRef>) -> Result<ScanPlan<Range<u64>>> {
        let fields = self.fields().into_iter();
        let is_wanted =
            |field: &Field| wanted.is_none_or(|wanted| wanted.field_with_name(field.name()).is_ok());
        let (rows, step) = (self.rows.len() as u64, self.split_rows.max(1));
        let split =
            |start| PlannedSplit { split: start..rows.min(start + step as u64), rows: None, bytes: 1 };
        Ok(ScanPlan {
            schema: Arc::new(Schema::new(fields.filter(is_wanted).collect::<Vec<_>>())),
            splits: (0..rows).step_by(step).map(split).collect(),
            row_bytes: rows * 40,
            input: None,
            hold: None,
        })
    }

    fn count_rows(&self, _: &[Range<u64>], _: &Hold) -> Result<Option<u64>> {
        Ok((!self.is_silent).then(|| self.counted.unwrap_or(self.rows.len() as u64)))
    }

    fn open<'t>(
        &'t self,
        split: &'t Range<u64>,
        task: &'t ScanTask<'t>,
    ) -> Result<Box<dyn ScanBatches + 't>> {
        task.enter("split", &format!("from {}", split.start), "row", 1);
        Ok(Box::new(Reader { orders: self, start: split.start, left: split.clone(), task }))
    }
}

struct Reader<'t> {
    orders: &'t Orders,
    start: u64,
    left: Range<u64>,
    task: &'t ScanTask<'t>,
}

impl ScanBatches for Reader<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for row in self.left.by_ref().take(BATCH_ROWS) {
            if self.orders.bad.contains(&row) {
                let record = format!("{{\"id\":\"order {row}\"}}");
                let error = Error::data("an order that cannot be converted").at("row", row - self.start + 1);
                self.task.reject(row - self.start, &record, error)?;
            } else {
                rows.push(row);
            }
        }
        let schema = self.task.schema();
        let columns = schema.fields().iter().map(|field| self.orders.column(field.name(), &rows));
        Ok(Some(RecordBatch::try_new(schema.clone(), columns.collect())?))
    }

    fn bytes_read(&self) -> u64 {
        0
    }
}

/// Orders as a fixed sequence of numbers makes them, some of which break every check of `checks`.
pub(crate) fn generated(seed: u64, count: usize) -> Vec<Order> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let order = |n: usize| {
        let id = (next(30) > 0).then(|| if next(25) == 0 { next(10) as i64 } else { 1000 + n as i64 });
        let amount = match next(20) {
            0 => None,
            1 => Some(f64::NAN),
            2 => Some(-1.0),
            _ => Some(next(100) as f64),
        };
        let state = (next(15) > 0)
            .then(|| ["new", "paid", "odd"][if next(12) == 0 { 2 } else { next(2) as usize }].to_owned());
        Order { id, day: next(3) as i64, amount, state }
    };
    (0..count).map(order).collect()
}

/// Orders that break no check.
pub(crate) fn sound(count: usize) -> Vec<Order> {
    let order = |n: usize| Order {
        id: Some(n as i64),
        day: (n % 3) as i64,
        amount: Some(n as f64 % 100.0),
        state: Some("new".to_owned()),
    };
    (0..count).map(order).collect()
}
