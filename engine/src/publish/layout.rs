//! How the files of an output look: what the writer's options have said, sent to every task.
//!
//! Columns enter, a checked [`Layout`] leaves. It is checked in the driver, before anything runs, as
//! an option that cannot be met is the fault of the job and not of its data. Where the files lie is
//! not known here.

use arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Bytes of a file after which the next one is begun, unless the job says how many.
const DEFAULT_FILE_BYTES: u64 = 1 << 30;
/// Bytes of a file at most: object stores copy up to 5 GiB in one request, and a commit copies.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// Rows of a row group at most, unless the job says how many.
const DEFAULT_GROUP_ROWS: usize = 1 << 20;

/// How files are compressed; see [`Write::compression`](crate::Write::compression).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all: what CSV, JSON lines and text are unless the job says otherwise.
    None,
    /// Zstandard: what Parquet is unless the job says otherwise. Text files end in `.zst`.
    Zstd,
    /// Gzip. Text files end in `.gz`.
    Gzip,
    /// Snappy; Parquet only.
    Snappy,
    /// LZ4; Parquet only.
    Lz4,
    /// Brotli; Parquet only.
    Brotli,
}

/// The kind of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    Parquet,
    Csv {
        header: bool,
        delimiter: u8,
        quote: u8,
    },
    /// One JSON object a line.
    Json,
    /// One string a line.
    Text,
}

impl Format {
    /// Its word in methods and plans.
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv { .. } => "csv",
            Format::Json => "json",
            Format::Text => "text",
        }
    }
}

/// What a task must know of the files that it writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layout {
    pub format: Format,
    /// `None` is the format's own choice.
    pub compression: Option<Compression>,
    pub file_bytes: u64,
    pub group_rows: usize,
    /// The text of a null in CSV; an empty field unless it is given.
    pub null_value: Option<String>,
    /// Columns whose values become folders.
    pub partition_by: Vec<String>,
    /// Columns by which the rows of every file are said to be sorted.
    pub sorted_by: Vec<String>,
    /// Whether the files are those of a Delta table, whose types are fewer.
    pub is_table: bool,
}

impl Layout {
    /// Files of `format` without any options.
    pub fn new(format: Format) -> Layout {
        Layout {
            format,
            compression: None,
            file_bytes: DEFAULT_FILE_BYTES,
            group_rows: DEFAULT_GROUP_ROWS,
            null_value: None,
            partition_by: Vec::new(),
            sorted_by: Vec::new(),
            is_table: false,
        }
    }

    /// The compression, chosen or usual.
    pub fn compression(&self) -> Compression {
        let usual = if self.format == Format::Parquet { Compression::Zstd } else { Compression::None };
        self.compression.unwrap_or(usual)
    }

    /// What the files' names end in, with the dot.
    pub fn extension(&self) -> &'static str {
        let zipped = |plain, gz, zst| match self.compression() {
            Compression::Gzip => gz,
            Compression::Zstd => zst,
            _ => plain,
        };
        match self.format {
            Format::Parquet => ".parquet",
            Format::Csv { .. } => zipped(".csv", ".csv.gz", ".csv.zst"),
            Format::Json => zipped(".json", ".json.gz", ".json.zst"),
            Format::Text => zipped(".txt", ".txt.gz", ".txt.zst"),
        }
    }

    /// The columns that stand in the files: those of `table` that do not become folders.
    pub fn file_columns(&self, table: &Schema) -> Vec<usize> {
        let is_folder = |field: &Field| self.partition_by.contains(field.name());
        (0..table.fields().len()).filter(|at| !is_folder(table.field(*at))).collect()
    }

    /// Checks the options against the columns of the rows.
    ///
    /// # Errors
    /// Config when a column is not there, is named twice or cannot be written in this format, or when
    /// a number makes no sense.
    pub fn check(&self, table: &Schema) -> Result<()> {
        let names: Vec<&str> = table.fields().iter().map(|field| field.name().as_str()).collect();
        if let Some(twice) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            return Err(Error::config("two columns have one name").at("column", names[twice]));
        }
        self.partition_by.iter().try_for_each(|name| check_folder(table, name))?;
        if !self.partition_by.is_empty() && self.file_columns(table).is_empty() {
            let error = Error::config("every column becomes a folder, so that none is left for the files");
            return Err(error.help("leave one out of `partition_by`"));
        }
        self.sorted_by.iter().try_for_each(|name| self.check_sorted(table, name))?;
        if self.file_bytes == 0 || self.file_bytes > MAX_FILE_BYTES || self.group_rows == 0 {
            let text = format!("a file has 1 to {MAX_FILE_BYTES} bytes, a row group one row at least");
            return Err(Error::config(text));
        }
        self.check_format(table)
    }

    fn check_sorted(&self, table: &Schema, name: &str) -> Result<()> {
        let field = column(table, name)?;
        if self.format != Format::Parquet {
            return Err(Error::config("only Parquet files say by what they are sorted").at("column", name));
        }
        if field.data_type().is_nested() || self.partition_by.iter().any(|folder| folder == name) {
            let error = Error::config("files cannot be sorted by this column").at("column", name);
            return Err(error.help("name a plain column that does not become a folder"));
        }
        Ok(())
    }

    fn check_format(&self, table: &Schema) -> Result<()> {
        let is_parquet = self.format == Format::Parquet;
        if !is_parquet
            && !matches!(self.compression(), Compression::None | Compression::Gzip | Compression::Zstd)
        {
            let text = format!("{:?} is for Parquet only", self.compression());
            return Err(Error::config(text).help("text files are compressed by Gzip or Zstd"));
        }
        table.fields().iter().try_for_each(|field| {
            let (why, help) = match (self.format, field.data_type()) {
                (Format::Csv { .. }, kind) if kind.is_nested() => (
                    "CSV has no columns of columns",
                    "write Parquet or JSON lines, or map the rows to plain columns first",
                ),
                (Format::Csv { .. }, kind) if is_bytes(kind) => {
                    ("CSV has no bytes", "write Parquet or JSON lines, or map the bytes to a text first")
                }
                (Format::Json, kind) if !has_text_keys(kind) => {
                    ("the keys of a JSON object are texts", "write Parquet, or map the keys to texts first")
                }
                _ => return Ok(()),
            };
            Err(Error::config(why).at("column", field.name()).help(help))
        })
    }
}

fn is_bytes(kind: &DataType) -> bool {
    matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_))
}

/// Whether all maps in a column of this type have texts as keys.
fn has_text_keys(kind: &DataType) -> bool {
    match kind {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) => {
                *pair[0].data_type() == DataType::Utf8
                    && pair.iter().all(|field| has_text_keys(field.data_type()))
            }
            _ => false,
        },
        DataType::Struct(fields) => fields.iter().all(|field| has_text_keys(field.data_type())),
        DataType::List(item) => has_text_keys(item.data_type()),
        _ => true,
    }
}

fn column<'a>(table: &'a Schema, name: &str) -> Result<&'a Field> {
    table.field_with_name(name).map_err(|_| {
        let names: Vec<&str> = table.fields().iter().map(|field| field.name().as_str()).collect();
        let error = Error::config("no such column").at("column", name);
        error.help(format!("the columns are {}", names.join(", ")))
    })
}

fn check_folder(table: &Schema, name: &str) -> Result<()> {
    let field = column(table, name)?;
    if !field.data_type().is_nested() && !is_bytes(field.data_type()) {
        return Ok(());
    }
    let text = format!("a value of type {} cannot name a folder", field.data_type());
    Err(Error::config(text).at("column", name))
}
