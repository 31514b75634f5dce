//! Build and probe in a join's task: holds the right side in a hash table and streams the left side
//! past it.
//!
//! If the right side does not fit in memory, the hash range of the partition is cut into parts, and
//! both sides are read once for each part. If a part of the right side still does not fit, for example
//! because one key has a large share of the rows, it is held in chunks, and the left rows of the part
//! are probed once per chunk. One bit per left row then records whether an earlier chunk had a match
//! for it; these bits are the only state kept about the left side.

use std::marker::PhantomData;
use std::ops::{ControlFlow, Range};

use arrow::array::RecordBatch;

use super::Kind;
use super::bits::Bits;
use crate::aggregate::Part;
use crate::error::{Error, Result};
use crate::operators::hashed::{Gathered, Index, Loader, Replay, Room, Rows, Size};
use crate::row::{Key, Row, RowReader};
use crate::shuffle::PartitionedWriter;
use crate::task::Task;

/// Left rows whose keys are looked up before the first is output. In a loop without other work the
/// processor overlaps several cache misses.
const AHEAD: usize = 64;
/// Matches of one left row between two checks for cancellation.
const LOOK_ROWS: usize = 1 << 16;

/// Joins one sub-partition of the task's partition, whose hash range is `whole`.
pub(super) fn join<J: Kind<K, V, W>, K: Key, V: Row, W: Row>(
    slice: usize,
    whole: Part,
    task: &Task<'_>,
    writer: &mut PartitionedWriter<'_, J::Out>,
) -> Result<()> {
    if writer.is_closed() {
        return Ok(());
    }
    let (mut right, mut room) = (Replay::at(task, 1, slice), Room::new(task, J::NAME));
    let mut probe =
        Probe::<J, K, V, W> { task, left: Replay::at(task, 0, slice), writer, _rows: PhantomData };
    let needs = |size: Size| Index::<K, W>::bytes_for(size, size.rows);
    match right.gather(&mut room, needs)? {
        Gathered::Whole(batches, size) => probe.whole(&Index::new(&batches, whole, size.rows)?, whole)?,
        Gathered::TooLarge(size) => {
            let ways = needs(size).div_ceil(room.limit()) + 1;
            log::debug!("{}: {} rows of {} bytes in {ways} passes", J::NAME, size.rows, size.bytes);
            let parts = whole.cut(ways).ok_or_else(|| Error::bug("a partition cannot be cut so finely"))?;
            for part in parts {
                room.free();
                probe.pass(&mut right, part, &room)?;
            }
        }
    }
    Ok(())
}

/// The left side and the writer of the output.
struct Probe<'t, 'p, 'w, 'o, J: Kind<K, V, W>, K: Key, V: Row, W: Row> {
    task: &'t Task<'p>,
    left: Replay<'t, 'p>,
    writer: &'w mut PartitionedWriter<'o, J::Out>,
    _rows: PhantomData<fn() -> (V, W)>,
}

/// Matches of the left rows of a part with earlier chunks of the right side.
#[derive(Default)]
struct Earlier {
    pieces: usize,
    /// Whether a left row has had a match, by the row's position in the part.
    matched: Bits,
}

impl<J: Kind<K, V, W>, K: Key, V: Row, W: Row> Probe<'_, '_, '_, '_, J, K, V, W> {
    /// Joins all rows with a right side that fits in memory.
    fn whole(&mut self, index: &Index<K, W>, part: Part) -> Result<()> {
        let mut earlier = Earlier::default();
        let mut stream = Stream::<J, K, V, W>::new(self.task, self.writer, index, part, &mut earlier, true);
        self.left.read_once(&mut |batch| stream.take(&batch))?;
        stream.right_alone();
        Ok(())
    }

