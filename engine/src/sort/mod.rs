//! Sorts the rows of one partition by key, with an external merge sort if they do not fit in memory.
//!
//! Batches are added in any order. Rows come out in the order of their keys, and equal keys in the order in
//! which they were added. The sort moves only small entries: the first eight bytes of a key and the position
//! of its row. Full keys are compared only where those bytes are equal, and a row is copied only when it is
//! output. When there is no room for another batch, the batches in memory are written to a temporary file as
//! a sorted run, and in the end the runs are merged ([`run`]). Where the batches come from is not known here.

mod run;

use datafusion_execution::memory_pool::MemoryReservation;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::memory::SpillFile;
use crate::row::{Key, Row, RowReader, bytes_of};
use crate::shuffle::PartitionedWriter;
use crate::task::{BatchLimits, Task};
use run::{BLOCK_BYTES, Run, ToFile, merge};

/// The most runs that are merged at once.
const MAX_FAN_IN: usize = 128;
/// How many rows are looked up together, so that the processor waits for all of them at once.
const FOUND_AT_ONCE: usize = 16;
/// The most rows in a block of a run.
const BLOCK_ROWS: usize = 1 << 16;

/// Sorts key-value rows.
pub struct Sorter<'t, K: Key, V: Row> {
    task: &'t Task<'t>,
    room: MemoryReservation,
    batches: Vec<RowReader<(K, V)>>,
    rows: usize,
    file: Option<SpillFile>,
    runs: Vec<Run>,
}

/// A key's first bytes and the position of its row: the batch in the upper half, the row in the lower half.
type Place = (u64, u64);

impl<'t, K: Key, V: Row> Sorter<'t, K, V> {
    /// A sorter that uses the memory of `task`.
    pub fn new(task: &'t Task<'t>) -> Self {
        let room = task.reserve("sort");
        Sorter { task, room, batches: Vec::new(), rows: 0, file: None, runs: Vec::new() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let bytes = bytes_of(batch) + batch.num_rows() * size_of::<Place>();
        if self.room.try_grow(bytes).is_err() {
            self.spill()?;
            // One batch is always kept in memory, whatever its size: less cannot be sorted.
            let _ = self.room.try_grow(bytes);
        }
        self.rows += batch.num_rows();
        self.batches.push(RowReader::open(batch)?);
        Ok(())
    }

    /// Outputs all rows in order.
    ///
    /// # Errors
    /// When a temporary file cannot be written or read.
    pub fn finish(mut self, writer: &mut PartitionedWriter<'_, (K, V)>) -> Result<()> {
        if self.runs.is_empty() {
            self.write_held(writer);
            return Ok(());
        }
        self.spill()?;
        while self.runs.len() > self.fan_in() {
            self.merge_round()?;
        }
        merge(self.task, &self.runs, writer)
    }

    /// Writes every row once more, and merges neighbouring runs, so that equal keys stay in their order. The
    /// file of the previous round is removed with its runs.
    fn merge_round(&mut self) -> Result<()> {
        let (fan_in, runs) = (self.fan_in(), std::mem::take(&mut self.runs));
        self.file = None;
        for some in runs.chunks(fan_in) {
            let merged = self.write_run(|task, writer| merge(task, some, writer))?;
            self.runs.push(merged);
        }
        Ok(())
    }

    /// How many runs are merged at once. Each needs memory for one block, as bytes and as columns; a block
    /// may be a single large row.
    fn fan_in(&self) -> usize {
        let largest = self.runs.iter().map(Run::largest).max().unwrap_or_default();
        let held = 2 * largest.max(2 * BLOCK_BYTES);
        (self.task.env.memory.task_bytes() / held).clamp(2, MAX_FAN_IN)
    }

    #[cold]
    fn spill(&mut self) -> Result<()> {
        if self.batches.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.batches);
        let rows = std::mem::take(&mut self.rows);
        let run = self.write_run(|_, writer| {
            write_sorted(&held, rows, writer);
            Ok(())
        })?;
        self.runs.push(run);
        self.room.free();
        Ok(())
    }

    fn write_run(
        &mut self,
        write: impl FnOnce(&Task<'_>, &mut PartitionedWriter<'_, (K, V)>) -> Result<()>,
    ) -> Result<Run> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.task.spill_file("a sort")?),
        };
        let mut out =
            ToFile { file, limits: BatchLimits { rows: BLOCK_ROWS, bytes: BLOCK_BYTES }, blocks: Vec::new() };
        let mut writer = PartitionedWriter::new(1, &mut out);
        write(self.task, &mut writer)?;
        writer.finish()?;
        Ok(Run { blocks: out.blocks })
    }

    fn write_held(&mut self, writer: &mut PartitionedWriter<'_, (K, V)>) {
        write_sorted(&self.batches, self.rows, writer);
    }
}

/// Outputs the rows of `batches` in order.
fn write_sorted<K: Key, V: Row>(
    batches: &[RowReader<(K, V)>],
    rows: usize,
    writer: &mut PartitionedWriter<'_, (K, V)>,
) {
    let mut some = Vec::with_capacity(FOUND_AT_ONCE);
    for places in sorted(batches, rows).chunks(FOUND_AT_ONCE) {
        some.extend(places.iter().map(|(_, place)| row(batches, *place)));
        some.drain(..).for_each(|row| writer.push(0, row));
        if writer.is_closed() {
            break;
        }
    }
}

