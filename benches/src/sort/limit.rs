//! The hand-written sort, for uniform keys.
//!
//! Payloads stay in the batches that were read; a key and a position are sorted. Positions are
//! distributed to buckets by the first bits of their key while the table is read, so that each bucket
//! is sorted in the cache, and the concatenated buckets are the sorted table. Each thread writes a
//! range of buckets to one file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Int64Type;
use kiln::{Error, Result};

use super::schema;
use crate::files::{Dictionaries, Writer, on_threads, scan};

/// Binary logarithm of the number of buckets: 10 M rows give buckets of 10 k, which are sorted in the
/// L2 cache.
const BUCKET_BITS: u32 = 10;
const BUCKETS: usize = 1 << BUCKET_BITS;

/// With the sign bit inverted, signed numbers sort like unsigned ones.
const SIGN: u64 = 1 << 63;

/// A row: its key, and the position of its payload.
#[derive(Clone, Copy)]
struct Place {
    /// The key with its sign bit inverted.
    key: u64,
    batch: u32,
    row: u32,
}

/// The data that one thread has read: the payloads of its batches, and its rows by bucket.
struct Read {
    payloads: Vec<StringArray>,
    buckets: Vec<Vec<Place>>,
}

/// Sorts the table in `input` to files in `output`.
///
/// # Errors
/// Fails when a file cannot be read or written.
pub fn run(input: &Path, output: &Path, slots: usize) -> Result<()> {
    fs::create_dir_all(output).map_err(|e| Error::io("the output cannot be made", e))?;
    let new = || Read { payloads: Vec::new(), buckets: vec![Vec::new(); BUCKETS] };
    let read = scan(input, slots, new, Read::add)?;
    let written = on_threads((0..slots).map(|slot| {
        let read = &read;
        move || {
            let part = output.join(format!("part-{slot:05}.parquet"));
            let mut writer = Writer::create(part, schema(), Dictionaries::None)?;
            let mut own = BUCKETS * slot / slots..BUCKETS * (slot + 1) / slots;
            own.try_for_each(|bucket| writer.write(&sorted(read, bucket)?))?;
            writer.finish()
        }
    }));
    written.into_iter().collect()
}

impl Read {
    /// Distributes the rows of one batch to the buckets.
    fn add(&mut self, batch: &RecordBatch) {
        let at = self.payloads.len() as u32;
        for (row, key) in batch.column(0).as_primitive::<Int64Type>().values().iter().enumerate() {
            let key = (*key as u64) ^ SIGN;
            let bucket = &mut self.buckets[(key >> (u64::BITS - BUCKET_BITS)) as usize];
            bucket.push(Place { key, batch: at, row: row as u32 });
        }
        self.payloads.push(batch.column(1).as_string::<i32>().clone());
    }
}

/// The rows of one bucket of all threads, sorted.
fn sorted(read: &[Read], bucket: usize) -> Result<RecordBatch> {
    let mut places: Vec<(usize, Place)> = Vec::new();
    for (thread, read) in read.iter().enumerate() {
        places.extend(read.buckets[bucket].iter().map(|place| (thread, *place)));
    }
    places.sort_unstable_by_key(|(_, place)| place.key);
    let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(places.len() + 1));
    ends.push(0);
    for (thread, place) in &places {
        let payloads = &read[*thread].payloads[place.batch as usize];
        bytes.extend_from_slice(payloads.value(place.row as usize).as_bytes());
        ends.push(bytes.len() as i32);
    }
    let keys = Int64Array::from_iter_values(places.iter().map(|(_, place)| (place.key ^ SIGN) as i64));
    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
    let payloads = StringArray::new(ends, Buffer::from_vec(bytes), None);
    let batch = RecordBatch::try_new(schema(), vec![Arc::new(keys), Arc::new(payloads)]);
    batch.map_err(|e| Error::bug("a sorted bucket is no batch").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::scratch::Scratch;
    use crate::sort::data;

    #[test]
    fn it_sorts_as_a_vector_does_with_any_number_of_threads() {
        let scratch = Scratch::new().expect("the temporary directory is writable");
        data::table(&scratch.tmp(), 30_011).expect("a table can be written");
        let mut expected = rows(&scratch.tmp());
        expected.sort();
        for slots in 1..=3 {
            let output = scratch.output().join(slots.to_string());
            run(&scratch.tmp(), &output, slots).expect("the table is there");
            assert!(rows(&output) == expected, "{slots} slots");
        }
    }

    fn rows(folder: &Path) -> Vec<(i64, String)> {
        let rows = scan(folder, 1, Vec::new, |rows, batch| {
            let keys = batch.column(0).as_primitive::<Int64Type>().values().iter().copied();
            let payloads = batch.column(1).as_string::<i32>().iter().flatten().map(str::to_owned);
            rows.extend(keys.zip(payloads));
        });
        rows.expect("a test's table can be read").concat()
    }
}
