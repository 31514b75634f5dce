//! The columns of rows as those of a Delta table, and back.
//!
//! An Arrow schema enters, `schemaString` leaves, as "Schema Serialization Format" of the protocol has it. Delta has no
//! unsigned integers: each is stored in the signed type that holds its values, `u64` in `long`, where a value beyond
//! `i64::MAX` is a data error when it is written. A timestamp with a zone is Delta's `timestamp`; one without needs a
//! table feature that many readers lack, and is refused. Every other type of a row has a type there.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::{Map, Value, json};

use super::actions::unsupported;
use crate::error::{Error, Result};
use crate::source::signed;

/// A value that does not fit is an error, never a null.
const STRICT: CastOptions<'_> =
    CastOptions { safe: false, format_options: arrow::util::display::FormatOptions::new() };
/// The largest precision of a decimal.
const MAX_PRECISION: u8 = 38;
/// How deep a schema nests at most: that of another writer comes from outside.
const MAX_DEPTH: usize = 64;

/// The columns of a table's files, for rows with the columns of `table`.
///
/// # Errors
/// Config for a type that Delta does not have.
pub fn file_schema(table: &Schema) -> Result<SchemaRef> {
    let fields = table.fields().iter().map(|field| {
        let data_type = file_type(field.data_type()).map_err(|e| e.at("column", field.name()))?;
        Ok(Field::new(field.name(), data_type, field.is_nullable()))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)))
}

fn file_type(data_type: &DataType) -> Result<DataType> {
    use DataType::*;
    let inner = |field: &Field| {
        let data_type = file_type(field.data_type())?;
        Ok::<_, Error>(Arc::new(Field::new(field.name(), data_type, field.is_nullable())))
    };
    Ok(match data_type {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Utf8 | Binary | Date32 => {
            data_type.clone()
        }
        UInt8 | UInt16 | UInt32 | UInt64 => signed(data_type),
        LargeUtf8 | Utf8View => Utf8,
        LargeBinary | BinaryView => Binary,
        Dictionary(_, values) => file_type(values)?,
        Timestamp(TimeUnit::Nanosecond, Some(_)) => {
            return Err(Error::config("Delta has no timestamps of nanoseconds"));
        }
        Timestamp(_, Some(_)) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Timestamp(_, None) => {
            let error = Error::config(
                "a timestamp without a zone needs a Delta table feature that many readers lack",
            );
            return Err(error.help("convert it in `map`: `time.and_utc()` gives a `DateTime<Utc>`"));
        }
        Decimal128(precision, scale) if is_decimal(*precision, *scale) => data_type.clone(),
        List(item) => List(inner(item)?),
        Map(entries, is_sorted) => Map(inner(entries)?, *is_sorted),
        Struct(fields) => Struct(fields.iter().map(|field| inner(field)).collect::<Result<Fields>>()?),
        other => {
            let error = Error::config(format!("Delta has no type for {other}"));
            return Err(error.help("convert the column in `map`"));
        }
    })
}

fn is_decimal(precision: u8, scale: i8) -> bool {
    precision <= MAX_PRECISION && u8::try_from(scale).is_ok_and(|scale| scale <= precision)
}

/// A batch with the types of a table's files.
///
/// # Errors
/// Data for a value that the type there cannot hold.
pub fn to_file(batch: &RecordBatch, file: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(file.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        cast_with_options(column, field.data_type(), &STRICT).map_err(|e| {
            let error =
                Error::data(format!("a value is no {} of a Delta table", delta_name(field.data_type())));
            error.because(e).at("column", field.name()).help(
                "Delta has no unsigned integers: a `u64` is stored as a `long`, up to 9223372036854775807; \
                 `write().plain()` stores it as it is",
            )
        })
    });
    Ok(RecordBatch::try_new(Arc::clone(file), columns.collect::<Result<Vec<_>>>()?)?)
}

