//! One column that is being decoded: the binary form of its values goes in, an Arrow array comes out.

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, ListArray, NullBufferBuilder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::buffer::OffsetBuffer;
use std::sync::Arc;

use super::numeric::{self, BadNumber};
use super::types::{Decoded, item_field};

/// Days from 1970-01-01 to 2000-01-01, where the server's days begin.
pub(super) const DAYS_TO_2000: i32 = 10_957;
pub(super) const MICROS_TO_2000: i64 = DAYS_TO_2000 as i64 * MICROS_IN_DAY;
pub(super) const MICROS_IN_DAY: i64 = 86_400_000_000;
/// The text of a UUID.
const UUID_CHARS: usize = 36;

const INFINITE: Bad = Bad {
    what: "infinity, which no column holds",
    help: Some("leave it out by a filter, or read the column as text by `text_for`"),
};

/// Why a value cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) what: &'static str,
    pub(super) help: Option<&'static str>,
}

impl Bad {
    pub(super) const fn new(what: &'static str) -> Bad {
        Bad { what, help: None }
    }
}

/// The values of one column so far.
pub(super) enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Oid(UInt32Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Numeric(Decimal128Builder, u8, i8),
    Text(StringBuilder),
    Jsonb(StringBuilder),
    Uuid(StringBuilder),
    Bytea(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Time(Time64MicrosecondBuilder),
    List(Box<Lists>),
}

/// Lists of values.
pub(super) struct Lists {
    items: Values,
    decoded: Decoded,
    element: u32,
    offsets: Vec<i32>,
    valid: NullBufferBuilder,
}

macro_rules! fixed {
    ($builder:expr, $bytes:expr, $of:expr) => {
        match $bytes.try_into() {
            Ok(bytes) => {
                $builder.append_value($of(bytes));
                Ok(())
            }
            Err(_) => Err(Bad::new("a value whose length is not that of its type")),
        }
    };
}

impl Values {
    /// Room for about `rows` values.
    pub(super) fn new(decoded: &Decoded, rows: usize) -> Values {
        match decoded {
            Decoded::Bool => Values::Bool(BooleanBuilder::with_capacity(rows)),
            Decoded::Int2 => Values::Int2(Int16Builder::with_capacity(rows)),
            Decoded::Int4 => Values::Int4(Int32Builder::with_capacity(rows)),
            Decoded::Int8 => Values::Int8(Int64Builder::with_capacity(rows)),
            Decoded::Oid => Values::Oid(UInt32Builder::with_capacity(rows)),
            Decoded::Float4 => Values::Float4(Float32Builder::with_capacity(rows)),
            Decoded::Float8 => Values::Float8(Float64Builder::with_capacity(rows)),
            Decoded::Numeric { precision, scale } => {
                let builder = Decimal128Builder::with_capacity(rows).with_data_type(decoded.data_type());
                Values::Numeric(builder, *precision, *scale)
            }
            Decoded::Text => Values::Text(StringBuilder::with_capacity(rows, 0)),
            Decoded::Jsonb => Values::Jsonb(StringBuilder::with_capacity(rows, 0)),
            Decoded::Uuid => Values::Uuid(StringBuilder::with_capacity(rows, rows * UUID_CHARS)),
            Decoded::Bytea => Values::Bytea(BinaryBuilder::with_capacity(rows, 0)),
            Decoded::Date => Values::Date(Date32Builder::with_capacity(rows)),
            Decoded::Timestamp | Decoded::Timestamptz => {
                let builder = TimestampMicrosecondBuilder::with_capacity(rows);
                Values::Timestamp(builder.with_data_type(decoded.data_type()))
            }
            Decoded::Time => Values::Time(Time64MicrosecondBuilder::with_capacity(rows)),
            Decoded::List(items, element) => Values::List(Box::new(Lists {
                items: Values::new(items, rows),
                decoded: (**items).clone(),
                element: *element,
                offsets: vec![0],
                valid: NullBufferBuilder::new(rows),
            })),
        }
    }

    /// Adds a null.
    #[inline]
    pub(super) fn push_null(&mut self) {
        match self {
            Values::Bool(builder) => builder.append_null(),
            Values::Int2(builder) => builder.append_null(),
            Values::Int4(builder) => builder.append_null(),
            Values::Int8(builder) => builder.append_null(),
            Values::Oid(builder) => builder.append_null(),
            Values::Float4(builder) => builder.append_null(),
            Values::Float8(builder) => builder.append_null(),
            Values::Numeric(builder, ..) => builder.append_null(),
            Values::Text(builder) | Values::Jsonb(builder) | Values::Uuid(builder) => builder.append_null(),
            Values::Bytea(builder) => builder.append_null(),
            Values::Date(builder) => builder.append_null(),
            Values::Timestamp(builder) => builder.append_null(),
            Values::Time(builder) => builder.append_null(),
            Values::List(lists) => lists.push_null(),
        }
    }

    /// Adds the value that `bytes` are.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        match self {
            Values::Bool(builder) => match bytes {
                [value] => {
                    builder.append_value(*value != 0);
                    Ok(())
                }
                _ => Err(Bad::new("a value whose length is not that of its type")),
            },
            Values::Int2(builder) => fixed!(builder, bytes, i16::from_be_bytes),
            Values::Int4(builder) => fixed!(builder, bytes, i32::from_be_bytes),
            Values::Int8(builder) => fixed!(builder, bytes, i64::from_be_bytes),
            Values::Oid(builder) => fixed!(builder, bytes, u32::from_be_bytes),
            Values::Float4(builder) => fixed!(builder, bytes, f32::from_be_bytes),
            Values::Float8(builder) => fixed!(builder, bytes, f64::from_be_bytes),
            Values::Numeric(builder, precision, scale) => {
                builder.append_value(numeric::units(bytes, *precision, *scale).map_err(bad_number)?);
                Ok(())
            }
            Values::Text(builder) => push_text(builder, bytes),
            Values::Jsonb(builder) => match bytes.split_first() {
                Some((1, text)) => push_text(builder, text),
                _ => Err(Bad::new("jsonb of an unknown version")),
            },
            Values::Uuid(builder) => push_uuid(builder, bytes),
            Values::Bytea(builder) => {
                builder.append_value(bytes);
                Ok(())
            }
            Values::Date(builder) => {
                builder.append_value(date(bytes)?);
                Ok(())
            }
            Values::Timestamp(builder) => {
                builder.append_value(timestamp(bytes)?);
                Ok(())
            }
            Values::Time(builder) => {
                builder.append_value(time(bytes)?);
                Ok(())
            }
            Values::List(lists) => lists.push(bytes),
        }
    }

    /// The values as an array; the column is empty after that.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, arrow::error::ArrowError> {
        Ok(match self {
            Values::Bool(builder) => Arc::new(builder.finish()),
            Values::Int2(builder) => Arc::new(builder.finish()),
            Values::Int4(builder) => Arc::new(builder.finish()),
            Values::Int8(builder) => Arc::new(builder.finish()),
            Values::Oid(builder) => Arc::new(builder.finish()),
            Values::Float4(builder) => Arc::new(builder.finish()),
            Values::Float8(builder) => Arc::new(builder.finish()),
            Values::Numeric(builder, ..) => Arc::new(builder.finish()),
            Values::Text(builder) | Values::Jsonb(builder) | Values::Uuid(builder) => {
                Arc::new(builder.finish())
            }
            Values::Bytea(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) => Arc::new(builder.finish()),
            Values::Time(builder) => Arc::new(builder.finish()),
            Values::List(lists) => Arc::new(lists.finish()?),
        })
    }
}

