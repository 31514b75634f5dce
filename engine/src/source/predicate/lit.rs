//! `lit`: values of row types as literals of a filter.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use datafusion_common::ScalarValue;
use datafusion_expr::Expr;

use crate::row::Decimal;

/// A literal of a filter: the value that a column is compared with.
///
/// It is compared exactly, or refused: see [`Read::filter`](crate::Read::filter).
///
/// ```
/// use kiln::chrono::NaiveDate;
/// use kiln::expr::{col, lit};
/// let new_year = NaiveDate::from_ymd_opt(2027, 1, 1).unwrap();
/// let filter = col("day").gt_eq(lit(new_year)).and(col("price").lt(lit("9.99")));
/// ```
pub fn lit(value: impl IntoLiteral) -> Expr {
    Expr::Literal(value.into_literal(), None)
}

/// A type whose values can be literals of a filter ([`lit`]).
pub trait IntoLiteral {
    /// The value as one of Arrow's scalars.
    fn into_literal(self) -> ScalarValue;
}

macro_rules! literals {
    ($($of:ty => $value:ident $scalar:expr;)*) => {$(
        impl IntoLiteral for $of {
            fn into_literal(self) -> ScalarValue {
                let $value = self;
                $scalar
            }
        }
    )*};
}

literals! {
    bool => value ScalarValue::Boolean(Some(value));
    i8 => value ScalarValue::Int8(Some(value));
    i16 => value ScalarValue::Int16(Some(value));
    i32 => value ScalarValue::Int32(Some(value));
    i64 => value ScalarValue::Int64(Some(value));
    isize => value ScalarValue::Int64(Some(value as i64));
    u8 => value ScalarValue::UInt8(Some(value));
    u16 => value ScalarValue::UInt16(Some(value));
    u32 => value ScalarValue::UInt32(Some(value));
    u64 => value ScalarValue::UInt64(Some(value));
    usize => value ScalarValue::UInt64(Some(value as u64));
    f32 => value ScalarValue::Float32(Some(value));
    f64 => value ScalarValue::Float64(Some(value));
    &str => value ScalarValue::from(value);
    &String => value ScalarValue::from(value.as_str());
    String => value ScalarValue::from(value);
    &[u8] => value ScalarValue::Binary(Some(value.to_vec()));
    Vec<u8> => value ScalarValue::Binary(Some(value));
    bytes::Bytes => value ScalarValue::Binary(Some(value.to_vec()));
    NaiveDate => value ScalarValue::Date32(Some(
        value.signed_duration_since(NaiveDate::default()).num_days() as i32
    ));
    NaiveDateTime => value time(value, None);
    DateTime<Utc> => value time(value.naive_utc(), Some("UTC"));
    ScalarValue => value value;
}

impl<const P: u8, const S: i8> IntoLiteral for Decimal<P, S> {
    fn into_literal(self) -> ScalarValue {
        ScalarValue::Decimal128(Some(self.units()), P, S)
    }
}

/// A time in microseconds, as in rows. A finer time becomes a text, which is later refused for being too
/// fine.
fn time(at: NaiveDateTime, zone: Option<&str>) -> ScalarValue {
    let instant = at.and_utc();
    if instant.timestamp_subsec_nanos().is_multiple_of(1_000) {
        return ScalarValue::TimestampMicrosecond(Some(instant.timestamp_micros()), zone.map(Into::into));
    }
    let text = at.format("%Y-%m-%dT%H:%M:%S%.9f");
    ScalarValue::Utf8(Some(format!("{text}{}", if zone.is_some() { "Z" } else { "" })))
}
