use std::cmp::Ordering;

use kiln::row::{ColumnBuilder, ColumnReader, IntoRow, Key, Required};
use kiln::{Bytes, Row};

// A user's key that stores its bytes as the slot of a string.
struct Forged(Bytes);

#[derive(Clone, Copy)]
struct View<'a>(&'a [u8]);

impl IntoRow for View<'_> {
    type Row = Forged;
    fn as_view(&self) -> View<'_> {
        *self
    }
}

#[derive(Default)]
struct Builder;

impl ColumnBuilder for Builder {
    type Row = Forged;
    fn push(&mut self, _: View<'_>) {}
    fn push_null(&mut self) {}
    fn len(&self) -> usize {
        0
    }
    fn size_bytes(&self) -> usize {
        0
    }
    fn finish(&mut self) -> kiln::arrow::array::ArrayRef {
        unimplemented!()
    }
}

struct Reader;

impl ColumnReader for Reader {
    type Row = Forged;
    fn open(_: &kiln::arrow::array::ArrayRef) -> kiln::Result<Self> {
        Ok(Reader)
    }
    fn get(&self, _: usize) -> View<'_> {
        View(&[])
    }
}

impl Row for Forged {
    type View<'a> = View<'a>;
    type Builder = Builder;
    type Reader = Reader;
    type Nullability = Required;
    fn own(view: View<'_>) -> Self {
        Forged(Bytes::copy_from_slice(view.0))
    }
    fn view(&self) -> View<'_> {
        View(&self.0)
    }
    fn narrow<'short, 'long: 'short>(view: View<'long>) -> View<'short> {
        view
    }
    fn data_type() -> kiln::arrow::datatypes::DataType {
        kiln::arrow::datatypes::DataType::Binary
    }
}

impl Key for Forged {
    type Slot = <String as Key>::Slot;
    type Arena = Vec<u8>;
    fn hash(view: View<'_>) -> u64 {
        <Bytes as Key>::hash(view.0)
    }
    fn same(a: View<'_>, b: View<'_>) -> bool {
        a.0 == b.0
    }
    fn compare(a: View<'_>, b: View<'_>) -> Ordering {
        a.0.cmp(b.0)
    }
    fn store(view: View<'_>, arena: &mut Vec<u8>) -> <String as Key>::Slot {
        <Bytes as Key>::store(view.0, arena)
    }
    fn load<'a>(slot: &'a <String as Key>::Slot, arena: &'a Vec<u8>) -> View<'a> {
        View(<Bytes as Key>::load(slot, arena))
    }
    fn arena_bytes(arena: &Vec<u8>) -> usize {
        arena.capacity()
    }
}

fn main() {}