impl Lists {
    fn push_null(&mut self) {
        self.offsets.push(self.offsets.last().copied().unwrap_or_default());
        self.valid.append_null();
    }

    /// The bytes are: the count of dimensions, whether there are nulls, the type of the elements, length and first index of
    /// each dimension, and the elements, each with its length.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Bad> {
        const CUT: Bad = Bad::new("an array that ends early");
        let mut rest = bytes;
        let mut int = || -> Result<i32, Bad> {
            let (head, tail) = rest.split_first_chunk::<4>().ok_or(CUT)?;
            rest = tail;
            Ok(i32::from_be_bytes(*head))
        };
        let (dimensions, _, element) = (int()?, int()?, int()?);
        if element.cast_unsigned() != self.element {
            return Err(Bad::new("an array whose elements have another type than its column"));
        }
        let count = match dimensions {
            0 => 0,
            1 => {
                let count = int()?;
                int()?;
                count
            }
            _ => {
                let help = "read the column as text by `text_for`, or take it apart by `unnest` in a query";
                return Err(Bad { what: "an array of more than one dimension", help: Some(help) });
            }
        };
        for _ in 0..count {
            let length = {
                let (head, tail) = rest.split_first_chunk::<4>().ok_or(CUT)?;
                rest = tail;
                i32::from_be_bytes(*head)
            };
            match usize::try_from(length) {
                Ok(length) => {
                    let (value, tail) = rest.split_at_checked(length).ok_or(CUT)?;
                    self.items.push(value)?;
                    rest = tail;
                }
                Err(_) => self.items.push_null(),
            }
        }
        if !rest.is_empty() || count < 0 {
            return Err(Bad::new("an array whose length is not that of its elements"));
        }
        let end = self.offsets.last().copied().unwrap_or_default().checked_add(count);
        self.offsets.push(end.ok_or(Bad::new("more elements than a batch holds"))?);
        self.valid.append_non_null();
        Ok(())
    }

    fn finish(&mut self) -> Result<ListArray, arrow::error::ArrowError> {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let offsets = OffsetBuffer::new(offsets.into());
        ListArray::try_new(item_field(&self.decoded), offsets, self.items.finish()?, self.valid.finish())
    }
}