fn delta_name(data_type: &DataType) -> String {
    match to_delta(data_type) {
        Value::String(name) => name,
        nested => nested["type"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The `schemaString` of a table whose files have the columns `file`.
pub fn to_string(file: &Schema) -> String {
    json!({ "type": "struct", "fields": fields_to_delta(file.fields()) }).to_string()
}

fn fields_to_delta(fields: &Fields) -> Vec<Value> {
    let field = |field: &Arc<Field>| {
        let (name, nullable) = (field.name(), field.is_nullable());
        json!({ "name": name, "type": to_delta(field.data_type()), "nullable": nullable, "metadata": {} })
    };
    fields.iter().map(field).collect()
}

fn to_delta(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int8 => "byte".into(),
        DataType::Int16 => "short".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "long".into(),
        DataType::Float32 => "float".into(),
        DataType::Float64 => "double".into(),
        DataType::Utf8 => "string".into(),
        DataType::Binary => "binary".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(..) => "timestamp".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})").into(),
        DataType::List(item) => json!({
            "type": "array", "elementType": to_delta(item.data_type()), "containsNull": item.is_nullable(),
        }),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => json!({
                "type": "map", "keyType": to_delta(entry[0].data_type()),
                "valueType": to_delta(entry[1].data_type()), "valueContainsNull": entry[1].is_nullable(),
            }),
            _ => Value::Null,
        },
        DataType::Struct(fields) => json!({ "type": "struct", "fields": fields_to_delta(fields) }),
        // `file_type` makes no others.
        _ => Value::Null,
    }
}

/// The columns that a `schemaString` names.
///
/// # Errors
/// Data when it cannot be read, config for a type that Kiln does not know.
pub fn parse(text: &str) -> Result<SchemaRef> {
    let broken = || Error::data("the schema of the Delta table cannot be read");
    let value: Value = serde_json::from_str(text).map_err(|e| broken().because(e))?;
    match from_delta(&value, 0)? {
        DataType::Struct(fields) => Ok(Arc::new(Schema::new(fields))),
        _ => Err(broken()),
    }
}

fn from_delta(value: &Value, depth: usize) -> Result<DataType> {
    let broken = || Error::data("a type in the schema of the Delta table cannot be read").at("type", value);
    if depth > MAX_DEPTH {
        return Err(unsupported("the columns of the Delta table nest too deep"));
    }
    if let Value::String(name) = value {
        return primitive(name);
    }
    let nested = |key: &str| from_delta(&value[key], depth + 1);
    let flag = |key: &str| value[key].as_bool().unwrap_or(true);
    match value["type"].as_str() {
        Some("array") => Ok(DataType::new_list(nested("elementType")?, flag("containsNull"))),
        Some("map") => {
            let key = Field::new("key", nested("keyType")?, false);
            let value = Field::new("value", nested("valueType")?, flag("valueContainsNull"));
            let entries = Field::new_struct("entries", vec![key, value], false);
            Ok(DataType::Map(Arc::new(entries), false))
        }
        Some("struct") => {
            let fields = value["fields"].as_array().ok_or_else(broken)?;
            let fields = fields.iter().map(|field| from_delta_field(field.as_object(), depth + 1));
            Ok(DataType::Struct(fields.collect::<Result<Fields>>()?))
        }
        _ => Err(broken()),
    }
}

fn from_delta_field(field: Option<&Map<String, Value>>, depth: usize) -> Result<Field> {
    let parts = field
        .and_then(|field| Some((field.get("name")?.as_str()?, field.get("type")?, field.get("nullable"))));
    let Some((name, data_type, nullable)) = parts else {
        return Err(Error::data("a column in the schema of the Delta table cannot be read"));
    };
    let nullable = nullable.and_then(Value::as_bool).unwrap_or(true);
    Ok(Field::new(name, from_delta(data_type, depth).map_err(|e| e.at("column", name))?, nullable))
}

fn primitive(name: &str) -> Result<DataType> {
    Ok(match name {
        "boolean" => DataType::Boolean,
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => {
            let decimal = name.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
            let parts = decimal.and_then(|parts| parts.split_once(','));
            let parts = parts.and_then(|(p, s)| Some((p.trim().parse().ok()?, s.trim().parse().ok()?)));
            match parts {
                Some((precision, scale)) if is_decimal(precision, scale) => {
                    DataType::Decimal128(precision, scale)
                }
                _ => return Err(unsupported(format!("the Delta table has a column of the type `{name}`"))),
            }
        }
    })
}

/// Checks that files with the columns `file` can join a table with the columns `table`: the same names and types, in
/// any order. A column that may be null there may be without nulls here.
///
/// # Errors
/// Config, `schema_mismatch`, which names the difference.
pub fn check_equal(table: &Schema, file: &Schema) -> Result<()> {
    let mut differences = Vec::new();
    for field in table.fields() {
        match file.field_with_name(field.name()) {
            Err(_) => differences.push(format!("`{}` is missing", field.name())),
            Ok(ours) if !joins(field, ours) => differences.push(format!(
                "`{}` is {} here and {} in the table",
                field.name(),
                described(ours),
                described(field)
            )),
            Ok(_) => {}
        }
    }
    let is_new = |field: &&Arc<Field>| table.field_with_name(field.name()).is_err();
    differences.extend(file.fields().iter().filter(is_new).map(|field| format!("`{}` is new", field.name())));
    if differences.is_empty() {
        return Ok(());
    }
    let error =
        Error::config(format!("the columns are not those of the Delta table: {}", differences.join(", ")));
    Err(error
        .reason("schema_mismatch")
        .help("convert the rows in `map`, or overwrite the whole table, which may change its columns"))
}

