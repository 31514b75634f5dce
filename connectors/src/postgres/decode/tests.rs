//! Generated tuples, cut at every byte, and bytes that are damaged.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema};
use proptest::prelude::*;
use std::sync::Arc;

use super::*;
use crate::postgres::numeric::tests::encoded;

const LIMITS: BatchLimits = BatchLimits { rows: 1000, bytes: 1 << 20 };

/// A row of the generated table.
#[derive(Clone, Debug, PartialEq)]
struct Tuple {
    flag: Option<bool>,
    id: Option<i64>,
    text: Option<String>,
    price: Option<i64>,
    list: Option<Vec<Option<i32>>>,
}

fn columns() -> Vec<Decoded> {
    let price = Decoded::Numeric { precision: 20, scale: 2 };
    vec![Decoded::Bool, Decoded::Int8, Decoded::Text, price, Decoded::List(Box::new(Decoded::Int4), 23)]
}

fn schema_of(columns: &[Decoded]) -> SchemaRef {
    let field = |(at, decoded): (usize, &Decoded)| Field::new(format!("c{at}"), decoded.data_type(), true);
    Arc::new(Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>()))
}

fn tuples() -> impl Strategy<Value = Vec<Tuple>> {
    let list = prop::option::of(prop::collection::vec(prop::option::of(any::<i32>()), 0..4));
    let tuple = (
        prop::option::of(any::<bool>()),
        prop::option::of(any::<i64>()),
        prop::option::of(".{0,6}"),
        prop::option::of(-1_000_000_000_000_i64..1_000_000_000_000),
        list,
    );
    let tuple = tuple.prop_map(|(flag, id, text, price, list)| Tuple { flag, id, text, price, list });
    prop::collection::vec(tuple, 0..6)
}

fn field(bytes: Option<Vec<u8>>) -> Vec<u8> {
    match bytes {
        None => (-1_i32).to_be_bytes().to_vec(),
        Some(bytes) => [&(bytes.len() as i32).to_be_bytes()[..], &bytes].concat(),
    }
}

fn list(items: &[Option<i32>]) -> Vec<u8> {
    let ints = match items.is_empty() {
        true => vec![0, 0, 23],
        false => vec![1, 1, 23, items.len() as i32, 1],
    };
    let head: Vec<u8> = ints.into_iter().flat_map(i32::to_be_bytes).collect();
    let items = items.iter().flat_map(|item| field(item.map(|item| item.to_be_bytes().to_vec())));
    head.into_iter().chain(items).collect()
}

fn stream_of(tuples: impl IntoIterator<Item = Vec<Vec<u8>>>) -> Vec<u8> {
    let mut stream = [&SIGNATURE[..], &[0; 8]].concat();
    for fields in tuples {
        stream.extend((fields.len() as i16).to_be_bytes());
        stream.extend(fields.concat());
    }
    stream.extend(TRAILER.to_be_bytes());
    stream
}

fn stream(tuples: &[Tuple]) -> Vec<u8> {
    stream_of(tuples.iter().map(|tuple| {
        vec![
            field(tuple.flag.map(|flag| vec![u8::from(flag)])),
            field(tuple.id.map(|id| id.to_be_bytes().to_vec())),
            field(tuple.text.clone().map(String::into_bytes)),
            field(tuple.price.map(|price| encoded(price.into(), 2))),
            field(tuple.list.as_deref().map(list)),
        ]
    }))
}

/// Decodes chunks into batches.
fn decode(columns: &[Decoded], chunks: &[&[u8]], limits: BatchLimits) -> Result<Vec<RecordBatch>, BadRow> {
    let mut decoder = Decoder::new(columns, limits);
    let mut chunks = chunks.iter();
    let mut batches = Vec::new();
    loop {
        match decoder.decode()? {
            Progress::NeedsMore => match chunks.next() {
                Some(chunk) => decoder.feed(Bytes::copy_from_slice(chunk)),
                None => panic!("the stream ends early"),
            },
            progress => {
                if decoder.rows() > 0 {
                    batches.push(decoder.finish(&schema_of(columns)).unwrap());
                }
                if progress == Progress::Ended {
                    return Ok(batches);
                }
            }
        }
    }
}

