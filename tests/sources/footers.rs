//! Writes a Parquet file with the footer that another writer would have written.
//!
//! The rows stay unchanged; statistics, the name of the writer and the declared order of columns are
//! replaced.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use proptest::prelude::*;
use proptest::sample::select;

use crate::filter_model::{Values, Wide};

/// How a file is written.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    group_rows: usize,
    level: EnabledStatistics,
    truncated: Option<usize>,
    dictionary: bool,
    text: DataType,
    unit: TimeUnit,
    zone: &'static str,
    /// Whether the file starts with a nested column that is not in the row type.
    nested: bool,
    footer: Footer,
}

/// The writer whose footer the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Footer {
    AsWritten,
    /// NaN was compared with other values and came first.
    NanAsBounds,
    NanAsMax,
    /// NaN was compared with other values and hid those before it: parquet-cpp before 1.4.
    NanHides,
    /// The same in the deprecated fields, by a writer that is not known for it.
    NanHidesDeprecated,
    /// A bound that is zero has the wrong sign.
    SwappedZeros,
    /// Only the deprecated fields, with texts and unsigned numbers in signed order: parquet-mr before
    /// 1.10.
    Deprecated,
    /// Texts of any content: parquet-mr before 1.8 (PARQUET-251).
    Garbage,
    WithoutNullCounts,
    /// The new fields in signed order, without a declared order.
    Undeclared,
    /// Decimals as bytes, in the order of unsigned bytes.
    UnsignedDecimals,
    /// The lower bound is above the upper one.
    SwappedBounds,
    /// As many nulls as rows, whatever the values are.
    AllNulls,
}

pub(crate) fn layout() -> impl Strategy<Value = Layout> {
    use Footer::*;
    use TimeUnit::*;
    let footers = vec![
        AsWritten,
        NanAsBounds,
        NanAsMax,
        NanHides,
        NanHidesDeprecated,
        SwappedZeros,
        Deprecated,
        Garbage,
        WithoutNullCounts,
        Undeclared,
        UnsignedDecimals,
        SwappedBounds,
        AllNulls,
    ];
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let level = select(vec![EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page]);
    let text = select(vec![DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View, dictionary]);
    (
        (1_usize..9, level, prop::option::of(1_usize..70), any::<bool>()),
        (text, select(vec![Second, Millisecond, Microsecond]), select(vec!["UTC", "+01:00", "-05:30"])),
        (any::<bool>(), select(footers)),
    )
        .prop_map(
            |((group_rows, level, truncated, dictionary), (text, unit, zone), (nested, footer))| Layout {
                group_rows,
                level,
                truncated,
                dictionary,
                text,
                unit,
                zone,
                nested,
                footer,
            },
        )
}

/// All rows in one group, with this footer.
pub(crate) fn one_group(footer: Footer) -> Layout {
    Layout {
        group_rows: 1000,
        level: EnabledStatistics::Chunk,
        truncated: None,
        dictionary: false,
        text: DataType::Utf8,
        unit: TimeUnit::Microsecond,
        zone: "UTC",
        nested: false,
        footer,
    }
}

/// Writes `rows`, which are those of `batch`.
pub(crate) fn write(path: &Path, rows: &[Values], batch: &RecordBatch, layout: &Layout) {
    let batch = stored(batch, layout);
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_statistics_enabled(layout.level)
        .set_statistics_truncate_length(layout.truncated)
        .set_dictionary_enabled(layout.dictionary)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = if layout.footer == Footer::AsWritten { bytes } else { rewritten(&bytes, rows, layout) };
    fs::write(path, bytes).unwrap();
}

