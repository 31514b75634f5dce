//! The parts of an object that a reader has buffered or requested.
//!
//! A format that knows what it will read plans it: column chunks in the order in which they are needed.
//! Nearby chunks are read in one request, long ones are split, and requests run ahead of the reader up to a
//! limit in bytes. A byte outside the plan needs a separate request. Parts that were read are kept until
//! their memory is needed, so a reader that starts again requests nothing twice. What the bytes mean is not
//! known here.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::ahead::Ahead;
use super::object::{Fetch, Object};
use crate::error::Result;

/// The limit on buffered and requested bytes for a reader without a plan.
const MAX_BYTES: u64 = 32 << 20;
/// The longest planned request: long enough that its latency does not matter, short enough that several run
/// concurrently.
const PART_BYTES: u64 = 8 << 20;
/// The shortest part of a chunk, when many chunks are read concurrently.
const MIN_PART_BYTES: u64 = 256 << 10;
/// Chunks no further apart than this share a request: reading the bytes between them takes less time than
/// another request.
const GAP_BYTES: u64 = 1 << 20;
/// The size of a request outside the plan.
const UNPLANNED_BYTES: u64 = 1 << 20;

/// The parts of one object.
pub(super) struct Parts {
    object: Object,
    size: u64,
    state: Mutex<State>,
}

struct State {
    /// By first byte; parts do not overlap.
    parts: BTreeMap<u64, Part>,
    /// The planned parts, in the order in which they are needed; those that were requested already are
    /// skipped.
    order: VecDeque<u64>,
    /// The planned chunks, by position.
    chunks: Vec<Range<u64>>,
    /// The buffered or requested bytes, and their limit.
    held: u64,
    max_bytes: u64,
    /// Counts the accesses.
    clock: u64,
}

struct Part {
    end: u64,
    content: Content,
    /// The clock of the last access; 0 if there was none.
    used: u64,
    /// Whether the reader has read all of it.
    is_read: bool,
}

enum Content {
    Planned,
    Asked(Fetch),
    Got(Bytes),
}

