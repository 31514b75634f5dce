//! What a task looks at while it writes: conditions on rows, keys of unique rows, rejected rows.
//!
//! Batches enter as they come from their source and leave without the rows that are rejected. What was seen leaves at
//! the end ([`Observed`]), in the report of the attempt that wins, so that nothing counts twice.

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use serde::{Deserialize, Serialize};

use super::reject::{Reject, RejectBin, RejectLimits};
use crate::error::{Error, Result};
use crate::publish::json_lines;
use crate::source::{Predicate, RowCondition, no_column};

/// Rows that break a check which are kept as examples.
const MAX_EXAMPLES: usize = 3;
/// Bytes of an example.
const MAX_EXAMPLE_BYTES: usize = 200;

/// What tasks look at, in a form that travels.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    pub(super) rules: Vec<RowRule>,
    /// The columns of each check of unique rows.
    pub(super) unique: Vec<Vec<String>>,
    /// Nothing where no row may be rejected.
    pub(super) rejects: Option<RejectLimits>,
}

/// A condition on single rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowRule {
    pub(super) predicate: Predicate,
    /// Whether a row that breaks it is rejected.
    pub(super) rejects: bool,
}

/// What one task has seen, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Rows that came, those that were rejected included.
    pub read: u64,
    /// Rows that were written.
    pub written: u64,
    /// For each condition the rows that break it.
    pub broken: Vec<Broken>,
    /// The rejected rows.
    pub rejects: Vec<Reject>,
}

/// The rows that break a condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    pub rows: u64,
    /// The first of them: `amount = -3 at split 7, row 12`.
    pub examples: Vec<String>,
}

impl Watch {
    /// Whether the keys of rows leave the task.
    pub fn has_keys(&self) -> bool {
        !self.unique.is_empty()
    }

    /// Where rejected rows of a task go.
    pub fn bin(&self) -> Option<RejectBin> {
        self.rejects.map(RejectBin::new)
    }
}

impl Observed {
    /// Adds what the next task has seen.
    pub fn add(&mut self, other: Observed) {
        self.read += other.read;
        self.written += other.written;
        self.broken.resize(self.broken.len().max(other.broken.len()), Broken::default());
        for (all, one) in self.broken.iter_mut().zip(other.broken) {
            all.rows += one.rows;
            all.examples.extend(one.examples);
            all.examples.truncate(MAX_EXAMPLES);
        }
        self.rejects.extend(other.rejects);
    }
}

/// Looks at the rows of one task.
pub struct Watcher<'w> {
    watch: &'w Watch,
    conditions: Vec<RowCondition>,
    keys: Vec<Keys>,
    seen: Observed,
}

/// The columns of a key, and what makes bytes of them.
struct Keys {
    columns: Vec<usize>,
    converter: RowConverter,
}

