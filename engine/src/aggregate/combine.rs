//! Map-side combine: rows in, one row per key and task out, ordered by target partition.
//!
//! The hash table is bounded: when it is full, its rows are written and it starts again empty. If the
//! first rows show that keys hardly repeat, rows bypass the table and go straight to their partitions.

use std::marker::PhantomData;
use std::mem::needs_drop;

use arrow::datatypes::SchemaRef;

use super::carried::Carried;
use super::kinds::Aggregate;
use super::room::Room;
use super::table::{Occupied, Table, partition_of};
use crate::chain::{Chain, RowConsumer, Step};
use crate::error::Result;
use crate::plan::Terminal;
use crate::row::{Key, Row, bytes_of_view, schema};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// Upper limit, in bytes, of one task's table, however much memory there is.
const TABLE_BYTES: usize = 512 << 20;
/// Rows that are hashed in a batch before they enter the table, and at most the rows between two checks
/// of its size.
const WAITING_ROWS: usize = 128;
/// Number of rows after which the table is checked for its usefulness.
const TRIAL_ROWS: usize = 1 << 16;
/// With more keys than this, nine in ten rows, the table is bypassed.
const USELESS_KEYS: usize = TRIAL_ROWS / 10 * 9;

/// A row in the exchange: hash, key, accumulator.
pub(super) type Combined<K, A> = (Carried<K>, K, A);

/// Ends a chain of key-value rows with a combine by the aggregate `G`.
pub struct Combine<K, G> {
    aggregate: G,
    partitions: usize,
    _key: PhantomData<fn() -> K>,
}

impl<K, G> Combine<K, G> {
    /// Combines by `aggregate` before an exchange into `partitions`.
    pub fn new(aggregate: G, partitions: usize) -> Self {
        Combine { aggregate, partitions, _key: PhantomData }
    }
}

impl<K: Key, G: Aggregate> Terminal<(K, G::Value)> for Combine<K, G> {
    fn run<C: Chain<Out = (K, G::Value)>>(
        &self,
        chain: &C,
        task: &Task<'_>,
        out: &mut dyn Output,
    ) -> Result<()> {
        let mut sink = CombineSink::new(&self.aggregate, self.partitions, task, out);
        chain.drive(task, &mut sink)?;
        sink.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<Combined<K, G::Acc>>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        let (name, site) = self.aggregate.name();
        steps.push(Step::new(format!("combine for {name}"), site));
    }

    fn closures(&self, closures: &mut Vec<Closure>) {
        self.aggregate.closures(closures);
    }
}

impl<K, G: Ship> Ship for Combine<K, G> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.partitions)?;
        self.aggregate.ship(params)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let partitions = params.take()?;
        Ok(Combine::new(G::rebuild(params)?, partitions))
    }
}

struct CombineSink<'a, K: Key, G: Aggregate> {
    table: Table<K, G::Acc>,
    room: Room,
    waiting: Waiting<K, G::Value>,
    aggregate: &'a G,
    writer: PartitionedWriter<'a, Combined<K, G::Acc>>,
    rows: usize,
    until_look: usize,
    /// Whether the usefulness of the table has been checked.
    is_tried: bool,
    bypass: bool,
}

/// Rows that are hashed but not yet in the table. They are looked up in a short loop without any other
/// work, in which the processor overlaps several cache misses. Between two calls of the user's closures
/// it would wait for each miss.
struct Waiting<K: Key, V> {
    rows: Vec<(u64, K::Slot, V)>,
    arena: K::Arena,
}

impl<K: Key, G: Aggregate> RowConsumer<(K, G::Value)> for CombineSink<'_, K, G> {
    #[inline]
    fn push(&mut self, (key, value): (K::View<'_>, <G::Value as Row>::View<'_>)) {
        let hash = K::hash(key);
        // Copying a value that owns an allocation costs more than the waiting rows save.
        if needs_drop::<G::Value>() {
            return self.add(hash, key, value);
        }
        let slot = K::store(key, &mut self.waiting.arena);
        self.waiting.rows.push((hash, slot, G::Value::own(value)));
        if self.waiting.rows.len() == WAITING_ROWS {
            self.add_waiting();
        }
    }

    fn is_full(&self) -> bool {
        self.writer.is_closed()
    }
}

