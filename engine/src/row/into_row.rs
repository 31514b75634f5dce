//! What a closure may return: a row, or a borrowed form of one.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::Row;

/// A value that converts to a row: the owned row or its view.
///
/// Operators accept both from a closure: `map` takes a `String`, `map_to::<String>` a `&str`, and both
/// give `String` rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a row",
    label = "a closure of a dataset cannot return this",
    note = "rows are numbers, `bool`, `String`, `kiln::Bytes`, `kiln::Decimal`, dates and timestamps of `kiln::chrono`, `Option`, `Vec`, `Box`, `Reverse`, maps, tuples of up to 8, and structs and enums with `#[derive(kiln::Row)]`",
    note = "for a result borrowed from the argument use `map_to::<Row>(..)` or `flat_map_emit::<Row>(..)`"
)]
pub trait IntoRow {
    /// The row type of this value.
    type Row: Row;

    /// The view of the row.
    fn as_view(&self) -> <Self::Row as Row>::View<'_>;
}

impl IntoRow for &str {
    type Row = String;
    #[inline]
    fn as_view(&self) -> &str {
        self
    }
}

impl IntoRow for String {
    type Row = String;
    #[inline]
    fn as_view(&self) -> &str {
        self
    }
}

impl<T: IntoRow> IntoRow for Option<T> {
    type Row = Option<T::Row>;
    #[inline]
    fn as_view(&self) -> Option<<T::Row as Row>::View<'_>> {
        self.as_ref().map(T::as_view)
    }
}

macro_rules! plain {
    ($($t:ty)*) => {$(
        impl IntoRow for $t {
            type Row = $t;
            #[inline]
            fn as_view(&self) -> $t {
                *self
            }
        }
    )*};
}
plain!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64 bool);
plain!(NaiveDate NaiveDateTime DateTime<Utc>);

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: IntoRow),*> IntoRow for ($($name,)*) {
            type Row = ($($name::Row,)*);
            #[inline]
            #[allow(non_snake_case, reason = "the type parameters' names serve as the fields'")]
            fn as_view(&self) -> <Self::Row as Row>::View<'_> {
                let ($($name,)*) = self;
                ($($name.as_view(),)*)
            }
        }
    };
}
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
