//! Row types: what a dataset holds, the borrowed view that closures see, and the Arrow columns.
//!
//! Inside a fused chain rows are views in registers; at stage boundaries, in caches and in files they
//! are columns. A [`Row`] type names both conversions: [`ColumnBuilder`] takes views, [`ColumnReader`]
//! returns them. Keys add hashing and comparison of views ([`Key`]), so that a lookup never needs an
//! owned key. This folder depends on Arrow arrays, not on plans or tasks.

mod boolean;
mod boxed;
mod byte_runs;
mod byte_slot;
mod bytes;
mod column;
mod date_time;
mod decimal;
#[doc(hidden)]
pub mod derived;
mod into_row;
pub mod ipc;
mod key;
mod limits;
mod list;
mod map;
mod nullability;
mod opaque;
mod option;
mod primitive;
mod reversed;
#[cfg(test)]
mod soundness;
mod string;
mod tuple;
mod unit_enum;

pub use boxed::BoxView;
pub use column::{ColumnBuilder, ColumnReader, RowReader, bytes_of, bytes_of_view, schema, to_batch};
pub use decimal::Decimal;
pub(crate) use decimal::parse_units;
pub use into_row::IntoRow;
pub use key::{Key, mix};
pub use limits::BatchLimits;
pub(crate) use limits::{BATCH_BYTES, MAX_ROW_BYTES, check_row, least_row_bytes};
pub(crate) use list::Items;
pub use list::{ListIter, ListView};
pub use map::{MapIter, MapKind, MapView};
pub use nullability::{NotNull, Nullability, Optional, Required};
pub use opaque::{Opaque, Stored};
pub(crate) use primitive::own_view;

use arrow::datatypes::{DataType, Field};

/// A type that a [`Dataset`](crate::Dataset) can hold; `#[derive(Row)]` writes this for structs and for enums
/// without payloads.
///
/// | Rust | Arrow | view |
/// |---|---|---|
/// | integers, floats, `bool` | the same width; `usize` is `UInt64` | the value |
/// | [`Decimal<P, S>`](Decimal) | `Decimal128(P, S)` | the value |
/// | `chrono::NaiveDate` | `Date32` | the value |
/// | `chrono::NaiveDateTime` | `Timestamp(Microsecond)` | the value |
/// | `chrono::DateTime<Utc>` | `Timestamp(Microsecond, "UTC")` | the value |
/// | `String` | `Utf8` | `&str` |
/// | [`Bytes`](crate::Bytes) | `Binary` | `&[u8]` |
/// | `Option<T>` | `T`, nullable | `Option<view of T>` |
/// | `Box<T>` | as `T` | [`BoxView`], which derefs to the view of `T` |
/// | [`Reverse<T>`](std::cmp::Reverse), a key in descending order | as `T` | `Reverse<view of T>` |
/// | `Vec<T>` | `List` | [`ListView`] |
/// | `BTreeMap<K, V>`, `HashMap<K, V>` | `Map`, in the order of the keys | [`MapView`] |
/// | tuples | `Struct` with fields `_1`, `_2`, … | tuple of views |
/// | derived enums without payloads | `Dictionary(Int32, Utf8)` | the value |
/// | [`Opaque<T>`](Opaque) for types of serde | `Binary` | `&Opaque<T>` |
/// | derived structs | `Struct` with the fields' names | the generated view struct |
///
/// Columns from other writers are checked against the row type when they are opened. A value that the
/// type cannot hold (a null, a date out of chrono's range, a decimal of more digits, a name that is no
/// variant) is a data error, and no row is read.
///
/// # Writing it by hand
/// This trait and its companions ([`Key`], [`ColumnBuilder`], [`ColumnReader`], [`IntoRow`]) are safe
/// to implement: no `unsafe` code of Kiln relies on what an implementation returns. An implementation
/// that breaks the contract gives wrong rows, an error or a panic, but never undefined behaviour.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row type",
    label = "a dataset cannot hold this type",
    note = "rows are numbers, `bool`, `String`, `kiln::Bytes`, `kiln::Decimal`, dates and timestamps of `kiln::chrono`, `Option`, `Vec`, `Box`, `Reverse`, maps, tuples of up to 8, and structs and enums with `#[derive(kiln::Row)]`",
    note = "a type without columns (of another crate, recursive, an enum with payloads) is kept as `kiln::Opaque<_>`, by serde",
    note = "a closure that returns what it borrows from its row goes to the `_to` form of the method, with the row type named: `map_to::<String>(..)`, `key_by_to::<String>(..)`; a function such as `str::split_whitespace` to `flat_map_to`, a closure with borrowed items to `flat_map_emit::<String>(..)`"
)]
pub trait Row: IntoRow<Row = Self> + Sized + Send + Sync + 'static {
    /// What a closure sees of a row: it lives for one call and is cheap to copy.
    type View<'a>: Copy + IntoRow<Row = Self>;
    /// Builds an Arrow array from views.
    type Builder: ColumnBuilder<Row = Self>;
    /// Reads views from an Arrow array.
    type Reader: ColumnReader<Row = Self>;

    /// Whether a column of this type is nullable: [`Required`] for all types but `Option`.
    type Nullability: Nullability;

    /// Whether a column of this type is nullable, as a constant.
    const NULLABLE: bool = <Self::Nullability as Nullability>::NULLABLE;

    /// An owned copy of a view.
    fn own(view: Self::View<'_>) -> Self;

    /// The view of an owned row.
    fn view(&self) -> Self::View<'_>;

    /// The same view with a shorter lifetime. The compiler does this itself for concrete types.
    fn narrow<'short, 'long: 'short>(view: Self::View<'long>) -> Self::View<'short>;

    /// The Arrow type of a column of these rows.
    fn data_type() -> DataType;

    /// The columns of a table of these rows: the fields of a struct or tuple, else one column named
    /// `value`.
    fn columns() -> Vec<Field> {
        vec![Field::new("value", Self::data_type(), Self::NULLABLE)]
    }
}