impl<'a, K: Key, G: Aggregate> CombineSink<'a, K, G> {
    fn new(aggregate: &'a G, partitions: usize, task: &Task<'_>, out: &'a mut dyn Output) -> Self {
        CombineSink {
            table: Table::new(0, 1),
            room: Room::new(task, "combine"),
            waiting: Waiting { rows: Vec::with_capacity(WAITING_ROWS), arena: K::Arena::default() },
            aggregate,
            writer: PartitionedWriter::new(partitions, out),
            rows: 0,
            until_look: 1,
            is_tried: false,
            bypass: false,
        }
    }

    fn finish(mut self) -> Result<()> {
        self.add_waiting();
        self.flush();
        self.writer.finish()
    }

    #[inline(never)]
    fn add_waiting(&mut self) {
        let mut waiting =
            std::mem::replace(&mut self.waiting, Waiting { rows: Vec::new(), arena: K::Arena::default() });
        let aggregate = self.aggregate;
        for (hash, slot, value) in &waiting.rows {
            if self.bypass {
                self.send(*hash, K::load(slot, &waiting.arena), &aggregate.start(value.view()));
                continue;
            }
            let start = || aggregate.start(value.view());
            let add = |acc: Occupied<'_, G::Acc>| aggregate.add(acc, value.view());
            self.table.upsert_slot(*hash, (slot, &waiting.arena), start, add);
        }
        self.rows += waiting.rows.len();
        self.look(size_of::<G::Value>());
        waiting.rows.clear();
        self.waiting.rows = waiting.rows;
    }

    fn add(&mut self, hash: u64, key: K::View<'_>, value: <G::Value as Row>::View<'_>) {
        let aggregate = self.aggregate;
        if self.bypass {
            return self.send(hash, key, &aggregate.start(value));
        }
        self.table.upsert(hash, key, || aggregate.start(value), |acc| aggregate.add(acc, value));
        self.rows += 1;
        self.until_look -= 1;
        if self.until_look == 0 {
            self.look(bytes_of_view::<G::Value>(value));
        }
    }

    fn send(&mut self, hash: u64, key: K::View<'_>, acc: &G::Acc) {
        let partition = partition_of(hash, self.writer.partitions());
        self.writer.push(partition, (Carried::new(hash), K::narrow(key), acc.view()));
    }

    /// Checks whether the table is too large or useless. `row_bytes` is the approximate size of a row.
    fn look(&mut self, row_bytes: usize) {
        if self.bypass {
            return;
        }
        let useless = !self.is_tried && self.rows >= TRIAL_ROWS && self.table.len() > USELESS_KEYS;
        self.is_tried = self.rows >= TRIAL_ROWS;
        self.until_look = (self.room.step() / row_bytes.max(1)).clamp(1, WAITING_ROWS);
        let is_full = self.table.size_bytes() > TABLE_BYTES
            || !self.room.has_room(&self.table, self.until_look, self.until_look * row_bytes);
        if useless || is_full {
            self.flush();
            self.bypass |= useless;
        }
    }

    #[cold]
    fn flush(&mut self) {
        let mut table = std::mem::replace(&mut self.table, Table::new(0, 1));
        for (hash, key, acc) in table.iter() {
            self.send(hash, key, acc);
        }
        table.clear();
        self.room.free();
        if !self.room.grow_to(table.size_bytes()) {
            // Crowded keys have made the slots outgrow the reservation: even the empty table would be
            // full.
            table = Table::new(0, 1);
        }
        self.table = table;
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{Name, NoShared, Reduce};
    use super::*;
    use crate::row::{ColumnBuilder, to_batch};
    use crate::shuffle::TaskOutput;
    use crate::task::tests::Desk;

    #[test]
    fn the_table_is_put_out_before_large_values_fill_more_than_the_share() {
        let mut builder = <u64 as Row>::Builder::default();
        builder.push(1);
        let desk = Desk::new(vec![to_batch::<u64>(&mut builder).unwrap()], 16 << 20);
        let (task, mut output) = (desk.task(), TaskOutput::of(&desk.env));
        let site = kiln_planner::Site::caller();
        let reduce = Reduce::new(NoShared, |a: String, _: String| a, Name::ReduceByKey, site);
        let mut sink = CombineSink::<u64, _>::new(&reduce, 3, &task, &mut output);
        let value = "x".repeat(100_000);
        let most = (0..500).map(|key| {
            sink.push((key, &value));
            sink.table.len()
        });
        let most = most.max().unwrap();
        assert!((2..65).contains(&most), "{most} values of 100 kB in a share of 8 MiB");
        sink.finish().unwrap();
        assert_eq!(output.rows, 500);
    }
}
