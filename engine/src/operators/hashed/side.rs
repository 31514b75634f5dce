//! One side of an operator that needs all rows of a key at once: held part by part.

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

/// One input of pairs, and how to hold a part of it.
pub struct Side<'t, 'p> {
    rows: Replay<'t, 'p>,
    /// The part that was found to have one key, and so needs no large table.
    one_key: Option<Part>,
}

/// What came of holding one part of a side.
pub enum Held<K: Key, V: Row> {
    /// All of its rows, and the bytes that they take.
    All(Index<K, V>, usize),
    /// There is no room.
    TooLarge(TooLarge),
}

/// A part that there is no room for.
#[derive(Clone, Copy, Debug, Default)]
pub struct TooLarge {
    /// Its rows.
    pub size: Size,
    /// What holding them would take.
    pub needs: usize,
    /// Whether they are known to have one key, or keys that share their hash.
    pub is_one_key: bool,
    /// Whether that has just been found out: held as such, they may fit.
    pub is_new: bool,
    /// The lowest hash among its keys, if they are known to have one.
    pub hash: u64,
}

impl<'t, 'p> Side<'t, 'p> {
    /// The partition `partition` of the input `input` of `task`.
    pub fn new(task: &'t Task<'p>, input: usize, partition: usize) -> Self {
        Side { rows: Replay::at(task, input, partition), one_key: None }
    }

    /// Holds the rows of `part`, beside `base` bytes that are held already.
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

/// Cuts a part that was too large: its pieces are put on top of `todo`, the first one last.
///
/// # Errors
/// Of class resource when the rows of one key alone do not fit.
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
