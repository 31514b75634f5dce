//! Which columns a table of PostgreSQL takes without loss, and how their values are sent.

use arrow::datatypes::{DataType, TimeUnit};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::{Kind, Type};

use super::super::types::numeric_digits;

/// How the values of a column are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Encoding {
    Bool,
    /// A whole number of so many bytes, 2, 4 or 8.
    Int(u8),
    Oid,
    Float4,
    Float8,
    /// With the digits and decimals that the column has, if it has a limit.
    Numeric(Option<(i32, i32)>),
    /// With the most characters, if there is a limit.
    Text(Option<u32>),
    /// At most 63 bytes.
    Name,
    Jsonb,
    Uuid,
    Bytea,
    Date,
    Timestamp,
    Time,
    /// A list of values; the number is the type of its elements.
    List(Box<Encoding>, u32),
}

/// How a column goes into the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fit {
    pub(super) encoding: Encoding,
    /// Whether it is staged as text, which the server turns into the column's type when rows are moved.
    pub(super) as_text: bool,
}

/// How values of `from` go into a column of the type `to`; nothing if that could lose something.
pub(super) fn fit(from: &DataType, to: &Type, modifier: i32) -> Option<Fit> {
    let binary = |encoding| Some(Fit { encoding, as_text: false });
    if let Some(encoding) = encoding(from, to, modifier) {
        return binary(encoding);
    }
    let is_text = matches!(plain(from), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    (is_text && takes_text(to, modifier)).then_some(Fit { encoding: Encoding::Text(None), as_text: true })
}

/// The type of the values, whatever their array.
fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

fn encoding(from: &DataType, to: &Type, modifier: i32) -> Option<Encoding> {
    use DataType::*;
    let from = plain(from);
    if let Kind::Domain(base) = to.kind() {
        // Of a domain over a domain the digits are not known, and the server would round.
        return match base.kind() {
            Kind::Domain(_) => None,
            _ => encoding(from, base, modifier),
        };
    }
    if let (List(item) | LargeList(item) | FixedSizeList(item, _), Kind::Array(element)) = (from, to.kind()) {
        let items = encoding(item.data_type(), element, modifier)?;
        return Some(Encoding::List(Box::new(items), element.oid()));
    }
    if *from == Null {
        return Some(Encoding::Text(None));
    }
    match from {
        Boolean => (*to == Type::BOOL).then_some(Encoding::Bool),
        _ if from.is_integer() => whole(to, modifier),
        Float16 | Float32 | Float64 => match *to {
            Type::FLOAT4 => Some(Encoding::Float4),
            Type::FLOAT8 => Some(Encoding::Float8),
            _ => None,
        },
        Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) if *scale >= 0 => {
            (*to == Type::NUMERIC).then(|| Encoding::Numeric(numeric_digits(modifier)))
        }
        Utf8 | LargeUtf8 | Utf8View => text(to, modifier),
        Binary | LargeBinary | BinaryView => (*to == Type::BYTEA).then_some(Encoding::Bytea),
        FixedSizeBinary(16) if *to == Type::UUID => Some(Encoding::Uuid),
        FixedSizeBinary(_) => (*to == Type::BYTEA).then_some(Encoding::Bytea),
        Date32 => (*to == Type::DATE).then_some(Encoding::Date),
        Timestamp(_, None) => (*to == Type::TIMESTAMP).then_some(Encoding::Timestamp),
        Timestamp(_, Some(_)) => (*to == Type::TIMESTAMPTZ).then_some(Encoding::Timestamp),
        Time32(_) | Time64(_) => (*to == Type::TIME).then_some(Encoding::Time),
        _ => None,
    }
}

fn whole(to: &Type, modifier: i32) -> Option<Encoding> {
    match *to {
        Type::INT2 => Some(Encoding::Int(2)),
        Type::INT4 => Some(Encoding::Int(4)),
        Type::INT8 => Some(Encoding::Int(8)),
        Type::OID => Some(Encoding::Oid),
        Type::FLOAT4 => Some(Encoding::Float4),
        Type::FLOAT8 => Some(Encoding::Float8),
        Type::NUMERIC => Some(Encoding::Numeric(numeric_digits(modifier))),
        _ => None,
    }
}

fn text(to: &Type, modifier: i32) -> Option<Encoding> {
    // The length has the size of a header added to it.
    let limit = u32::try_from(modifier - 4).ok();
    match *to {
        Type::TEXT | Type::JSON | Type::XML => Some(Encoding::Text(None)),
        Type::VARCHAR | Type::BPCHAR => Some(Encoding::Text(limit)),
        Type::NAME => Some(Encoding::Name),
        Type::JSONB => Some(Encoding::Jsonb),
        Type::UUID => Some(Encoding::Uuid),
        _ if matches!(to.kind(), Kind::Enum(_)) || to.name() == "citext" => Some(Encoding::Text(None)),
        _ => None,
    }
}

