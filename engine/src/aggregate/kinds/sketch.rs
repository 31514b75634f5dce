//! Approximate count of distinct values per key, with a HyperLogLog sketch for each key.
//!
//! A sketch is a row type: it crosses the exchange as bytes, but stays a live sketch inside a task.

use std::marker::PhantomData;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datasketches::hll::{HllSketch, HllType, HllUnion};
use kiln_planner::Site;

use super::Aggregate;
use crate::aggregate::table::Occupied;
use crate::error::{Error, Result};
use crate::row::{ColumnBuilder, ColumnReader, IntoRow, Key, ListView, Required, Row};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};

/// The standard error of a sketch of several registers is this divided by the square root of their
/// number (Flajolet and others, 2007).
const ERROR_OF_ONE_REGISTER: f64 = 1.04;
/// Limits of the sketch library: binary logarithm of the number of registers.
const LEAST_REGISTERS: u8 = 4;
const MOST_REGISTERS: u8 = 21;

/// A HyperLogLog sketch.
pub struct Sketch(HllSketch);

/// A live sketch in this task, or a serialized one.
#[derive(Clone, Copy)]
pub enum SketchView<'a> {
    /// A sketch of this task.
    Live(&'a HllSketch),
    /// A serialized sketch.
    Bytes(ListView<'a, u8>),
}

/// `count_approx_distinct_by_key`: adds values to sketches.
pub struct CountDistinct<V> {
    registers: u8,
    empty: HllSketch,
    site: Site,
    _value: PhantomData<fn() -> V>,
}

impl Sketch {
    /// The estimated number of distinct values.
    pub fn estimate(&self) -> u64 {
        self.0.estimate().round() as u64
    }
}

impl<V> CountDistinct<V> {
    /// Sketches with a standard error of about `relative_sd`.
    ///
    /// # Errors
    /// Fails with a config error when `relative_sd` is out of the range of sketches.
    pub fn new(relative_sd: f64, site: Site) -> Result<Self> {
        let registers = (ERROR_OF_ONE_REGISTER / relative_sd).powi(2).log2().ceil();
        if !(relative_sd > 0.0 && relative_sd < 1.0 && registers <= f64::from(MOST_REGISTERS)) {
            let text = format!("distinct rows cannot be counted with a relative error of {relative_sd}");
            return Err(Error::config(text)
                .at("line", &site)
                .help("0.05 is usual, 0.001 possible; `distinct().count()` is exact"));
        }
        CountDistinct::with_registers((registers as u8).max(LEAST_REGISTERS), site)
    }

    fn with_registers(registers: u8, site: Site) -> Result<Self> {
        let empty = HllSketch::new(registers, HllType::Hll8)
            .map_err(|e| Error::bug("a sketch cannot be made").because(e))?;
        Ok(CountDistinct { registers, empty, site, _value: PhantomData })
    }
}

impl<V: Key> Aggregate for CountDistinct<V> {
    type Value = V;
    type Acc = Sketch;
    fn start(&self, value: V::View<'_>) -> Sketch {
        let mut sketch = Sketch(self.empty.clone());
        sketch.0.update(V::hash(value));
        sketch
    }
    #[inline]
    fn add(&self, acc: Occupied<'_, Sketch>, value: V::View<'_>) {
        acc.into_mut().0.update(V::hash(value));
    }
    fn merge(&self, acc: Occupied<'_, Sketch>, other: SketchView<'_>) {
        let mut both = HllUnion::new(self.registers).expect("a sketch of that size was made before");
        let acc = acc.into_mut();
        both.update(&acc.0);
        both.update(&Sketch::own(other).0);
        acc.0 = both.to_sketch(HllType::Hll8);
    }
    fn closures(&self, _: &mut Vec<Closure>) {}
    fn name(&self) -> (&'static str, &Site) {
        ("count_approx_distinct_by_key", &self.site)
    }
}

impl<V> Clone for CountDistinct<V> {
    fn clone(&self) -> Self {
        let (empty, site) = (self.empty.clone(), self.site.clone());
        CountDistinct { registers: self.registers, empty, site, _value: PhantomData }
    }
}

impl<V> Ship for CountDistinct<V> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(self.registers, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (registers, site) = params.take()?;
        CountDistinct::with_registers(registers, site)
    }
}

impl Row for Sketch {
    type View<'a> = SketchView<'a>;
    type Builder = Sketches;
    type Reader = SketchReader;
    type Nullability = Required;
    fn own(view: SketchView<'_>) -> Self {
        match view {
            SketchView::Live(sketch) => Sketch(sketch.clone()),
            // The exchange verifies checksums, so the bytes are those that were sent.
            SketchView::Bytes(bytes) => match HllSketch::deserialize(&bytes.to_vec()) {
                Ok(sketch) => Sketch(sketch),
                Err(e) => panic!("a sketch cannot be read back: {e}"),
            },
        }
    }
    fn view(&self) -> SketchView<'_> {
        SketchView::Live(&self.0)
    }
    fn narrow<'short, 'long: 'short>(view: SketchView<'long>) -> SketchView<'short> {
        view
    }
    fn data_type() -> DataType {
        Vec::<u8>::data_type()
    }
}

impl IntoRow for Sketch {
    type Row = Sketch;
    fn as_view(&self) -> SketchView<'_> {
        self.view()
    }
}

impl IntoRow for SketchView<'_> {
    type Row = Sketch;
    fn as_view(&self) -> SketchView<'_> {
        *self
    }
}

/// Builds a column of sketches: lists of bytes.
#[derive(Default)]
pub struct Sketches(<Vec<u8> as Row>::Builder);

impl ColumnBuilder for Sketches {
    type Row = Sketch;
    fn push(&mut self, view: SketchView<'_>) {
        match view {
            SketchView::Live(sketch) => self.0.push(sketch.serialize().view()),
            SketchView::Bytes(bytes) => self.0.push(bytes),
        }
    }
    fn push_null(&mut self) {
        self.0.push_null();
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
    fn finish(&mut self) -> ArrayRef {
        self.0.finish()
    }
}

/// Reads a column of sketches.
pub struct SketchReader(<Vec<u8> as Row>::Reader);

impl ColumnReader for SketchReader {
    type Row = Sketch;
    fn open(array: &ArrayRef) -> Result<Self> {
        ColumnReader::open(array).map(SketchReader)
    }
    fn get(&self, index: usize) -> SketchView<'_> {
        SketchView::Bytes(self.0.get(index))
    }
}
