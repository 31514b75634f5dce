//! One input of an operator that needs all rows of a key at once, held one hash range at a time.

use std::ops::ControlFlow;

use kiln_planner::Site;

use super::index::Index;
use super::loader::Loader;
use super::replay::{Gathered, Replay};
use super::room::{Room, Size};
use crate::aggregate::Part;
use crate::error::{Error, Result};
use crate::row::{Key, Row};
use crate::task::Task;

/// An input of pairs, with the means to hold a range of its hashes.
pub struct Side<'t, 'p> {
    rows: Replay<'t, 'p>,
    /// A range whose rows were found to share one hash, and so need no large table.
    one_key: Option<Part>,
}

/// Result of holding one hash range of an input.
pub enum Held<K: Key, V: Row> {
    /// All of its rows, and their size.
    All(Index<K, V>, usize),
    /// There is not enough memory.
    TooLarge(TooLarge),
}

/// A hash range that does not fit in memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct TooLarge {
    /// Its rows.
    pub size: Size,
    /// Bytes that would be needed to hold them.
    pub needs: usize,
    /// Whether all rows have one key, or keys with the same hash.
    pub is_one_key: bool,
    /// Whether this has only now been found out. With the smaller table that it allows, the rows may
    /// fit.
    pub is_new: bool,
    /// The lowest hash of its keys, if `is_one_key` is set.
    pub hash: u64,
}

impl<'t, 'p> Side<'t, 'p> {
    /// The partition `partition` of the input `input` of `task`.
    pub fn new(task: &'t Task<'p>, input: usize, partition: usize) -> Self {
        Side { rows: Replay::at(task, input, partition), one_key: None }
    }

    /// Holds the rows of `part`, in addition to `base` bytes that are already held.
    pub fn hold<K: Key, V: Row>(&mut self, part: Part, room: &mut Room, base: usize) -> Result<Held<K, V>> {
        if !part.is_whole() {
            return self.hold_part(part, room, base);
        }
        let needs = |size: Size| base + Index::<K, V>::bytes_for(size, size.rows);
        Ok(match self.rows.gather(room, needs)? {
            Gathered::Whole(batches, size) => Held::All(Index::new(&batches, part, size.rows)?, needs(size)),
            Gathered::TooLarge(size) => {
                Held::TooLarge(TooLarge { size, needs: needs(size), ..TooLarge::default() })
            }
        })
    }

    fn hold_part<K: Key, V: Row>(&mut self, part: Part, room: &Room, base: usize) -> Result<Held<K, V>> {
        let (mut loader, mut fits) = (Loader::<K, V>::new(part, self.one_key == Some(part), room), true);
        self.rows.read(&mut |batch| {
            let mut count = |loader: &mut Loader<K, V>| {
                fits = fits && (room.hold(base + loader.needs()) || loader.is_one_row());
                if !fits {
                    loader.let_go();
                }
                Ok(())
            };
            loader.pick(&batch, &mut count)?;
            Ok(ControlFlow::Continue(()))
        })?;
        let size = loader.close()?;
        let needs = base + loader.needs();
        if fits && (room.hold(needs) || loader.is_one_row()) {
            return Ok(Held::All(loader.take()?, needs));
        }
        let is_one_key = loader.is_one_hash();
        let is_new = is_one_key && self.one_key.replace(part) != Some(part);
        Ok(Held::TooLarge(TooLarge { size, needs, is_one_key, is_new, hash: loader.lowest_hash() }))
    }
}

/// Cuts a hash range that was too large. Pushes the resulting ranges to `todo`, the first one last.
///
/// # Errors
/// Fails with a resource error when the rows of a single key do not fit.
pub fn cut(
    part: Part,
    large: TooLarge,
    room: &Room,
    operator: (&'static str, &Site),
    todo: &mut Vec<Part>,
) -> Result<()> {
    if large.is_new {
        todo.push(part);
        return Ok(());
    }
    let ways = large.needs.div_ceil(room.limit()) + 1;
    let (name, site) = operator;
    log::debug!("{name}: {} rows of {} bytes in {ways} passes", large.size.rows, large.size.bytes);
    match part.cut(ways).filter(|_| !large.is_one_key) {
        Some(parts) => {
            todo.extend(parts.rev());
            Ok(())
        }
        None => Err(Error::resource(format!(
            "{name}: the {} values of one key take {} bytes of {} that a task may hold",
            large.size.rows,
            large.needs,
            room.limit()
        ))
        .at("line", site)
        .help(
            "reduce_by_key, fold_by_key and aggregate_by_key hold one value for each key; \
             or raise KILN_MEMORY",
        )),
    }
}
