//! The columns of a Parquet file, for whoever reads it without a row type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::footer;
use crate::error::Result;
use crate::source::listing::InputFile;
use crate::source::ranges::RangedFile;
use crate::source::split::Piece;

/// The columns of a file. Each may hold nulls, as those of other files of the same source may. How a writer has laid out
/// texts and bytes is not kept: dictionaries, long offsets and views are plain columns.
///
/// # Errors
/// Of class data for a damaged footer; else by the failing operation.
pub fn parquet_columns(file: &InputFile) -> Result<SchemaRef> {
    let piece = Piece::of(file, 0, file.size);
    let footer = footer::read(&RangedFile::open(&piece)?, &piece.address)?;
    let fields = footer.schema().fields().iter();
    let fields = fields.map(|field| Field::new(field.name(), plain(field.data_type()), true));
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}