impl<'w> Watcher<'w> {
    /// # Errors
    /// As [`Gate::new`](super::Gate::new), which has found them before.
    pub fn new(watch: &'w Watch, given: &Schema) -> Result<Watcher<'w>> {
        let conditions = watch.rules.iter().map(|rule| rule.predicate.on_rows(given));
        let keys = watch.unique.iter().map(|columns| Keys::new(columns, given));
        let seen = Observed { broken: vec![Broken::default(); watch.rules.len()], ..Observed::default() };
        Ok(Watcher {
            watch,
            conditions: conditions.collect::<Result<_>>()?,
            keys: keys.collect::<Result<_>>()?,
            seen,
        })
    }

    /// Looks at the rows of a batch; gives those that are to be written. `place` tells where a row of it stood.
    ///
    /// # Errors
    /// Data when one row too many is rejected.
    pub fn look(
        &mut self,
        batch: RecordBatch,
        bin: Option<&RejectBin>,
        place: &dyn Fn(usize) -> String,
    ) -> Result<RecordBatch> {
        self.seen.read += batch.num_rows() as u64;
        let kept = self.reject(&batch, bin, place)?;
        // A row that is rejected breaks nothing else.
        let is_kept = |row: &usize| kept.as_ref().is_none_or(|kept| kept.value(*row));
        for (at, (rule, condition)) in self.watch.rules.iter().zip(&self.conditions).enumerate() {
            if rule.rejects {
                continue;
            }
            let broken = &mut self.seen.broken[at];
            for row in breaking(&condition.of(&batch)?).filter(is_kept) {
                broken.add(|| example(&batch, &rule.predicate, row, place));
            }
        }
        let batch = match kept {
            Some(kept) => filter_record_batch(&batch, &kept)?,
            None => batch,
        };
        self.seen.written += batch.num_rows() as u64;
        Ok(batch)
    }

    /// The rows that stay, if any is rejected.
    fn reject(
        &mut self,
        batch: &RecordBatch,
        bin: Option<&RejectBin>,
        place: &dyn Fn(usize) -> String,
    ) -> Result<Option<BooleanArray>> {
        let mut kept: Option<Vec<bool>> = None;
        for (at, (rule, condition)) in self.watch.rules.iter().zip(&self.conditions).enumerate() {
            let (true, Some(bin)) = (rule.rejects, bin) else { continue };
            for row in breaking(&condition.of(batch)?) {
                let kept = kept.get_or_insert_with(|| vec![true; batch.num_rows()]);
                if !std::mem::replace(&mut kept[row], false) {
                    continue;
                }
                self.seen.broken[at].add(|| example(batch, &rule.predicate, row, place));
                let error = format!("it breaks `{}`", rule.predicate);
                bin.take(Reject { place: place(row), record: json_of(&batch.slice(row, 1))?, error })?;
            }
        }
        Ok(kept.map(BooleanArray::from))
    }

    /// Passes on the keys of the rows of a batch, each with the number of its check.
    ///
    /// # Errors
    /// Of class bug when the columns are others than those that were checked.
    pub fn keys(&self, batch: &RecordBatch, take: &mut dyn FnMut(u32, &[u8])) -> Result<()> {
        for (check, Keys { columns, converter }) in (0..).zip(&self.keys) {
            let columns: Vec<ArrayRef> = columns.iter().map(|at| batch.column(*at).clone()).collect();
            let nulls: Vec<_> = columns.iter().filter_map(|column| column.logical_nulls()).collect();
            let rows = converter.convert_columns(&columns)?;
            for (row, key) in rows.iter().enumerate() {
                if nulls.iter().all(|nulls| nulls.is_valid(row)) {
                    take(check, key.as_ref());
                }
            }
        }
        Ok(())
    }

    /// What it has seen, with the rows that were rejected on the way; those that the source has rejected were read, too.
    pub fn finish(mut self, bin: Option<RejectBin>) -> Observed {
        self.seen.rejects = bin.map(RejectBin::into_rejects).unwrap_or_default();
        let by_checks: u64 = self.seen.read - self.seen.written;
        self.seen.read += self.seen.rejects.len() as u64 - by_checks;
        self.seen
    }
}

impl Keys {
    fn new(names: &[String], given: &Schema) -> Result<Keys> {
        let (columns, fields) = key_fields(names, given)?;
        Ok(Keys { columns, converter: RowConverter::new(fields)? })
    }
}

/// The positions and the types of the columns of a key.
///
/// # Errors
/// Config for a column that is not there, or whose values are not compared.
pub(super) fn key_fields(names: &[String], given: &Schema) -> Result<(Vec<usize>, Vec<SortField>)> {
    let (mut columns, mut fields) = (Vec::new(), Vec::new());
    for name in names {
        let (at, field) = given.column_with_name(name).ok_or_else(|| no_column(name, given))?;
        columns.push(at);
        fields.push(SortField::new(field.data_type().clone()));
        if !RowConverter::supports_fields(&fields) {
            let text = format!("values of type {} cannot be checked to be unique", field.data_type());
            return Err(Error::config(text).at("column", name));
        }
    }
    Ok((columns, fields))
}

/// Keys as text: `7, 'Bern'`.
///
/// # Errors
/// Of class bug for bytes that are no key of these columns.
pub fn key_texts(names: &[String], given: &Schema, keys: &[&[u8]]) -> Result<Vec<String>> {
    let (_, fields) = key_fields(names, given)?;
    let converter = RowConverter::new(fields)?;
    let parser = converter.parser();
    let columns = converter.convert_rows(keys.iter().map(|key| parser.parse(key)))?;
    let text = |row| {
        let values = columns.iter().map(|column| array_value_to_string(column, row));
        Ok(shortened(values.collect::<Result<Vec<_>, _>>()?.join(", ")))
    };
    (0..keys.len()).map(text).collect()
}

impl Broken {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.rows += 1;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(example());
        }
    }
}

/// The rows for which a condition is false; it is unknown for others.
fn breaking(holds: &BooleanArray) -> impl Iterator<Item = usize> + '_ {
    let is_false = |row: &usize| holds.is_valid(*row) && !holds.value(*row);
    let any = holds.false_count() > 0;
    (0..if any { holds.len() } else { 0 }).filter(is_false)
}

