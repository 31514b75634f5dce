//! Unique rows: the keys of what is written go through an exchange, where equal ones meet.
//!
//! The stage that writes the parts gives the keys of its rows as rows of its own, and behind them, also as a row, what
//! the commit must know of the part. An exchange has the rows of exactly one attempt at each task, so that keys and
//! part are always of the same one. Nothing is read a second time, every format and target is checked alike, and what does not
//! fit into memory is counted in passes, as in any other aggregation.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion_physical_plan::ExecutionPlan;

use crate::checks::{Gate, Repeated, key_texts};
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::operators::PartitionRows;
use crate::row::schema;
use crate::shuffle::PartitionedWriter;
use crate::task::Output;

/// Keys of one check that are shown.
const MAX_EXAMPLES: usize = 3;
/// In place of the number of a check: what follows is no key but the note of a part.
const NOTE: u32 = 0;
/// The number of a check, or [`NOTE`], in front of a key.
const TAG_BYTES: usize = 4;

/// A tagged key, and how many rows have it.
type Counted = (Bytes, u64);
/// A tag, a key, and how many keys and rows: of this key, or without one of all that more than one row has.
type Summary = (u32, Bytes, u64, u64);

/// The columns of a stage that gives keys.
pub(super) fn columns() -> SchemaRef {
    schema::<Counted>()
}

/// Gives the keys that `write` passes on with the number of their check, and then the note that it returns.
pub(super) fn send(
    partition: usize,
    out: &mut dyn Output,
    write: impl FnOnce(&mut dyn FnMut(u32, &[u8])) -> Result<Vec<u8>>,
) -> Result<()> {
    let mut rows = PartitionedWriter::<Counted>::new(1, out);
    let mut tagged = Vec::new();
    let note = write(&mut |check, key| {
        tagged.clear();
        tagged.extend_from_slice(&(check + 1).to_be_bytes());
        tagged.extend_from_slice(key);
        rows.push(0, (&tagged[..], 1));
    })?;
    let partition = u32::try_from(partition).unwrap_or(u32::MAX);
    let note = [&NOTE.to_be_bytes()[..], &partition.to_be_bytes(), &note].concat();
    rows.push(0, (&note[..], 1));
    rows.finish()
}

/// Runs the stage `plan`, which gives keys, and counts them. Gives the notes of the parts in the order of their partitions,
/// and for each check the keys that more than one row has.
///
/// # Errors
/// Whatever stops the job.
pub(super) fn run(
    origin: &Origin,
    plan: Arc<dyn ExecutionPlan>,
    gate: &Gate,
    given: &SchemaRef,
) -> Result<(Vec<Vec<u8>>, Vec<Repeated>)> {
    let keys: Dataset<Counted> = Dataset::from_plan(plan, origin.clone().moved());
    let counted = keys.reduce_by_key(|a, b| a + b).map_partitions(|_, rows| summaries(rows));
    let mut notes = Vec::new();
    let mut found: Vec<(Repeated, Vec<(Bytes, u64)>)> = vec![Default::default(); gate.unique().len()];
    for (tag, key, keys, rows) in counted.collect()? {
        let Some(check) = (tag as usize).checked_sub(1) else {
            notes.push(key);
            continue;
        };
        let (repeated, examples) = found.get_mut(check).ok_or_else(|| Error::bug("a key is of no check"))?;
        match key.is_empty() {
            true => (repeated.keys, repeated.rows) = (repeated.keys + keys, repeated.rows + rows),
            false if examples.len() < MAX_EXAMPLES => examples.push((key, rows)),
            false => {}
        }
    }
    // The number of the partition is in front.
    notes.sort_unstable();
    let notes = notes.iter().map(|note| note.get(TAG_BYTES..).unwrap_or_default().to_vec()).collect();
    let repeated = found.into_iter().zip(gate.unique()).map(|((repeated, examples), columns)| {
        let keys: Vec<&[u8]> = examples.iter().map(|(key, _)| &key[..]).collect();
        let texts = key_texts(columns, given, &keys)?;
        Ok(Repeated {
            examples: texts.into_iter().zip(examples.iter().map(|(_, rows)| *rows)).collect(),
            ..repeated
        })
    });
    Ok((notes, repeated.collect::<Result<_>>()?))
}

/// The notes of a partition, and what is repeated in it, by check.
fn summaries(rows: PartitionRows<Counted>) -> Vec<Summary> {
    let (mut summaries, mut totals) = (Vec::new(), Vec::<(u64, u64)>::new());
    for (tagged, count) in rows {
        let Some((tag, _)) = tagged.split_first_chunk::<TAG_BYTES>() else { continue };
        let (tag, key) = (u32::from_be_bytes(*tag), tagged.slice(TAG_BYTES..));
        if tag == NOTE {
            summaries.push((NOTE, key, 0, 0));
        } else if count > 1 {
            let at = tag as usize - 1;
            totals.resize(totals.len().max(at + 1), (0, 0));
            let (keys, rows) = &mut totals[at];
            (*keys, *rows) = (*keys + 1, *rows + count);
            if *keys <= MAX_EXAMPLES as u64 {
                summaries.push((tag, key, 1, count));
            }
        }
    }
    summaries.extend((1..).zip(totals).map(|(tag, (keys, rows))| (tag, Bytes::new(), keys, rows)));
    summaries
}