fn row<K: Key, V: Row>(batches: &[RowReader<(K, V)>], place: u64) -> (K::View<'_>, V::View<'_>) {
    batches[(place >> 32) as usize].get(place as u32 as usize)
}

/// The positions of all rows in the order of their keys.
fn sorted<K: Key, V: Row>(batches: &[RowReader<(K, V)>], rows: usize) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::with_capacity(rows);
    for (batch, reader) in batches.iter().enumerate() {
        let first = (batch as u64) << 32;
        places.extend(reader.iter().enumerate().map(|(at, (key, _))| (K::prefix(key), first | at as u64)));
    }
    if K::PREFIX_IS_KEY {
        places.sort_unstable();
    } else {
        places.sort_unstable_by(|a, b| {
            let keys = || K::compare(row(batches, a.1).0, row(batches, b.1).0);
            a.0.cmp(&b.0).then_with(keys).then(a.1.cmp(&b.1))
        });
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Spilled;
    use crate::row::{ColumnBuilder, mix, to_batch};
    use crate::shuffle::TaskOutput;
    use crate::task::tests::Desk;

    fn batches(rows: &[(String, u64)]) -> Vec<RecordBatch> {
        let batch = |rows: &[(String, u64)]| {
            let mut builder = <(String, u64) as Row>::Builder::default();
            rows.iter().for_each(|row| builder.push(row.view()));
            to_batch::<(String, u64)>(&mut builder).unwrap()
        };
        rows.chunks(1000).map(batch).collect()
    }

    /// The sorted rows, and the number of runs before the merge.
    fn sort(rows: &[(String, u64)], memory: u64) -> (Vec<(String, u64)>, usize) {
        let desk = Desk::new(batches(rows), memory);
        let (task, mut output) = (desk.task(), TaskOutput::of(&desk.env));
        let mut sorter = Sorter::<String, u64>::new(&task);
        batches(rows).iter().for_each(|batch| sorter.push(batch).unwrap());
        let runs = sorter.runs.len();
        let mut writer = PartitionedWriter::new(1, &mut output);
        sorter.finish(&mut writer).unwrap();
        writer.finish().unwrap();
        let sorted: Vec<RecordBatch> =
            output.partition(0).iter().map(|block| block.read().unwrap()).collect();
        (crate::row::ipc::rows_of(&sorted).unwrap(), runs)
    }

    #[test]
    fn rows_that_do_not_fit_are_sorted_by_runs_and_equal_keys_keep_their_order() {
        let key = |i: u64| format!("key {}{}", mix(i, 5) % 700, "x".repeat((i % 50) as usize % 3));
        let rows: Vec<(String, u64)> = (0..120_000).map(|i| (key(i), i)).collect();
        let mut expected = rows.clone();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let (at_once, runs) = sort(&rows, 1 << 30);
        assert!(runs == 0 && at_once == expected);
        let (by_runs, runs) = sort(&rows, 1 << 20);
        // More than the fan-in, so that some runs are merged twice.
        assert!(runs > 2, "{runs} runs");
        assert!(by_runs == expected);
    }

    #[test]
    fn many_runs_become_few_in_rounds_that_write_every_row_once() {
        let desk = Desk::new(batches(&[("key".to_owned(), 1)]), 2 << 20);
        let task = desk.task();
        let mut sorter = Sorter::<String, u64>::new(&task);
        let rows: Vec<(String, u64)> = (0..300_000).map(|i| (format!("a key of {i}"), i)).collect();
        batches(&rows).iter().for_each(|batch| sorter.push(batch).unwrap());
        sorter.spill().unwrap();
        let size = |sorter: &Sorter<'_, String, u64>| -> usize {
            sorter.runs.iter().flat_map(|run| &run.blocks).map(Spilled::bytes).sum()
        };
        let (before, runs, fan_in, mut rounds) = (size(&sorter), sorter.runs.len(), sorter.fan_in(), 0);
        while sorter.runs.len() > fan_in {
            sorter.merge_round().unwrap();
            rounds += 1;
            assert!(size(&sorter) < before + before / 4);
        }
        assert!(runs > 8 && runs <= fan_in.pow(rounds + 1), "{runs} runs, {rounds} rounds of {fan_in}");
    }

    #[test]
    fn runs_of_huge_rows_are_merged_few_at_once() {
        let desk = Desk::new(batches(&[("key".to_owned(), 1)]), 32 << 20);
        let task = desk.task();
        let mut sorter = Sorter::<String, u64>::new(&task);
        for i in 0..9 {
            sorter.push(&batches(&[("x".repeat(3 << 20), i)])[0]).unwrap();
            sorter.spill().unwrap();
        }
        // A task's 16 MiB hold two of these runs, as bytes and as rows.
        assert_eq!((sorter.runs.len(), sorter.fan_in()), (9, 2));
    }

    #[test]
    fn one_key_in_all_rows_is_no_harder_than_many() {
        let rows: Vec<(String, u64)> = (0..100_000).map(|i| ("the same long key".to_owned(), i)).collect();
        let (sorted, runs) = sort(&rows, 1 << 20);
        assert!(runs > 2 && sorted == rows);
    }
}
