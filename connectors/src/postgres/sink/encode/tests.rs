use std::sync::Arc;

use arrow::array::{
    BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray,
    StringArray, Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use kiln::connect::BatchLimits;

use super::super::super::decode::{Decoder, Progress};
use super::super::super::types::Decoded;
use super::*;

fn column(encoding: Encoding) -> Column {
    Column { name: "c".to_owned(), encoding, cast: None, not_null: false, is_key: false }
}

/// The bytes of one column, or why a value of it is refused.
fn encoded(array: ArrayRef, encoding: Encoding) -> Result<Vec<u8>, &'static str> {
    let schema = Arc::new(Schema::new(vec![Field::new("c", array.data_type().clone(), true)]));
    let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
    let mut out = HEADER.to_vec();
    encode(&batch, &[column(encoding)], 7, &mut out).unwrap().map_err(|bad| bad.bad.what)?;
    out.extend_from_slice(&TRAILER);
    Ok(out)
}

/// What the reader of the same table makes of the bytes.
fn read_back(array: ArrayRef, encoding: Encoding, decoded: Decoded) -> ArrayRef {
    let bytes = encoded(array, encoding).unwrap();
    let limits = BatchLimits { rows: 1000, bytes: 1 << 20 };
    let mut decoder = Decoder::new(&[decoded.clone(), Decoded::Int8], limits);
    decoder.feed(Bytes::from(bytes));
    assert_eq!(decoder.decode().unwrap(), Progress::Ended);
    let field = |name: &str, decoded: &Decoded| Field::new(name, decoded.data_type(), true);
    let schema = Arc::new(Schema::new(vec![field("c", &decoded), field("part", &Decoded::Int8)]));
    let batch = decoder.finish(&schema).unwrap();
    assert!(batch.column(1).as_primitive::<Int64Type>().iter().all(|part| part == Some(7)));
    ArrayRef::clone(batch.column(0))
}

#[test]
fn what_is_encoded_is_decoded_to_the_same() {
    let numeric = |p, s| Decoded::Numeric { precision: p, scale: s };
    let decimals = [Some(0), None, Some(1), Some(-99_999_999), Some(10i128.pow(38) - 1), Some(12_340_000)];
    let lists = ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let cases: Vec<(ArrayRef, Encoding, Decoded)> = vec![
        (
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
            Encoding::Int(8),
            Decoded::Int8,
        ),
        (Arc::new(Float64Array::from(vec![f64::MIN, -0.0, 5e-324])), Encoding::Float8, Decoded::Float8),
        (Arc::new(Float32Array::from(vec![f32::MAX, 1e-45, -0.0])), Encoding::Float4, Decoded::Float4),
        (Arc::new(StringArray::from(vec!["", "é😀"])), Encoding::Text(Some(2)), Decoded::Text),
        (Arc::new(StringArray::from(vec!["{}", "[1]"])), Encoding::Jsonb, Decoded::Jsonb),
        (
            Arc::new(StringArray::from(vec!["ffffffff-0000-4000-8000-0123456789ab"])),
            Encoding::Uuid,
            Decoded::Uuid,
        ),
        (Arc::new(BinaryArray::from(vec![&b""[..], b"\0\xff"])), Encoding::Bytea, Decoded::Bytea),
        (Arc::new(Date32Array::from(vec![-719_162, 0, 2_932_896])), Encoding::Date, Decoded::Date),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![-1, 0, 253_402_300_799_999_999])),
            Encoding::Timestamp,
            Decoded::Timestamp,
        ),
        (Arc::new(Time64MicrosecondArray::from(vec![0, 86_399_999_999])), Encoding::Time, Decoded::Time),
        (Arc::new(lists), Encoding::List(Box::new(Encoding::Int(4)), 23), {
            Decoded::List(Box::new(Decoded::Int4), 23)
        }),
    ];
    for (array, encoding, decoded) in cases {
        assert_eq!(&read_back(Arc::clone(&array), encoding.clone(), decoded), &array, "{encoding:?}");
    }
    for scale in [0_i8, 2, 3, 4, 5, 37, 38] {
        let array = Decimal128Array::from(decimals.to_vec()).with_precision_and_scale(38, scale).unwrap();
        let array: ArrayRef = Arc::new(array);
        let limit = Some((38, i32::from(scale)));
        assert_eq!(&read_back(Arc::clone(&array), Encoding::Numeric(limit), numeric(38, scale)), &array);
    }
}

#[test]
fn values_that_a_column_would_round_or_cannot_hold_are_refused() {
    let decimal = |units: i128| -> ArrayRef {
        Arc::new(Decimal128Array::from(vec![units]).with_precision_and_scale(20, 3).unwrap())
    };
    let int = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let cases: Vec<(ArrayRef, Encoding, &str)> = vec![
        (int(40_000), Encoding::Int(2), "cannot hold"),
        (int(i64::MAX), Encoding::Int(4), "cannot hold"),
        (int(-1), Encoding::Oid, "cannot hold"),
        (int((1 << 53) + 1), Encoding::Float8, "round"),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), Encoding::Int(8), "cannot hold"),
        (Arc::new(Float64Array::from(vec![0.1])), Encoding::Float4, "round"),
        (decimal(1001), Encoding::Numeric(Some((10, 2))), "round"),
        (decimal(10_000_000), Encoding::Numeric(Some((6, 2))), "cannot hold"),
        (text("abc"), Encoding::Text(Some(2)), "longer"),
        (text("a\0"), Encoding::Text(None), "character 0"),
        (text("x"), Encoding::Uuid, "no UUID"),
        (Arc::new(Date32Array::from(vec![i32::MAX])), Encoding::Date, "does not have"),
        (Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN])), Encoding::Timestamp, "does not have"),
        (Arc::new(TimestampNanosecondArray::from(vec![1])), Encoding::Timestamp, "finer"),
        (Arc::new(Time64MicrosecondArray::from(vec![86_400_000_000])), Encoding::Time, "does not have"),
    ];
    for (array, encoding, says) in cases {
        let refused = encoded(array, encoding.clone());
        assert!(refused.is_err_and(|what| what.contains(says)), "{encoding:?}, {says}");
    }
    assert!(encoded(decimal(1010), Encoding::Numeric(Some((10, 2)))).is_ok(), "1.010 has two decimals");
    assert!(encoded(int(1 << 60), Encoding::Float8).is_ok(), "a power of two is exact");
}

#[test]
fn a_null_in_a_column_that_takes_none_is_refused_with_its_row() {
    let array: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let schema = Arc::new(Schema::new(vec![Field::new("c", DataType::Int64, true)]));
    let batch = RecordBatch::try_new(schema, vec![array]).unwrap();
    let column = Column { not_null: true, ..column(Encoding::Int(8)) };
    let bad = encode(&batch, &[column], 0, &mut Vec::new()).unwrap().unwrap_err();
    assert_eq!((bad.row, bad.column, bad.bad), (1, 0, NULL));
}
