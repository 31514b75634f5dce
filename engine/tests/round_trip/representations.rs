//! Files of other writers: however they store strings, bytes, lists and maps, the rows are the same.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, Int32Array, LargeListViewArray,
    ListArray, ListViewArray, MapArray, RecordBatch, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use kiln::row::ipc;
use kiln::{Bytes, Context, Row};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use crate::everything::{Level, bytes, level, text};

/// Every type that files store in several ways.
#[derive(Row, Clone, Debug, PartialEq)]
struct Stored {
    text: String,
    word: Option<String>,
    bytes: Bytes,
    blob: Option<Bytes>,
    four: Bytes,
    level: Level,
    rank: Option<Level>,
    texts: Vec<String>,
    words: Option<Vec<Option<String>>>,
    blobs: Vec<Vec<Bytes>>,
    ranks: Vec<Option<Level>>,
    pair: Option<(String, Option<Bytes>)>,
    table: BTreeMap<String, Option<Bytes>>,
}

/// A sequence of choices, repeated when it is used up.
struct Dice<'a> {
    numbers: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    /// Whether only types that the Parquet writer supports are chosen; it panics on some dictionaries.
    is_parquet: bool,
}

impl<'a> Dice<'a> {
    fn new(numbers: &'a [u8], is_parquet: bool) -> Dice<'a> {
        Dice { numbers: numbers.iter().cycle(), is_parquet }
    }

    fn choose<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::from(*self.numbers.next().unwrap()) % from.len()].clone()
    }
}

/// The same values in another representation.
fn stored(column: &ArrayRef, dice: &mut Dice<'_>) -> ArrayRef {
    use DataType::{Binary, Dictionary, List, Map, Struct, Utf8};
    match column.data_type() {
        Dictionary(..) => leaf(&cast(column, &Utf8).unwrap(), dice),
        Utf8 | Binary => leaf(column, dice),
        List(_) => list(column.as_list(), dice),
        Struct(_) => Arc::new(structure(column.as_struct(), dice)),
        Map(..) => map(column.as_map(), dice),
        _ => Arc::clone(column),
    }
}

fn leaf(column: &ArrayRef, dice: &mut Dice<'_>) -> ArrayRef {
    use DataType::{Binary, BinaryView, Int8, Int32, LargeBinary, LargeUtf8, UInt16, Utf8, Utf8View};
    let dictionary =
        |keys: DataType, values: &DataType| DataType::Dictionary(keys.into(), values.clone().into());
    let runs = |values: &DataType| {
        let ends = Arc::new(Field::new("run_ends", Int32, false));
        DataType::RunEndEncoded(ends, Arc::new(Field::new("values", values.clone(), true)))
    };
    let [plain, large, view] = match column.data_type() {
        Utf8 => [Utf8, LargeUtf8, Utf8View],
        _ => [Binary, LargeBinary, BinaryView],
    };
    let simple = [plain.clone(), large.clone(), view.clone()];
    let packed =
        [dictionary(Int8, &plain), dictionary(UInt16, &large), dictionary(Int32, &view), runs(&plain)];
    let mut forms: Vec<Option<DataType>> = simple.into_iter().chain(packed).map(Some).chain([None]).collect();
    if dice.is_parquet {
        forms.truncate(4);
    }
    match dice.choose(&forms) {
        Some(form) => cast(column, &form).unwrap(),
        // A dictionary with the nulls among its values.
        None => {
            let keys = Int32Array::from_iter_values(0..column.len() as i32);
            Arc::new(DictionaryArray::new(keys, Arc::clone(column)))
        }
    }
}

fn item(column: &ArrayRef) -> FieldRef {
    Arc::new(Field::new("item", column.data_type().clone(), true))
}

fn list(list: &ListArray, dice: &mut Dice<'_>) -> ArrayRef {
    let items = stored(list.values(), dice);
    let list = ListArray::new(item(&items), list.offsets().clone(), items, list.nulls().cloned());
    let field = item(list.values());
    match dice.choose(if dice.is_parquet { &[0, 1] } else { &[0, 1, 2, 3] }) {
        0 => Arc::new(list),
        1 => cast(&list, &DataType::LargeList(field)).unwrap(),
        2 => Arc::new(ListViewArray::from(list)),
        _ => {
            let large = cast(&list, &DataType::LargeList(field)).unwrap();
            Arc::new(LargeListViewArray::from(large.as_list::<i64>().clone()))
        }
    }
}