/// Whether the server makes a value of this type out of text without rounding it: of the types that are read by `text_for`.
fn takes_text(to: &Type, modifier: i32) -> bool {
    match to.kind() {
        Kind::Domain(base) => !matches!(base.kind(), Kind::Domain(_)) && takes_text(base, modifier),
        Kind::Array(element) => takes_text(element, modifier),
        Kind::Range(_) | Kind::Multirange(_) => true,
        _ if *to == Type::NUMERIC => numeric_digits(modifier).is_none(),
        _ => [
            Type::INTERVAL,
            Type::TIMETZ,
            Type::TIME,
            Type::INET,
            Type::CIDR,
            Type::MACADDR,
            Type::MACADDR8,
            Type::BIT,
            Type::VARBIT,
            Type::POINT,
            Type::LINE,
            Type::LSEG,
            Type::BOX,
            Type::PATH,
            Type::POLYGON,
            Type::CIRCLE,
            Type::TS_VECTOR,
            Type::TSQUERY,
            Type::PG_LSN,
        ]
        .contains(to),
    }
}

/// The type that a column of a new table gets, as SQL writes it; nothing if the server has none for it.
pub(super) fn created(data_type: &DataType) -> Option<String> {
    use DataType::*;
    let name = match plain(data_type) {
        Boolean => "boolean",
        Int8 | Int16 | UInt8 => "smallint",
        Int32 | UInt16 => "integer",
        Int64 | UInt32 => "bigint",
        UInt64 => "numeric(20,0)",
        Float16 | Float32 => "real",
        Float64 => "double precision",
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) if *s >= 0 => {
            return Some(format!("numeric({p},{s})"));
        }
        Utf8 | LargeUtf8 | Utf8View => "text",
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => "bytea",
        Date32 => "date",
        Timestamp(_, None) => "timestamp",
        Timestamp(_, Some(_)) => "timestamptz",
        Time32(_) | Time64(_) => "time",
        List(item) | LargeList(item) | FixedSizeList(item, _) if !item.data_type().is_nested() => {
            return created(item.data_type()).map(|item| format!("{item}[]"));
        }
        _ => return None,
    };
    Some(name.to_owned())
}

/// The array type that values of `from` are turned into before they are sent; nothing when they are sent as they are.
pub(super) fn canonical(from: &DataType) -> Option<DataType> {
    use DataType::*;
    let to = match from {
        Dictionary(_, values) => canonical(values).unwrap_or_else(|| values.as_ref().clone()),
        Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32 => Int64,
        Float16 | Float32 => Float64,
        Decimal32(p, s) | Decimal64(p, s) => Decimal128(*p, *s),
        LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Time32(TimeUnit::Second | TimeUnit::Millisecond) => Time64(TimeUnit::Microsecond),
        LargeList(item) | FixedSizeList(item, _) => List(item.clone()),
        _ => return None,
    };
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(precision: i32, scale: i32) -> i32 {
        4 + (precision << 16 | scale & 0x7ff)
    }

    #[test]
    fn what_could_be_rounded_or_reinterpreted_does_not_fit() {
        let refused = [
            (DataType::Float64, Type::NUMERIC, -1),
            (DataType::Decimal128(10, 2), Type::FLOAT8, -1),
            (DataType::Timestamp(TimeUnit::Microsecond, None), Type::TIMESTAMPTZ, -1),
            (DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), Type::TIMESTAMP, -1),
            (DataType::Utf8, Type::NUMERIC, numeric(10, 2)),
            (DataType::Utf8, Type::INT4, -1),
            (DataType::Utf8, Type::TIMESTAMP, -1),
            (DataType::Int64, Type::TEXT, -1),
            (DataType::Date32, Type::TIMESTAMP, -1),
        ];
        for (from, to, modifier) in refused {
            assert_eq!(fit(&from, &to, modifier), None, "{from} into {to}");
        }
    }

    #[test]
    fn types_that_are_read_as_text_are_written_from_text() {
        for to in [Type::INTERVAL, Type::INET, Type::NUMERIC, Type::TIMETZ, Type::INT4_RANGE] {
            assert!(fit(&DataType::Utf8, &to, -1).is_some_and(|fit| fit.as_text), "{to}");
        }
        let fit = fit(&DataType::Utf8, &Type::VARCHAR, 4 + 10).unwrap();
        assert_eq!(fit, Fit { encoding: Encoding::Text(Some(10)), as_text: false });
    }

    #[test]
    fn a_created_column_takes_all_values_of_its_type() {
        use DataType::*;
        let types = [
            Boolean,
            Int8,
            Int16,
            Int32,
            Int64,
            UInt8,
            UInt16,
            UInt32,
            UInt64,
            Float32,
            Float64,
            Decimal128(38, 10),
            Utf8,
            LargeUtf8,
            Binary,
            Date32,
            Timestamp(TimeUnit::Millisecond, None),
            Time64(TimeUnit::Microsecond),
        ];
        for from in types {
            assert!(created(&from).is_some(), "{from}");
        }
        assert_eq!(created(&DataType::new_list(UInt64, true)).as_deref(), Some("numeric(20,0)[]"));
        assert_eq!(created(&DataType::Duration(TimeUnit::Second)), None);
    }
}