#[inline]
fn push_text(builder: &mut StringBuilder, bytes: &[u8]) -> Result<(), Bad> {
    const NOT_UTF8: Bad = Bad {
        what: "text that is not UTF-8",
        help: Some(
            "the database has the encoding SQL_ASCII; read the column as bytes by `convert_to` in a query",
        ),
    };
    builder.append_value(std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?);
    Ok(())
}

#[inline]
fn push_uuid(builder: &mut StringBuilder, bytes: &[u8]) -> Result<(), Bad> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if bytes.len() != 16 {
        return Err(Bad::new("a value whose length is not that of its type"));
    }
    let mut text = [b'-'; UUID_CHARS];
    let mut at = 0;
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
        at += 2;
    }
    push_text(builder, &text)
}

#[inline]
fn date(bytes: &[u8]) -> Result<i32, Bad> {
    let days = i32::from_be_bytes(bytes.try_into().map_err(|_| Bad::new("a date that is not 4 bytes long"))?);
    if matches!(days, i32::MIN | i32::MAX) {
        return Err(INFINITE);
    }
    days.checked_add(DAYS_TO_2000).ok_or(Bad::new("a date beyond what a column holds"))
}

#[inline]
fn timestamp(bytes: &[u8]) -> Result<i64, Bad> {
    let micros =
        i64::from_be_bytes(bytes.try_into().map_err(|_| Bad::new("a timestamp that is not 8 bytes long"))?);
    if matches!(micros, i64::MIN | i64::MAX) {
        return Err(INFINITE);
    }
    micros.checked_add(MICROS_TO_2000).ok_or(Bad::new("a timestamp beyond what a column holds"))
}

#[inline]
fn time(bytes: &[u8]) -> Result<i64, Bad> {
    const END_OF_DAY: Bad = Bad {
        what: "the time 24:00:00, which no column holds",
        help: Some("read the column as text by `text_for`"),
    };
    let micros =
        i64::from_be_bytes(bytes.try_into().map_err(|_| Bad::new("a time that is not 8 bytes long"))?);
    match micros {
        0..MICROS_IN_DAY => Ok(micros),
        MICROS_IN_DAY => Err(END_OF_DAY),
        _ => Err(Bad::new("a time outside of a day")),
    }
}

#[cold]
fn bad_number(bad: BadNumber) -> Bad {
    let help = Some("leave it out by a filter, or read the column as text by `text_for`");
    match bad {
        BadNumber::Malformed => Bad::new("bytes that are no number"),
        BadNumber::NotFinite => Bad { what: "NaN or infinity, which no decimal is", help },
        BadNumber::TooLong => Bad { what: "a number with more digits than its column", help },
    }
}