/// The schema of a table, whose `schemaString` is `text`, when files with the columns `file` have joined; nothing where it
/// stays as it is. Only a table that `evolves` gets columns: those that may be null. Of its own columns files may lack
/// such that may be null.
///
/// # Errors
/// As [`check_equal`]; data for a schema that cannot be read.
pub fn joined(text: &str, file: &Schema, evolves: bool) -> Result<Option<String>> {
    let table = parse(text)?;
    let equal = check_equal(&table, file);
    if equal.is_ok() || !evolves {
        return equal.map(|()| None);
    }
    let is_in_table = |field: &Field| table.field_with_name(field.name()).is_ok();
    let (known, new): (Vec<&Arc<Field>>, Vec<_>) = file.fields().iter().partition(|field| is_in_table(field));
    let is_needed = |field: &&Arc<Field>| !field.is_nullable() || file.field_with_name(field.name()).is_ok();
    let needed: Vec<Arc<Field>> = table.fields().iter().filter(is_needed).cloned().collect();
    check_equal(&Schema::new(needed), &Schema::new(known.into_iter().cloned().collect::<Vec<_>>()))?;
    if new.iter().any(|field| !field.is_nullable()) {
        return equal.map(|()| None);
    }
    let broken = || Error::data("the schema of the Delta table cannot be read");
    let mut value: Value = serde_json::from_str(text).map_err(|e| broken().because(e))?;
    // What other writers note about their columns stays.
    let fields = value["fields"].as_array_mut().ok_or_else(broken)?;
    fields.extend(fields_to_delta(&new.into_iter().cloned().collect()));
    Ok(Some(value.to_string()))
}

fn described(field: &Field) -> String {
    let null = if field.is_nullable() { "" } else { " without nulls" };
    format!("{}{null}", to_delta(field.data_type()).to_string().trim_matches('"'))
}