impl Parts {
    /// The parts of an object of `size` bytes, of which some may have been requested by the read-ahead.
    pub(super) fn new(object: Object, size: u64, ahead: &Ahead) -> Parts {
        let (parts, order, chunks) = (BTreeMap::new(), VecDeque::new(), Vec::new());
        let mut state = State { parts, order, chunks, held: 0, max_bytes: MAX_BYTES, clock: 0 };
        let range = ahead.range();
        // An error occurs again in the request for the same bytes, and is reported there.
        if let Some(Ok(bytes)) = ahead.bytes_from(range.start) {
            state.held = bytes.len() as u64;
            let part = Part { end: range.end, content: Content::Got(bytes), used: 0, is_read: false };
            state.parts.insert(range.start, part);
        }
        Parts { object, size, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans to read the chunks of each group: one group after the other, and the chunks of a group
    /// concurrently.
    pub(super) fn plan(&self, groups: Vec<Vec<Range<u64>>>, max_bytes: u64) {
        let mut state = self.lock();
        state.max_bytes = max_bytes;
        for mut chunks in groups {
            chunks.sort_unstable_by_key(|chunk| chunk.start);
            for part in cut(&chunks, max_bytes) {
                state.plan_part(part);
            }
            state.chunks.append(&mut chunks);
        }
        state.chunks.sort_unstable_by_key(|chunk| chunk.start);
        state.chunks.dedup();
        state.ask_ahead(&self.object);
    }

    /// The end of the planned chunk that contains byte `at`; the end of the object if there is none.
    pub(super) fn chunk_end(&self, at: u64) -> u64 {
        self.lock().chunk(at).map_or(self.size, |chunk| chunk.end)
    }

    /// Returns bytes from `at` up to the end of the part that contains them; `count` of them are needed next.
    /// Calls `received` with the number of bytes that were received.
    pub(super) fn bytes(&self, at: u64, count: u64, received: impl FnOnce(u64)) -> Result<Bytes> {
        let mut state = self.lock();
        let start = state.ask(&self.object, at, count, self.size);
        state.ask_ahead(&self.object);
        let Some(part) = state.parts.get_mut(&start) else { return Ok(Bytes::new()) };
        let bytes = match std::mem::replace(&mut part.content, Content::Planned) {
            Content::Asked(fetch) => match fetch.wait() {
                Ok(bytes) => {
                    received(bytes.len() as u64);
                    bytes
                }
                Err(error) => {
                    state.remove(start);
                    return Err(error);
                }
            },
            Content::Got(bytes) => bytes,
            Content::Planned => Bytes::new(),
        };
        part.content = Content::Got(bytes.clone());
        state.touch(start, at, count);
        Ok(bytes.slice(((at - start) as usize).min(bytes.len())..))
    }
}

impl State {
    fn chunk(&self, at: u64) -> Option<&Range<u64>> {
        let index = self.chunks.partition_point(|chunk| chunk.start <= at).checked_sub(1)?;
        self.chunks.get(index).filter(|chunk| chunk.contains(&at))
    }

    /// The first byte of the part that contains byte `at`.
    fn covering(&self, at: u64) -> Option<u64> {
        let (start, part) = self.parts.range(..=at).next_back()?;
        (at < part.end).then_some(*start)
    }

    /// Plans those bytes of a part that no other part contains.
    fn plan_part(&mut self, part: Range<u64>) {
        let mut start = part.start;
        while start < part.end {
            if let Some(known) = self.covering(start) {
                start = self.parts.get(&known).map_or(part.end, |known| known.end);
                continue;
            }
            let end = self.parts.range(start..part.end).next().map_or(part.end, |(next, _)| *next);
            self.parts.insert(start, Part { end, content: Content::Planned, used: 0, is_read: false });
            self.order.push_back(start);
            start = end;
        }
    }

    /// Requests the part that contains byte `at`, unless it was requested before, and returns its first byte.
    fn ask(&mut self, object: &Object, at: u64, count: u64, size: u64) -> u64 {
        let start = self.covering(at).unwrap_or_else(|| {
            let end = size.min(at + count.max(UNPLANNED_BYTES));
            let end = self.parts.range(at..end).next().map_or(end, |(next, _)| *next);
            self.parts.insert(at, Part { end, content: Content::Planned, used: 0, is_read: false });
            at
        });
        self.start(object, start, true);
        start
    }

    /// Requests planned parts while there is room.
    fn ask_ahead(&mut self, object: &Object) {
        while let Some(start) = self.order.front().copied() {
            if !self.start(object, start, false) {
                return;
            }
            self.order.pop_front();
        }
    }

    /// Requests a part. Without `force` it must fit in the limit; returns false if it does not.
    fn start(&mut self, object: &Object, start: u64, force: bool) -> bool {
        let Some(Part { end, content: Content::Planned, .. }) = self.parts.get(&start) else { return true };
        let (end, bytes) = (*end, *end - start);
        if !self.make_room(bytes, force) && !force {
            return false;
        }
        if let Some(part) = self.parts.get_mut(&start) {
            part.content = Content::Asked(object.fetch(start..end));
            self.held += bytes;
        }
        true
    }

    /// Drops parts until `bytes` more fit: parts that were read, and with `force` also those that were read
    /// in part.
    fn make_room(&mut self, bytes: u64, force: bool) -> bool {
        while self.held + bytes > self.max_bytes {
            let got = self.parts.iter().filter(|(_, part)| matches!(part.content, Content::Got(_)));
            let done = got.filter(|(_, part)| part.is_read || (force && part.used > 0));
            let Some((start, _)) = done.min_by_key(|(_, part)| (!part.is_read, part.used)) else {
                return false;
            };
            self.remove(*start);
        }
        true
    }

    fn remove(&mut self, start: u64) {
        if let Some(part) = self.parts.remove(&start) {
            self.held = self.held.saturating_sub(part.end - start);
        }
    }

    /// Records that `count` bytes from `at` on were read in the part at `start`. A chunk is read from start
    /// to end, so its parts before that were read too.
    fn touch(&mut self, start: u64, at: u64, count: u64) {
        self.clock += 1;
        let first = self.chunk(at).map_or(start, |chunk| chunk.start);
        self.parts.range_mut(first.min(start)..start).for_each(|(_, part)| part.is_read |= part.end <= at);
        if let Some(part) = self.parts.get_mut(&start) {
            part.used = self.clock;
            part.is_read |= at + count >= part.end;
        }
    }
}

/// The requests for the chunks of a group, which are sorted by position, in the order in which they are
/// needed.
fn cut(chunks: &[Range<u64>], max_bytes: u64) -> Vec<Range<u64>> {
    let bytes: u64 = chunks.iter().map(|chunk| chunk.end - chunk.start).sum();
    if bytes <= max_bytes {
        return merge(chunks).iter().flat_map(|run| cut_evenly(run, PART_BYTES)).collect();
    }
    // All chunks are read concurrently, so there is room for two parts of each.
    let part_bytes = max_bytes / (2 * chunks.len() as u64).max(1);
    let part_bytes = part_bytes.clamp(MIN_PART_BYTES, PART_BYTES);
    let mut parts: Vec<(u64, Range<u64>)> = Vec::new();
    for chunk in chunks {
        let length = (chunk.end - chunk.start).max(1);
        // The fraction of the chunk that is read before the part, in 1/65,536.
        let position = |part: &Range<u64>| ((part.start - chunk.start) << 16) / length;
        parts.extend(cut_evenly(chunk, part_bytes).map(|part| (position(&part), part)));
    }
    parts.sort_by_key(|(position, part)| (*position, part.start));
    parts.into_iter().map(|(_, part)| part).collect()
}

/// Merges chunks that are close to each other.
fn merge(chunks: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        match runs.last_mut() {
            Some(run) if chunk.start <= run.end.saturating_add(GAP_BYTES) => run.end = run.end.max(chunk.end),
            _ => runs.push(chunk.clone()),
        }
    }
    runs
}

/// Splits a range into as few parts of even size as `part_bytes` allows.
fn cut_evenly(range: &Range<u64>, part_bytes: u64) -> impl Iterator<Item = Range<u64>> + use<> {
    let (start, length) = (range.start, range.end - range.start);
    let count = length.div_ceil(part_bytes);
    let border =
        move |index: u64| start + (u128::from(length) * u128::from(index) / u128::from(count)) as u64;
    (0..count).map(move |index| border(index)..border(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn chunks_that_are_close_are_one_request_and_long_ones_are_cut() {
        let chunks = [0..MIB, 2 * MIB..3 * MIB, 10 * MIB..30 * MIB];
        let parts = cut(&chunks, 64 * MIB);
        assert_eq!(parts.len(), 4);
        assert_eq!((parts[0].clone(), parts[1].start, parts[3].end), (0..3 * MIB, 10 * MIB, 30 * MIB));
        assert!(parts.iter().all(|part| part.end - part.start <= PART_BYTES));
    }

    #[test]
    fn chunks_that_do_not_fit_together_are_asked_for_side_by_side() {
        let parts = cut(&[0..40 * MIB, 40 * MIB..80 * MIB], 32 * MIB);
        assert_eq!(parts[..3], [0..8 * MIB, 40 * MIB..48 * MIB, 8 * MIB..16 * MIB]);
        assert_eq!(parts.iter().map(|part| part.end - part.start).sum::<u64>(), 80 * MIB);
    }
}
