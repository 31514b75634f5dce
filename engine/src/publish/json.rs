//! JSON lines as an output writes them: one object a row, without the fields that are null.
//!
//! JSON has no numbers for NaN and the infinities, and a null in their place would be another value.
//! They are texts, as Spark writes them; `read_json` takes them for floats again. The null of a key in a
//! map is written: without it the key would be gone.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, NullableEncoder, WriterBuilder, make_encoder};
use arrow::json::{Encoder, EncoderFactory, EncoderOptions};

use crate::error::{Error, Result};

/// Appends the rows to `lines`.
pub fn encode(batch: &RecordBatch, lines: &mut Vec<u8>) -> Result<()> {
    let mut writer =
        WriterBuilder::new().with_encoder_factory(Arc::new(Lossless)).build::<_, LineDelimited>(lines);
    let written = writer.write(batch).and_then(|()| writer.finish());
    written.map_err(|e| Error::data("rows cannot be written as JSON").because(e))
}

/// Encodes maps, and floats which are no numbers; all other columns are left to Arrow.
#[derive(Debug)]
struct Lossless;

impl EncoderFactory for Lossless {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        static WITH_NULLS: LazyLock<EncoderOptions> = LazyLock::new(|| {
            EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(Lossless))
        });
        match array.data_type() {
            DataType::Float64 => Words::<Float64Type>::encoder(field, array),
            DataType::Float32 => Words::<Float32Type>::encoder(field, array),
            // With these options it is asked once more, and leaves the map to Arrow.
            DataType::Map(..) if !options.explicit_nulls() => {
                make_encoder(field, array, &WITH_NULLS).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Words for what is no number, numbers by `numbers`.
struct Words<'a, P: ArrowPrimitiveType> {
    values: &'a PrimitiveArray<P>,
    numbers: NullableEncoder<'a>,
}

impl<'a, P: ArrowPrimitiveType<Native: Into<f64>>> Words<'a, P> {
    fn encoder(field: &'a FieldRef, array: &'a dyn Array) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        /// Without the factory, which would be asked for ever.
        static PLAIN: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);
        let values = array.as_primitive::<P>();
        if values.values().iter().all(|value| word((*value).into()).is_none()) {
            return Ok(None);
        }
        let numbers = make_encoder(field, array, &PLAIN)?;
        Ok(Some(NullableEncoder::new(Box::new(Words { values, numbers }), array.nulls().cloned())))
    }
}

impl<P: ArrowPrimitiveType<Native: Into<f64>>> Encoder for Words<'_, P> {
    fn encode(&mut self, at: usize, out: &mut Vec<u8>) {
        match word(self.values.value(at).into()) {
            Some(word) => out.extend_from_slice(word.as_bytes()),
            None => self.numbers.encode(at, out),
        }
    }
}

fn word(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_finite() => None,
        _ if value.is_nan() => Some("\"NaN\""),
        _ if value > 0.0 => Some("\"Infinity\""),
        _ => Some("\"-Infinity\""),
    }
}