fn rows(batches: &[RecordBatch]) -> Vec<Tuple> {
    let mut rows = Vec::new();
    for batch in batches {
        let [flag, id, text, price, list] = batch.columns() else { panic!("five columns") };
        for row in 0..batch.num_rows() {
            let valid = |column: &ArrayRef| column.is_valid(row);
            let items = |list: ArrayRef| list.as_primitive::<arrow::datatypes::Int32Type>().iter().collect();
            rows.push(Tuple {
                flag: valid(flag).then(|| flag.as_boolean().value(row)),
                id: valid(id).then(|| id.as_primitive::<Int64Type>().value(row)),
                text: valid(text).then(|| text.as_string::<i32>().value(row).to_owned()),
                price: valid(price).then(|| price.as_primitive::<Decimal128Type>().value(row) as i64),
                list: valid(list).then(|| items(list.as_list::<i32>().value(row))),
            });
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_stream_that_is_cut_at_any_byte_gives_its_rows(tuples in tuples()) {
        let stream = stream(&tuples);
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            let batches = decode(&columns(), &[head, tail], LIMITS).unwrap();
            prop_assert_eq!(rows(&batches), tuples.clone(), "cut at byte {}", cut);
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(rows(&decode(&columns(), &bytes, LIMITS).unwrap()), tuples);
    }

    #[test]
    fn batches_end_at_their_limit(tuples in tuples(), limit in 1_usize..4) {
        let limits = BatchLimits { rows: limit, bytes: 1 << 20 };
        let batches = decode(&columns(), &[&stream(&tuples)], limits).unwrap();
        prop_assert!(batches.iter().all(|batch| batch.num_rows() <= limit));
        prop_assert_eq!(rows(&batches), tuples.clone());
        let by_bytes = decode(&columns(), &[&stream(&tuples)], BatchLimits { rows: 1000, bytes: 1 }).unwrap();
        prop_assert_eq!(by_bytes.len(), tuples.len(), "a row ends a batch of one byte");
    }

    #[test]
    fn a_damaged_stream_gives_rows_or_an_error_and_no_panic(
        tuples in tuples(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut stream = stream(&tuples);
        let at = at.index(stream.len());
        stream[at] = byte;
        let mut decoder = Decoder::new(&columns(), LIMITS);
        decoder.feed(stream.into());
        let _ = decoder.decode();
    }
}

/// The fields of a tuple, one of which may be none of its type.
fn fields_with(tuple: &Tuple, bad: Option<usize>) -> Vec<Vec<u8>> {
    let wrong: [&[u8]; 5] = [&[1, 1], &[1, 2, 3], &[0xff], &[0, 0, 0, 0, 0xc0, 0, 0, 0], &[0, 0, 0, 1]];
    let mut fields = vec![
        field(tuple.flag.map(|flag| vec![u8::from(flag)])),
        field(tuple.id.map(|id| id.to_be_bytes().to_vec())),
        field(tuple.text.clone().map(String::into_bytes)),
        field(tuple.price.map(|price| encoded(price.into(), 2))),
        field(tuple.list.as_deref().map(list)),
    ];
    if let Some(at) = bad {
        fields[at] = field(Some(wrong[at].to_vec()));
    }
    fields
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn after_a_bad_row_decoding_goes_on_with_the_next_one(
        tuples in tuples(), bad in prop::collection::vec(prop::option::of(0..5_usize), 6), chunk in 1..40_usize,
        limit in 1_usize..4,
    ) {
        let stream = stream_of(tuples.iter().zip(&bad).map(|(tuple, bad)| fields_with(tuple, *bad)));
        let mut decoder = Decoder::new(&columns(), BatchLimits { rows: limit, bytes: 1 << 20 });
        let (mut chunks, mut batches, mut found) = (stream.chunks(chunk), Vec::new(), Vec::new());
        loop {
            match decoder.decode() {
                Ok(Progress::NeedsMore) => decoder.feed(Bytes::copy_from_slice(chunks.next().unwrap())),
                Ok(progress) => {
                    batches.push(decoder.finish(&schema_of(&columns())).unwrap());
                    if progress == Progress::Ended {
                        break;
                    }
                }
                Err(bad) => found.push((bad.row, bad.column, bad.values)),
            }
        }
        let good = tuples.iter().zip(&bad).filter(|(_, bad)| bad.is_none()).map(|(tuple, _)| tuple.clone());
        prop_assert_eq!(rows(&batches), good.collect::<Vec<_>>());
        let expected = (0..).zip(&tuples).zip(&bad).filter_map(|((row, tuple), bad)| Some((row, tuple, (*bad)?)));
        for ((row, column, values), (at, tuple, bad)) in found.iter().zip(expected.clone()) {
            prop_assert_eq!((*row, *column), (at, Some(bad)));
            prop_assert!(values[bad].as_ref().unwrap().starts_with("\\x"), "{:?}", values);
            if bad != 1 {
                prop_assert_eq!(&values[1], &tuple.id.map(|id| id.to_string()));
            }
        }
        prop_assert_eq!(found.len(), expected.count());
    }
}

/// The error about the only value of a stream.
fn refused(decoded: Decoded, value: &[u8]) -> BadRow {
    let good = field(None);
    let bad = field(Some(value.to_vec()));
    decode(&[decoded], &[&stream_of([vec![good], vec![bad]])], LIMITS).unwrap_err()
}

#[test]
fn a_value_that_is_not_of_its_type_is_refused_with_row_and_column() {
    let list = Decoded::List(Box::new(Decoded::Int4), 23);
    let two_dimensions: Vec<u8> = [2, 0, 23, 1, 1, 1, 1].into_iter().flat_map(i32::to_be_bytes).collect();
    let other_elements: Vec<u8> = [1, 0, 25, 0, 1].into_iter().flat_map(i32::to_be_bytes).collect();
    let negative: Vec<u8> = [1, 0, 23, -1, 1].into_iter().flat_map(i32::to_be_bytes).collect();
    let cases: [(Decoded, &[u8], &str); 16] = [
        (Decoded::Int4, &[1, 2, 3], "length"),
        (Decoded::Int8, &[0; 9], "length"),
        (Decoded::Bool, &[], "length"),
        (Decoded::Uuid, &[0; 15], "length"),
        (Decoded::Text, &[0xff], "UTF-8"),
        (Decoded::Jsonb, &[2, b'1'], "version"),
        (Decoded::Date, &i32::MAX.to_be_bytes(), "infinity"),
        (Decoded::Timestamp, &i64::MIN.to_be_bytes(), "infinity"),
        (Decoded::Timestamptz, &i64::MAX.to_be_bytes(), "infinity"),
        (Decoded::Time, &86_400_000_000_i64.to_be_bytes(), "24:00:00"),
        (Decoded::Numeric { precision: 3, scale: 0 }, &[0, 0, 0, 0, 0xc0, 0, 0, 0], "NaN"),
        (list.clone(), &two_dimensions, "more than one dimension"),
        (list.clone(), &other_elements, "another type"),
        (list.clone(), &negative, "length"),
        (list.clone(), &[0, 0, 0, 1], "ends early"),
        (list, &[], "ends early"),
    ];
    for (decoded, value, words) in cases {
        let bad = refused(decoded, value);
        assert_eq!((bad.row, bad.column), (1, Some(0)), "{words}");
        assert!(bad.bad.what.contains(words), "{} holds no {words}", bad.bad.what);
    }
}

#[test]
fn a_stream_of_another_shape_is_refused() {
    let one = stream_of([vec![field(Some(vec![1]))]]);
    let error = decode(&[Decoded::Bool, Decoded::Bool], &[&one], LIMITS).unwrap_err();
    assert!(error.bad.what.contains("number of fields"));
    let error = decode(&[Decoded::Bool], &[&[b'x'; 40]], LIMITS).unwrap_err();
    assert!(error.bad.what.contains("does not begin"));
    let longer = [one, vec![0]].concat();
    let error = decode(&[Decoded::Bool], &[&longer], LIMITS).unwrap_err();
    assert!(error.bad.what.contains("after the end"));
}

#[test]
fn values_have_the_types_of_the_schema() {
    let decoded = [
        Decoded::Timestamptz,
        Decoded::Timestamp,
        Decoded::Numeric { precision: 5, scale: 5 },
        Decoded::Time,
        Decoded::List(Box::new(Decoded::Numeric { precision: 7, scale: 2 }), 1700),
    ];
    let nulls = stream_of([decoded.iter().map(|_| field(None)).collect()]);
    let batches = decode(&decoded, &[&nulls], LIMITS).unwrap();
    let types: Vec<&DataType> = batches[0].columns().iter().map(|column| column.data_type()).collect();
    assert_eq!(types, decoded.iter().map(Decoded::data_type).collect::<Vec<_>>().iter().collect::<Vec<_>>());
}