fn structure(column: &StructArray, dice: &mut Dice<'_>) -> StructArray {
    let DataType::Struct(fields) = column.data_type() else { unreachable!() };
    let columns: Vec<ArrayRef> = column.columns().iter().map(|inner| stored(inner, dice)).collect();
    let fields = fields.iter().zip(&columns);
    let fields =
        fields.map(|(field, inner)| field.as_ref().clone().with_data_type(inner.data_type().clone()));
    let fields = fields.map(|field| field.with_nullable(true)).collect();
    StructArray::new(fields, columns, column.nulls().cloned())
}

fn map(map: &MapArray, dice: &mut Dice<'_>) -> ArrayRef {
    let [keys, values] = [map.keys(), map.values()].map(|column| stored(column, dice));
    let key = Field::new("key", keys.data_type().clone(), false);
    let value = Field::new("value", values.data_type().clone(), true);
    let entries = StructArray::new(vec![key, value].into(), vec![keys, values], None);
    let field = Field::new("entries", entries.data_type().clone(), false);
    Arc::new(MapArray::new(Arc::new(field), map.offsets().clone(), entries, map.nulls().cloned(), false))
}

/// The batch with a random representation of each column, and `four` as fixed-size bytes.
fn stored_batch(batch: &RecordBatch, dice: &mut Dice<'_>) -> RecordBatch {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| {
        let column = match field.name().as_str() {
            "four" => {
                let fours = column.as_binary::<i32>().iter().flatten();
                Arc::new(FixedSizeBinaryArray::try_from_iter(fours).unwrap()) as ArrayRef
            }
            _ => stored(column, dice),
        };
        (field.name().clone(), column, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn write_file(batch: &RecordBatch, path: &Path) {
    let mut writer = FileWriter::try_new(File::create(path).unwrap(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

fn write_stream(batch: &RecordBatch, path: &Path) {
    let mut writer = StreamWriter::try_new(File::create(path).unwrap(), batch.schema_ref()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
}

fn write_parquet(batch: &RecordBatch, path: &Path) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn rows() -> impl Strategy<Value = Vec<Stored>> {
    let texts = (text(), prop::option::of(text()));
    let blobs = (bytes(), prop::option::of(bytes()), prop::array::uniform4(any::<u8>()));
    let levels = (level(), prop::option::of(level()), prop::collection::vec(prop::option::of(level()), 0..3));
    let lists = (
        prop::collection::vec(text(), 0..3),
        prop::option::of(prop::collection::vec(prop::option::of(text()), 0..3)),
        prop::collection::vec(prop::collection::vec(bytes(), 0..3), 0..3),
    );
    let rest = (
        prop::option::of((text(), prop::option::of(bytes()))),
        prop::collection::btree_map(text(), prop::option::of(bytes()), 0..3),
    );
    let row = (texts, blobs, levels, lists, rest).prop_map(
        |((text, word), (bytes, blob, four), (level, rank, ranks), (texts, words, blobs), (pair, table))| {
            let four = Bytes::from(four.to_vec());
            Stored { text, word, bytes, blob, four, level, rank, texts, words, blobs, ranks, pair, table }
        },
    );
    prop::collection::vec(row, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rows_are_the_same_however_a_file_stores_them(
        rows in rows(),
        dice in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let own = ipc::batch_of(rows.iter()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let cx = Context::local(1);
        let check = |batch: &RecordBatch, read: kiln::Result<Vec<Stored>>| {
            let read = read.map_err(|e| TestCaseError::fail(format!("{e}\n{:?}", batch.schema())))?;
            prop_assert_eq!(&read, &rows, "{:?}", batch.schema());
            Ok(())
        };
        let batch = stored_batch(&own, &mut Dice::new(&dice, false));
        for (name, write) in [("file", write_file as fn(&RecordBatch, &Path)), ("stream", write_stream)] {
            let path = folder.path().join(name);
            write(&batch, &path);
            check(&batch, cx.read_arrow(&path.display().to_string()).collect())?;
        }
        let path = folder.path().join("parquet");
        let batch = stored_batch(&own, &mut Dice::new(&dice, true));
        write_parquet(&batch, &path);
        check(&batch, cx.read_parquet(&path.display().to_string()).collect())?;
    }
}