fn joins(table: &Field, ours: &Field) -> bool {
    let null_fits = table.is_nullable() || !ours.is_nullable();
    let all = |table: &Fields, ours: &Fields| {
        table.len() == ours.len()
            && table.iter().all(|field| {
                ours.iter()
                    .find(|other| other.name() == field.name())
                    .is_some_and(|other| joins(field, other))
            })
    };
    let type_fits = match (table.data_type(), ours.data_type()) {
        (DataType::List(a), DataType::List(b)) => joins(a, b),
        (DataType::Map(a, _), DataType::Map(b, _)) => match (a.data_type(), b.data_type()) {
            // By position: the names of keys and values are not part of the table's schema.
            (DataType::Struct(a), DataType::Struct(b)) => a.iter().zip(b).all(|(a, b)| joins(a, b)),
            _ => false,
        },
        (DataType::Struct(a), DataType::Struct(b)) => all(a, b),
        (a, b) => a == b,
    };
    null_fits && type_fits
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, UInt8Array, UInt64Array};
    use arrow::datatypes::{Int16Type, UInt64Type};

    use super::*;
    use crate::Class;

    fn schema(fields: &[(&str, DataType, bool)]) -> Schema {
        let fields = fields.iter().map(|(name, of, nullable)| Field::new(*name, of.clone(), *nullable));
        Schema::new(fields.collect::<Vec<_>>())
    }

    fn zoned() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    #[test]
    fn every_type_of_a_row_survives_the_schema_string() {
        let entries =
            vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::UInt8, true)];
        let map = DataType::Map(Arc::new(Field::new_struct("entries", entries, false)), false);
        let nested = vec![Field::new("x", DataType::UInt32, false), Field::new("y", map, true)];
        let rows = schema(&[
            ("a", DataType::Boolean, false),
            ("b", DataType::UInt64, true),
            ("c", DataType::new_list(DataType::Decimal128(38, 4), false), false),
            ("d", DataType::Struct(nested.into()), true),
            ("e", zoned(), false),
            ("f", DataType::Date32, true),
            ("g", DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), false),
            ("h", DataType::Binary, true),
            ("i", DataType::Float32, true),
        ]);
        let file = file_schema(&rows).unwrap();
        assert_eq!(*parse(&to_string(&file)).unwrap(), *file);
        let text = to_string(&file);
        for part in
            ["\"long\"", "\"decimal(38,4)\"", "\"timestamp\"", "\"valueType\":\"short\"", "\"string\""]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_timestamp_without_a_zone_names_the_way_out() {
        let rows = schema(&[(
            "t",
            DataType::new_list(DataType::Timestamp(TimeUnit::Microsecond, None), true),
            true,
        )]);
        let error = file_schema(&rows).unwrap_err();
        assert_eq!(error.class(), Class::Config);
        assert!(error.to_string().contains("and_utc") && error.to_string().contains("column t"), "{error}");
        assert!(file_schema(&schema(&[("t", DataType::Time64(TimeUnit::Microsecond), true)])).is_err());
    }

    #[test]
    fn unsigned_values_are_stored_as_signed_ones_and_checked() {
        let list = ListArray::from_iter_primitive::<UInt64Type, _, _>([Some(vec![Some(7), None])]);
        let columns: [(&str, ArrayRef); 2] =
            [("small", Arc::new(UInt8Array::from(vec![255]))), ("list", Arc::new(list))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = to_file(&batch, &file_schema(&batch.schema()).unwrap()).unwrap();
        assert_eq!(file.column(0).as_primitive::<Int16Type>().value(0), 255);
        assert_eq!(*file.column(1).as_list::<i32>().value(0), Int64Array::from(vec![Some(7), None]));
        let wide: ArrayRef = Arc::new(UInt64Array::from(vec![1, 1 << 63]));
        let batch = RecordBatch::try_from_iter([("n", wide)]).unwrap();
        let error = to_file(&batch, &file_schema(&batch.schema()).unwrap()).unwrap_err();
        assert_eq!(error.class(), Class::Data);
        assert!(error.to_string().contains("column n"), "{error}");
    }

    #[test]
    fn columns_that_differ_are_named() {
        let table = schema(&[
            ("a", DataType::Int64, true),
            ("b", DataType::Utf8, false),
            ("c", DataType::Date32, true),
        ]);
        let reordered = schema(&[
            ("c", DataType::Date32, true),
            ("a", DataType::Int64, false),
            ("b", DataType::Utf8, false),
        ]);
        assert!(check_equal(&table, &reordered).is_ok());
        let other = schema(&[
            ("a", DataType::Int32, true),
            ("b", DataType::Utf8, true),
            ("d", DataType::Date32, true),
        ]);
        let error = check_equal(&table, &other).unwrap_err();
        assert_eq!(error.reason_word(), "schema_mismatch");
        for part in [
            "`a` is integer here and long",
            "`b` is string here and string without nulls",
            "`c` is missing",
            "`d` is new",
        ] {
            assert!(error.to_string().contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn a_table_that_evolves_gets_columns_and_keeps_what_others_note_about_its_own() {
        let text = r#"{"type":"struct","fields":[
            {"name":"a","type":"long","nullable":true,"metadata":{"comment":"the id"}},
            {"name":"b","type":"string","nullable":true,"metadata":{}}]}"#;
        let file = schema(&[("a", DataType::Int64, true), ("c", DataType::Date32, true)]);
        assert!(joined(text, &file, false).is_err());
        let evolved = joined(text, &file, true).unwrap().unwrap();
        assert!(evolved.contains("the id"), "{evolved}");
        let names: Vec<String> = parse(&evolved).unwrap().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        for wrong in [
            schema(&[("a", DataType::Int32, true), ("b", DataType::Utf8, true)]),
            schema(&[("a", DataType::Int64, true), ("c", DataType::Date32, false)]),
        ] {
            assert_eq!(joined(text, &wrong, true).unwrap_err().reason_word(), "schema_mismatch");
        }
    }

    #[test]
    fn a_schema_from_outside_that_is_odd_is_refused() {
        assert_eq!(parse("{").unwrap_err().class(), Class::Data);
        assert_eq!(parse("\"long\"").unwrap_err().class(), Class::Data);
        let of =
            |kind: &str| parse(&format!(r#"{{"type":"struct","fields":[{{"name":"v","type":{kind}}}]}}"#));
        assert_eq!(of("\"variant\"").unwrap_err().reason_word(), "unsupported_table");
        assert_eq!(of("\"decimal(39,2)\"").unwrap_err().reason_word(), "unsupported_table");
        let deep = "{\"type\":\"array\",\"elementType\":".repeat(100) + "\"long\"" + &"}".repeat(100);
        assert!(of(&deep).is_err());
    }
}
