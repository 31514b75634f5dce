//! Merges after the exchange: all tasks' rows for one partition in, one row per key out, one
//! sub-partition at a time.
//!
//! Rows are added in the order of the tasks that wrote them, so sums of floats are the same however
//! many slots and executors there are. Rows that do not fit in memory are merged in passes: the
//! exchange holds all rows, in memory or on disk, and is read once for each range of hashes. The table
//! is in hash order, so the keys of one range come out after those of the range before.

use std::marker::PhantomData;
use std::mem::needs_drop;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::carried::Carried;
use super::combine::Combined;
use super::kinds::Aggregate;
use super::part::Part;
use super::room::Room;
use super::slices::Slices;
use super::table::Table;
use crate::chain::Step;
use crate::error::{Error, Result};
use crate::plan::Operator;
use crate::row::{Key, Row, RowReader, bytes_of, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter};
use crate::ship::table;
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Rows whose table slots are prefetched before they are added.
const AHEAD: usize = 64;
/// One in this many hashes is in the sample that estimates the number of keys.
const SAMPLED: u64 = 64;
/// Smallest and largest initial capacity, in keys, of the table of a pass.
const FIRST_KEYS: usize = 1 << 4;
const MAX_FIRST_KEYS: usize = 1 << 24;
/// Rows between two checks of the table's size, and the divisor of that number while there is no room
/// for as many rows.
const LOOK_ROWS: usize = 1 << 12;
const FEWER: usize = 8;

/// Merges the combined rows of one partition.
pub struct Merge<K, G> {
    aggregate: G,
    slices: Slices,
    _key: PhantomData<fn() -> K>,
}

type Accs<K, G> = Table<K, <G as Aggregate>::Acc>;
type Rows<K, G> = RowReader<Combined<K, <G as Aggregate>::Acc>>;

impl<K: Key, G: Aggregate> Merge<K, G> {
    /// Merges the rows in the sub-partitions `slices`.
    pub(super) fn new(aggregate: G, slices: Slices) -> Self {
        Merge { aggregate, slices, _key: PhantomData }
    }