/// `amount = -3 at split 7, row 12`
fn example(
    batch: &RecordBatch,
    predicate: &Predicate,
    row: usize,
    place: &dyn Fn(usize) -> String,
) -> String {
    let value = |name: &str| {
        let column = batch.column_by_name(name)?;
        let text = match column.is_null(row) {
            true => "null".to_owned(),
            false => array_value_to_string(column, row).unwrap_or_else(|e| e.to_string()),
        };
        Some(format!("{name} = {text}"))
    };
    let values: Vec<String> = predicate.columns().into_iter().filter_map(value).collect();
    format!("{} at {}", shortened(values.join(", ")), place(row))
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_EXAMPLE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_EXAMPLE_BYTES));
        text.push('…');
    }
    text
}

/// A row as JSON; one that cannot be written so, as it is shown.
fn json_of(row: &RecordBatch) -> Result<String> {
    let mut line = Vec::new();
    if json_lines(row, &mut line).is_ok() {
        return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    let values = row.columns().iter().map(|column| array_value_to_string(column, 0));
    Ok(values.collect::<Result<Vec<_>, _>>()?.join(", "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::super::{Check, Gate, OnFail};
    use super::*;

    fn batch(ids: &[Option<i64>], states: &[Option<&str>]) -> RecordBatch {
        let columns: [(&str, ArrayRef, bool); 2] = [
            ("id", Arc::new(Int64Array::from(ids.to_vec())), true),
            ("state", Arc::new(StringArray::from(states.to_vec())), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn place(row: usize) -> String {
        format!("row {}", row + 1)
    }

    #[test]
    fn rows_that_break_a_check_are_counted_and_the_first_are_shown_with_their_places() {
        let rows = batch(&[Some(1), None, Some(-5), Some(9)], &[Some("new"), Some("odd"), None, Some("new")]);
        let checks = [Check::not_null("id"), Check::at_least("id", 0), Check::one_of("state", ["new"])];
        let gate = Gate::new(&checks, None, &rows.schema()).unwrap();
        let mut watcher = Watcher::new(gate.watch(), &rows.schema()).unwrap();
        assert_eq!(watcher.look(rows.clone(), None, &place).unwrap(), rows);
        let seen = watcher.finish(None);
        assert_eq!((seen.read, seen.written), (4, 4));
        let broken: Vec<_> = seen.broken.iter().map(|b| (b.rows, b.examples[0].as_str())).collect();
        assert_eq!(broken, [(1, "id = null at row 2"), (1, "id = -5 at row 3"), (1, "state = odd at row 2")]);
    }

    #[test]
    fn a_rejected_row_is_not_written_and_breaks_no_other_check() {
        let rows = batch(&[Some(1), None, Some(-5)], &[Some("new"), Some("odd"), Some("new")]);
        let checks = [Check::not_null("id").on_fail(OnFail::Reject), Check::one_of("state", ["new"])];
        let gate = Gate::new(&checks, Some(RejectLimits::default()), &rows.schema()).unwrap();
        let (mut watcher, bin) = (Watcher::new(gate.watch(), &rows.schema()).unwrap(), gate.watch().bin());
        let written = watcher.look(rows, bin.as_ref(), &place).unwrap();
        let seen = watcher.finish(bin);
        assert_eq!((written.num_rows(), seen.read, seen.written), (2, 3, 2));
        assert_eq!((seen.broken[0].rows, seen.broken[1].rows), (1, 0));
        let reject = &seen.rejects[0];
        assert_eq!((reject.place.as_str(), reject.record.as_str()), ("row 2", r#"{"state":"odd"}"#));
        assert_eq!(reject.error, "it breaks `id IS NOT NULL`");
    }

    #[test]
    fn keys_tell_rows_apart_and_nulls_have_none() {
        let rows = batch(&[Some(1), Some(1), None, Some(12)], &[Some("2"), Some("2"), Some("2"), Some("")]);
        let gate = Gate::new(&[Check::unique(["id", "state"])], None, &rows.schema()).unwrap();
        let watcher = Watcher::new(gate.watch(), &rows.schema()).unwrap();
        let mut keys = Vec::new();
        watcher.keys(&rows, &mut |_, key| keys.push(key.to_vec())).unwrap();
        assert!(keys.len() == 3 && keys[0] == keys[1] && keys[1] != keys[2]);
        let names = ["id", "state"].map(String::from);
        let texts = key_texts(&names, &rows.schema(), &[&keys[0], &keys[2]]).unwrap();
        assert_eq!(texts, ["1, 2", "12, "]);
    }
}