/// The columns in other types that hold the same values.
fn stored(batch: &RecordBatch, layout: &Layout) -> RecordBatch {
    let to = |field: &Field| match (field.name().as_str(), field.data_type()) {
        ("text", _) => layout.text.clone(),
        (_, DataType::Timestamp(_, None)) => DataType::Timestamp(layout.unit, None),
        (_, DataType::Timestamp(_, Some(_))) => DataType::Timestamp(layout.unit, Some(layout.zone.into())),
        (_, other) => other.clone(),
    };
    let schema = batch.schema();
    let mut fields: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_data_type(to(field))).collect();
    let columns =
        fields.iter().zip(batch.columns()).map(|(field, column)| cast(column, field.data_type()).unwrap());
    let mut columns: Vec<ArrayRef> = columns.collect();
    if layout.nested {
        let (inner, outer) = (Arc::clone(batch.column(0)), schema.field(0).clone());
        let inner = StructArray::from(vec![
            (Arc::new(outer.clone().with_name("a")), Arc::clone(&inner)),
            (Arc::new(outer.with_name("b")), inner),
        ]);
        fields.insert(0, Field::new("nested", inner.data_type().clone(), false));
        columns.insert(0, Arc::new(inner));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn rewritten(bytes: &[u8], rows: &[Values], layout: &Layout) -> Vec<u8> {
    let (length, _) = bytes[bytes.len() - 8..].split_at(4);
    let start = bytes.len() - 8 - u32::from_le_bytes(length.try_into().unwrap()) as usize;
    let metadata = ParquetMetaDataReader::decode_metadata(&bytes[start..bytes.len() - 8]).unwrap();
    let mut builder =
        ParquetMetaData::new(renamed(metadata.file_metadata(), layout.footer), vec![]).into_builder();
    let mut first = 0;
    for group in metadata.row_groups() {
        let rows = &rows[first..first + group.num_rows() as usize];
        first += rows.len();
        let columns = group.columns().iter().map(|column| replaced(column, rows, layout.footer)).collect();
        let group = group.clone().into_builder().set_column_metadata(columns).build().unwrap();
        builder = builder.add_row_group(group);
    }
    let mut footer = Vec::new();
    ParquetMetaDataWriter::new(&mut footer, &builder.build()).finish().unwrap();
    if layout.footer == Footer::Undeclared {
        footer = without_orders(footer, metadata.file_metadata().schema_descr().num_columns());
    }
    [&bytes[..start], &footer].concat()
}

fn renamed(file: &FileMetaData, footer: Footer) -> FileMetaData {
    let writer = match footer {
        Footer::NanHides => Some("parquet-cpp version 1.3.1"),
        Footer::Deprecated => {
            Some("parquet-mr version 1.9.0 (build 38262e2c80015d0935dad20f8e18f2d6f9fbd03c)")
        }
        Footer::Garbage => Some("parquet-mr version 1.7.0 (build 1)"),
        Footer::NanAsBounds | Footer::NanAsMax | Footer::NanHidesDeprecated => Some("somebody version 1.0"),
        Footer::Undeclared => None,
        _ => file.created_by(),
    };
    FileMetaData::new(
        file.version(),
        file.num_rows(),
        writer.map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    )
}

fn replaced(column: &ColumnChunkMetaData, rows: &[Values], footer: Footer) -> ColumnChunkMetaData {
    let builder = column.clone().into_builder();
    let builder = builder.set_column_index_offset(None).set_column_index_length(None);
    let builder = builder.set_offset_index_offset(None).set_offset_index_length(None);
    match column.statistics() {
        None => builder.build().unwrap(),
        Some(statistics) => {
            let name = column.column_path().string();
            builder.set_statistics(by_other_writer(statistics, &name, rows, footer)).build().unwrap()
        }
    }
}

fn by_other_writer(written: &Statistics, name: &str, rows: &[Values], footer: Footer) -> Statistics {
    let nulls = written.null_count_opt();
    let is_deprecated = footer == Footer::NanHidesDeprecated;
    let nan = |min: f64, max: f64| match written {
        Statistics::Float(_) => {
            Statistics::float(Some(min as f32), Some(max as f32), None, nulls, is_deprecated)
        }
        _ => Statistics::double(Some(min), Some(max), None, nulls, is_deprecated),
    };
    let is_float = matches!(written, Statistics::Float(_) | Statistics::Double(_));
    match (footer, written) {
        (Footer::NanAsBounds, _) if is_float => nan(f64::NAN, f64::NAN),
        (Footer::NanAsMax, Statistics::Float(of)) => {
            Statistics::float(of.min_opt().copied(), Some(f32::NAN), None, nulls, false)
        }
        (Footer::NanAsMax, Statistics::Double(of)) => {
            Statistics::double(of.min_opt().copied(), Some(f64::NAN), None, nulls, false)
        }
        (Footer::NanHides | Footer::NanHidesDeprecated, _) if is_float => {
            let of = |row: &Values| if name == "double" { row.double } else { row.single.map(f64::from) };
            let values = || rows.iter().filter_map(of);
            // std::min and std::max with the argument order in which a NaN wins, and then the one in
            // which it loses.
            let min = values().reduce(|min, value| if min < value { min } else { value });
            let max = values().reduce(|max, value| if max > value { max } else { value });
            match (min, max) {
                (Some(min), Some(max)) => nan(min, max),
                _ => written.clone(),
            }
        }
        (Footer::SwappedZeros, Statistics::Double(of)) => {
            let (min, max) = (of.min_opt().map(|min| min + 0.0), of.max_opt().map(|max| -(0.0 - max)));
            Statistics::double(min, max, None, nulls, false)
        }
        (Footer::WithoutNullCounts, _) => changed(written, None, false),
        (Footer::SwappedBounds, _) => changed(written, nulls, true),
        // Without bounds nothing shows that the count is wrong.
        (Footer::AllNulls, _) if written.min_bytes_opt().is_some() => {
            changed(written, Some(rows.len() as u64), false)
        }
        (Footer::Deprecated | Footer::Garbage | Footer::Undeclared, _) => signed(written, name, rows, footer),
        (Footer::UnsignedDecimals, Statistics::FixedLenByteArray(_)) => {
            let stored = |wide: Wide| wide.units().to_be_bytes()[3..].to_vec();
            let values = || rows.iter().filter_map(|row| row.wide).map(stored);
            let value = |bytes: Vec<u8>| FixedLenByteArray::from(ByteArray::from(bytes));
            let (min, max) = (values().min().map(value), values().max().map(value));
            Statistics::FixedLenByteArray(ValueStatistics::new(min, max, None, nulls, false))
        }
        _ => written.clone(),
    }
}

/// With another null count, and with swapped bounds if `is_swapped`.
fn changed(written: &Statistics, nulls: Option<u64>, is_swapped: bool) -> Statistics {
    macro_rules! changed {
        ($($of:ident)*) => {
            match written {
                $(Statistics::$of(of) => {
                    let (mut min, mut max) = (of.min_opt().cloned(), of.max_opt().cloned());
                    let (mut min_is_exact, mut max_is_exact) = (of.min_is_exact(), of.max_is_exact());
                    if is_swapped {
                        std::mem::swap(&mut min, &mut max);
                        std::mem::swap(&mut min_is_exact, &mut max_is_exact);
                    }
                    let changed = ValueStatistics::new(min, max, None, nulls, false);
                    Statistics::$of(changed.with_min_is_exact(min_is_exact).with_max_is_exact(max_is_exact))
                })*
            }
        };
    }
    changed!(Boolean Int32 Int64 Int96 Float Double ByteArray FixedLenByteArray)
}

/// Statistics in signed order, as if all numbers and bytes were signed.
fn signed(written: &Statistics, name: &str, rows: &[Values], footer: Footer) -> Statistics {
    let is_deprecated = footer != Footer::Undeclared;
    let nulls = written.null_count_opt();
    let texts = |row: &Values| match name {
        "text" => row.text.as_ref().map(|text| text.as_bytes().to_vec()),
        _ => row.bytes.as_ref().map(|bytes| bytes.to_vec()),
    };
    let as_signed = |bytes: &Vec<u8>| bytes.iter().map(|byte| *byte as i8).collect::<Vec<_>>();
    let values = || rows.iter().filter_map(texts);
    match written {
        Statistics::ByteArray(_) if footer == Footer::Garbage => {
            let last = values().last().map(ByteArray::from);
            Statistics::byte_array(last.clone(), last, None, nulls, is_deprecated)
        }
        Statistics::ByteArray(_) => {
            let (min, max) = (values().min_by_key(as_signed), values().max_by_key(as_signed));
            let (min, max) = (min.map(ByteArray::from), max.map(ByteArray::from));
            Statistics::byte_array(min, max, None, nulls, is_deprecated)
        }
        Statistics::Int64(of) => {
            let numbers = || rows.iter().filter_map(|row| row.unsigned).map(|number| number as i64);
            let (min, max) = match name {
                "unsigned" => (numbers().min(), numbers().max()),
                _ => (of.min_opt().copied(), of.max_opt().copied()),
            };
            Statistics::int64(min, max, None, nulls, is_deprecated)
        }
        Statistics::Int32(of) => {
            Statistics::int32(of.min_opt().copied(), of.max_opt().copied(), None, nulls, is_deprecated)
        }
        Statistics::Double(_) => {
            let values = || rows.iter().filter_map(|row| row.double);
            let min = values().reduce(|min, value| if value < min { value } else { min });
            let max = values().reduce(|max, value| if value > max { value } else { max });
            Statistics::double(min, max, None, nulls, is_deprecated)
        }
        other => other.clone(),
    }
}

/// The footer without its last field, the declared orders of its columns, each of which takes three
/// bytes.
fn without_orders(footer: Vec<u8>, columns: usize) -> Vec<u8> {
    let metadata = footer.len() - 8;
    let field = if columns < 15 { 2 } else { 3 } + 3 * columns;
    let start = metadata - 1 - field;
    assert_eq!(footer[start] & 15, 9, "the last field is a list");
    let mut without = footer[..start].to_vec();
    without.push(0);
    let length = without.len() as u32;
    without.extend(length.to_le_bytes());
    without.extend(b"PAR1");
    without
}