    /// Joins the rows of one part, with the right side in as many chunks as needed.
    fn pass(&mut self, right: &mut Replay<'_, '_>, part: Part, room: &Room) -> Result<()> {
        let (mut loader, mut earlier) = (Loader::<K, W>::new(part, false, room), Earlier::default());
        right.read(&mut |batch| {
            loader.pick(&batch, &mut |loader| {
                if !room.hold(loader.needs()) {
                    self.piece(&loader.take()?, part, &mut earlier, false)?;
                    earlier.pieces += 1;
                }
                Ok(())
            })?;
            Ok(if self.writer.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if earlier.pieces > 0 {
            log::debug!("{}: a pass with {} pieces of the right side", J::NAME, earlier.pieces + 1);
        }
        self.piece(&loader.take()?, part, &mut earlier, true)
    }

    /// Streams the left rows of `part` past one chunk of the right side.
    fn piece(&mut self, index: &Index<K, W>, part: Part, earlier: &mut Earlier, is_last: bool) -> Result<()> {
        if self.writer.is_closed() {
            return Ok(());
        }
        let mut stream = Stream::<J, K, V, W>::new(self.task, self.writer, index, part, earlier, is_last);
        self.left.read(&mut |batch| stream.take(&batch))?;
        stream.right_alone();
        Ok(())
    }
}

/// The left rows of a part, streamed past a chunk of the right side.
struct Stream<'a, 'p, 'o, J: Kind<K, V, W>, K: Key, V: Row, W: Row> {
    task: &'a Task<'p>,
    writer: &'a mut PartitionedWriter<'o, J::Out>,
    index: &'a Index<K, W>,
    part: Part,
    earlier: &'a mut Earlier,
    is_last: bool,
    /// Number of left rows of the part so far.
    seen: usize,
    found: Vec<Found>,
    /// Whether a right row has had a match, by batch.
    met: Vec<Bits>,
    _left: PhantomData<fn() -> V>,
}

/// Result of the lookup of a left row.
#[derive(Clone, Copy)]
enum Found {
    /// The row belongs to another part.
    Elsewhere,
    Nothing,
    Partners(Rows),
}

impl<'a, 'p, 'o, J: Kind<K, V, W>, K: Key, V: Row, W: Row> Stream<'a, 'p, 'o, J, K, V, W> {
    fn new(
        task: &'a Task<'p>,
        writer: &'a mut PartitionedWriter<'o, J::Out>,
        index: &'a Index<K, W>,
        part: Part,
        earlier: &'a mut Earlier,
        is_last: bool,
    ) -> Self {
        let met = if J::RIGHT_ALONE { index.lengths().map(Bits::for_rows).collect() } else { Vec::new() };
        let found = Vec::with_capacity(AHEAD);
        Stream { task, writer, index, part, earlier, is_last, seen: 0, found, met, _left: PhantomData }
    }

    fn take(&mut self, batch: &RecordBatch) -> Result<ControlFlow<()>> {
        let rows = RowReader::<(K, V)>::open(batch)?;
        for start in (0..rows.len()).step_by(AHEAD) {
            self.look_up(&rows, start..rows.len().min(start + AHEAD));
            for at in 0..self.found.len() {
                match self.found[at] {
                    Found::Elsewhere => {}
                    Found::Nothing => self.put(rows.get(start + at), None)?,
                    Found::Partners(partners) => self.put(rows.get(start + at), Some(partners))?,
                }
            }
            if self.writer.is_closed() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    #[inline]
    fn look_up(&mut self, rows: &RowReader<(K, V)>, range: Range<usize>) {
        self.found.clear();
        self.found.extend(range.map(|at| {
            let key = rows.get(at).0;
            let hash = K::hash(key);
            if !self.part.has(hash) {
                return Found::Elsewhere;
            }
            self.index.find(hash, key).map_or(Found::Nothing, Found::Partners)
        }));
    }

    /// Writes the output for one left row.
    #[inline]
    fn put(&mut self, (key, left): (K::View<'_>, V::View<'_>), partners: Option<Rows>) -> Result<()> {
        let earlier = self.earlier.pieces > 0 && self.earlier.matched.get(self.seen);
        if partners.is_some() && !self.is_last && (J::ONCE || J::LEFT_ALONE) {
            self.earlier.matched.set(self.seen);
        }
        self.seen += 1;
        match partners {
            Some(partners) if !(J::ONCE && earlier) => self.put_pairs(key, left, partners),
            None if J::LEFT_ALONE && self.is_last && !earlier => {
                if let Some(row) = J::left(K::narrow(key), V::narrow(left)) {
                    self.writer.push(0, row);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn put_pairs(&mut self, key: K::View<'_>, left: V::View<'_>, partners: Rows) -> Result<()> {
        for (at, place) in self.index.places(partners).enumerate() {
            let right = self.index.get(place).1;
            if J::RIGHT_ALONE {
                self.met[place.0].set(place.1);
            }
            if let Some(row) = J::pair(K::narrow(key), V::narrow(left), W::narrow(right)) {
                self.writer.push(0, row);
            }
            if J::ONCE || self.writer.is_closed() {
                break;
            }
            if at % LOOK_ROWS == LOOK_ROWS - 1 {
                self.task.check()?;
            }
        }
        Ok(())
    }

    /// Writes the unmatched right rows of this chunk.
    fn right_alone(&mut self) {
        for (block, met) in self.met.iter().enumerate() {
            for row in (0..met.len()).filter(|row| !met.get(*row)) {
                let (key, right) = self.index.get((block, row));
                if let Some(row) = J::right(key, right) {
                    self.writer.push(0, row);
                }
            }
        }
    }
}