    /// The operator after an exchange into `slices`, registered in the link-time table.
    pub fn operator(aggregate: G, slices: Slices) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(Merge::<K, G>::new(aggregate, slices))
    }

    /// Merges and writes the rows of one sub-partition.
    fn slice(
        &self,
        slice: usize,
        task: &Task<'_>,
        writer: &mut PartitionedWriter<'_, (K, G::Acc)>,
    ) -> Result<()> {
        let mut room = Room::new(task, "merge");
        if let Some(table) = self.at_once(slice, task, &mut room)? {
            put_out(&table, writer);
            return Ok(());
        }
        let mut next = Some(self.slices.part());
        while let Some(range) = next.filter(|_| !writer.is_closed()) {
            room.free();
            let (table, done) = self.pass(slice, task, &mut room, range)?;
            put_out(&table, writer);
            next = done.next();
        }
        Ok(())
    }

    /// Merges all rows of a sub-partition at once, if there is room for them and their table.
    fn at_once(&self, slice: usize, task: &Task<'_>, room: &mut Room) -> Result<Option<Accs<K, G>>> {
        let (mut batches, mut bytes) = (Vec::<RecordBatch>::new(), 0);
        let mut fits = true;
        task.read_partition(0, slice, &mut |batch| {
            task.check()?;
            bytes += bytes_of(&batch);
            fits = room.grow_to(bytes);
            batches.push(batch);
            Ok(if fits { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        let batches = batches.iter().map(Rows::<K, G>::open).collect::<Result<Vec<_>>>()?;
        let keys = guess_keys(batches.iter().flat_map(|rows| (0..rows.len()).map(|at| hash_at(rows, at))));
        // Accumulators own about as much memory as they took in the batches.
        let owned = if needs_drop::<G::Acc>() { bytes } else { 0 };
        if !fits || !room.grow_to(bytes + owned + 2 * Accs::<K, G>::bytes_for(keys)) {
            return Ok(None);
        }
        let mut table = Table::new(keys, self.slices.part().scale());
        for rows in batches {
            for start in (0..rows.len()).step_by(AHEAD) {
                let ahead = start..rows.len().min(start + AHEAD);
                table.touch(ahead.clone().map(|at| hash_at(&rows, at)));
                ahead.for_each(|at| self.add(&mut table, rows.get(at)));
            }
        }
        Ok(Some(table))
    }

    #[inline]
    fn add(
        &self,
        table: &mut Accs<K, G>,
        (hash, key, acc): (Carried<K>, K::View<'_>, <G::Acc as Row>::View<'_>),
    ) {
        table.upsert(hash.of(key), key, || G::Acc::own(acc), |held| self.aggregate.merge(held, acc));
    }

    /// Merges the rows of one hash range of a sub-partition. A range that turns out to be too large is
    /// halved during the merge; returns the range that was merged.
    fn pass(
        &self,
        slice: usize,
        task: &Task<'_>,
        room: &mut Room,
        mut range: Part,
    ) -> Result<(Accs<K, G>, Part)> {
        // Start large: keys that arrive in hash order make a small table grow before it is full.
        let mut keys = FIRST_KEYS;
        while 4 * Accs::<K, G>::bytes_for(2 * keys) < task.env.memory.task_bytes() && keys < MAX_FIRST_KEYS {
            keys *= 2;
        }
        let (mut table, mut ours) = (Table::new(keys, range.scale()), Vec::with_capacity(LOOK_ROWS));
        task.read_partition(0, slice, &mut |batch| {
            task.check()?;
            let rows = Rows::<K, G>::open(&batch)?;
            let row_bytes = bytes_of(&batch) / rows.len().max(1);
            let (mut start, mut look) = (0, LOOK_ROWS);
            while start < rows.len() {
                let end = rows.len().min(start + look);
                ours.clear();
                ours.extend((start..end).filter(|at| range.has(hash_at(&rows, *at))));
                // A single row is accepted whatever its size, because nothing smaller can be merged.
                let is_first = ours.len() == 1 && table.len() == 0;
                if room.has_room(&table, ours.len(), ours.len() * row_bytes) || is_first {
                    ours.iter().for_each(|at| self.add(&mut table, rows.get(*at)));
                    start = end;
                } else if ours.len() > 1 {
                    // Retry with fewer rows: most of them may have keys that are already in the table.
                    look = (look / FEWER).max(1);
                } else {
                    range = range.lower_half().ok_or_else(|| self.too_large())?;
                    table.keep_lower_half();
                    look = LOOK_ROWS;
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((table, range))
    }

    fn too_large(&self) -> Error {
        let (name, site) = self.aggregate.name();
        Error::resource(format!("the values of one key of {name} are larger than the memory of a task"))
            .at("line", site)
            .help("give the process more with KILN_MEMORY, or run fewer tasks at once")
    }
}

#[inline]
fn hash_at<K: Key, A: Row>(rows: &RowReader<Combined<K, A>>, at: usize) -> u64 {
    let (hash, key, _) = rows.get(at);
    hash.of(key)
}

/// Estimates the number of distinct hashes from those whose low bits are zero, which are as random as
/// any others.
fn guess_keys(hashes: impl Iterator<Item = u64>) -> usize {
    let mut sample: Vec<u64> = hashes.filter(|hash| hash % SAMPLED == 0).collect();
    sample.sort_unstable();
    sample.dedup();
    sample.len() * SAMPLED as usize
}

fn put_out<K: Key, A: Row>(table: &Table<K, A>, writer: &mut PartitionedWriter<'_, (K, A)>) {
    for (_, key, acc) in table.iter() {
        writer.push(0, (key, acc.view()));
        if writer.is_closed() {
            break;
        }
    }
}

impl<K: Key, G: Aggregate> Operator for Merge<K, G> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut writer = PartitionedWriter::<(K, G::Acc)>::new(1, out);
        for slice in self.slices.of(task.partition) {
            if writer.is_closed() {
                break;
            }
            self.slice(slice, task, &mut writer)?;
        }
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<(K, G::Acc)>()
    }

    fn steps(&self) -> Vec<Step> {
        let (name, site) = self.aggregate.name();
        vec![Step::new(name, site)]
    }

    fn closures(&self) -> Vec<Closure> {
        Vec::new() // the combine before the exchange has listed them
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.slices)?;
        self.aggregate.ship(params)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let slices = params.take()?;
        Ok(Merge::new(G::rebuild(params)?, slices))
    }
}

#[cfg(test)]
mod tests;
