//! Numbers: the view is the value, the column a primitive buffer.
//!
//! Dates, timestamps and decimals, which are numbers to Arrow, implement [`Native`] and share this
//! builder and reader. Their meaning is defined in their own files.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::column::typed;
use super::{ColumnBuilder, ColumnReader, Key, Required, Row, mix};
use crate::error::Result;

/// Builds a column of numbers.
pub struct Numbers<T: Native>(Vec<<T::Arrow as ArrowPrimitiveType>::Native>);

/// Reads a column of numbers.
pub struct NumberReader<T: Native>(PrimitiveArray<T::Arrow>);

/// A row type that Arrow stores as a number.
pub trait Native: Row + Copy {
    /// The Arrow type. It has the same width, except for `usize` and `isize`.
    type Arrow: ArrowPrimitiveType;
    /// Converts to Arrow's number.
    fn to_arrow(self) -> <Self::Arrow as ArrowPrimitiveType>::Native;
    /// Converts from Arrow's number.
    fn from_arrow(native: <Self::Arrow as ArrowPrimitiveType>::Native) -> Self;
    /// Rejects a column that holds a value without a counterpart in `Self`, or whose Arrow type has
    /// another meaning.
    fn check(_column: &PrimitiveArray<Self::Arrow>) -> Result<()> {
        Ok(())
    }
}

impl<T: Native> Default for Numbers<T> {
    fn default() -> Self {
        Numbers(Vec::new())
    }
}

impl<T: Native + for<'a> Row<View<'a> = T>> ColumnBuilder for Numbers<T> {
    type Row = T;
    #[inline]
    fn push(&mut self, view: T) {
        self.0.push(view.to_arrow());
    }
    fn push_null(&mut self) {
        self.0.push(Default::default());
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn size_bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }
    fn finish(&mut self) -> ArrayRef {
        let next = Vec::with_capacity(self.0.len());
        let values = ScalarBuffer::from(std::mem::replace(&mut self.0, next));
        Arc::new(PrimitiveArray::<T::Arrow>::new(values, None).with_data_type(T::data_type()))
    }
}

impl<T: Native + for<'a> Row<View<'a> = T>> ColumnReader for NumberReader<T> {
    type Row = T;
    fn open(array: &ArrayRef) -> Result<Self> {
        let column = typed(array, &T::data_type())?;
        T::check(&column)?;
        Ok(NumberReader(column))
    }
    #[inline]
    fn get(&self, index: usize) -> T {
        T::from_arrow(self.0.values()[index])
    }
}

/// The view part of `impl Row` for a type that is its own view.
macro_rules! own_view {
    () => {
        type View<'a> = Self;
        #[inline]
        fn own(view: Self) -> Self {
            view
        }
        #[inline]
        fn view(&self) -> Self {
            *self
        }
        #[inline]
        fn narrow<'short, 'long: 'short>(view: Self) -> Self {
            view
        }
    };
}
pub(crate) use own_view;

/// `impl Row` for a number.
macro_rules! value {
    ($t:ty, $data_type:expr) => {
        impl Row for $t {
            crate::row::own_view!();
            type Builder = Numbers<$t>;
            type Reader = NumberReader<$t>;
            type Nullability = Required;
            fn data_type() -> DataType {
                $data_type
            }
        }
    };
}
pub(super) use value;

macro_rules! row {
    ($t:ty, $arrow:ty) => {
        value!($t, <$arrow>::DATA_TYPE);
        impl Native for $t {
            type Arrow = $arrow;
            #[inline]
            fn to_arrow(self) -> <$arrow as ArrowPrimitiveType>::Native {
                self as _
            }
            #[inline]
            fn from_arrow(native: <$arrow as ArrowPrimitiveType>::Native) -> $t {
                native as _
            }
        }
    };
}

/// `impl Key` for a type that is its own slot, given its hash bits, prefix and order.
macro_rules! key {
    ($t:ty, |$v:ident| $bits:expr, |$p:ident| $prefix:expr, $cmp:expr) => {
        impl Key for $t {
            type Slot = $t;
            type Arena = ();
            const HASH_IS_CHEAP: bool = true;
            #[inline]
            fn hash($v: $t) -> u64 {
                mix($bits, 0xa076_1d64_78bd_642f)
            }
            #[inline]
            fn same(a: $t, b: $t) -> bool {
                Self::compare(a, b) == Ordering::Equal
            }
            #[inline]
            fn compare(a: $t, b: $t) -> Ordering {
                $cmp(&a, &b)
            }
            #[inline]
            fn store(view: $t, _: &mut ()) -> $t {
                view
            }
            #[inline]
            fn load<'a>(slot: &'a $t, _: &'a ()) -> $t {
                *slot
            }
            fn arena_bytes(_: &()) -> usize {
                0
            }
            const PREFIX_IS_KEY: bool = true;
            #[inline]
            fn prefix($p: $t) -> u64 {
                $prefix
            }
        }
    };
}
pub(super) use key;

macro_rules! integers { ($($t:ty => $arrow:ty),*) => {$(
    row!($t, $arrow);
    // Negative numbers sort below the others.
    key!($t, |v| v as u64, |v| if <$t>::MIN == 0 { v as u64 } else { signed(v as i64) }, Ord::cmp);
)*}; }

integers!(u8 => UInt8Type, u16 => UInt16Type, u32 => UInt32Type, u64 => UInt64Type, usize => UInt64Type,
          i8 => Int8Type, i16 => Int16Type, i32 => Int32Type, i64 => Int64Type, isize => Int64Type);
row!(f32, Float32Type);
row!(f64, Float64Type);
// As in Spark: as keys, -0.0 and 0.0 are equal, and all NaNs are equal and sort last.
key!(f32, |v| one_zero_one_nan(v.into()).to_bits(), |v| ordered_bits(v.into()), |a: &f32, b: &f32| {
    one_zero_one_nan((*a).into()).total_cmp(&one_zero_one_nan((*b).into()))
});
key!(f64, |v| one_zero_one_nan(v).to_bits(), |v| ordered_bits(v), |a: &f64, b: &f64| {
    one_zero_one_nan(*a).total_cmp(&one_zero_one_nan(*b))
});

#[inline]
fn one_zero_one_nan(v: f64) -> f64 {
    if v.is_nan() {
        f64::NAN
    } else {
        v + 0.0 // -0.0 + 0.0 is 0.0
    }
}

/// Maps a signed number to an unsigned one with the same order.
#[inline]
pub(super) fn signed(v: i64) -> u64 {
    v as u64 ^ 1 << 63
}

/// Maps a float to a number with the order of float keys.
#[inline]
fn ordered_bits(v: f64) -> u64 {
    let bits = one_zero_one_nan(v).to_bits();
    if bits >> 63 == 1 { !bits } else { bits ^ 1 << 63 }
}
