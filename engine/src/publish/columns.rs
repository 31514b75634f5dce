//! The columns of what is published at an output: by the log of a table, or by the footers of Parquet files.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::delta::{AsOf, Log};
use super::form::{Form, is_table_at};
use crate::error::{Class, Error, Result};
use crate::source::{
    InputFile, ListOptions, Location, Manifest, ManifestFile, TAG_CHARS, Version, folder_names, is_tagged,
    list_with, may_be_tagged, parquet_footer,
};

/// Footers that are read where nobody knows which file is the newest.
const MAX_FOOTERS: usize = 100;

/// The columns of an output.
#[derive(Clone, Debug)]
pub struct PublishedColumns {
    /// Those of its files; of a table those of partitions, too.
    pub schema: SchemaRef,
    /// The columns whose values are in the names of folders.
    pub partition_by: Vec<String>,
    /// Whether it is a Delta table.
    pub is_table: bool,
}

impl PublishedColumns {
    /// All columns as a source may be asked for them; those of folders have no type of their own.
    pub fn wanted(&self) -> SchemaRef {
        let of_folders = self.partition_by.iter().filter(|name| self.schema.field_with_name(name).is_err());
        let of_folders =
            of_folders.map(|name| Arc::new(Field::new(name, arrow::datatypes::DataType::Null, true)));
        Arc::new(Schema::new(self.schema.fields().iter().cloned().chain(of_folders).collect::<Vec<_>>()))
    }
}

/// The columns of what is published at `uri`, to which a job writes in `form`; nothing where there are no rows whose
/// columns are known, or a table and nobody asks about `tables`.
///
/// # Errors
/// Data for a log, a manifest or a file that is damaged; else by the failing operation.
pub fn published_columns(uri: &str, form: Form, tables: bool) -> Result<Option<PublishedColumns>> {
    let output = Location::output(uri)?;
    let has_log = Log::at(&output).exists()?;
    let columns = match is_table_at(&output, form, has_log)? {
        true if tables && has_log => of_table(&output),
        true => Ok(None),
        false => of_files(&output, uri),
    };
    columns.map_err(|e| e.at("output", uri))
}

fn of_table(output: &Location) -> Result<Option<PublishedColumns>> {
    let Some(snapshot) = Log::at(output).load(AsOf::Latest)? else { return Ok(None) };
    let (schema, partition_by) = (snapshot.schema()?, snapshot.metadata.partition_columns.clone());
    Ok(Some(PublishedColumns { schema, partition_by, is_table: true }))
}

/// Whoever publishes beside other files writes all columns that are there, so that one file of the newest publish has
/// them. Its tag is in the names of its files.
fn of_files(output: &Location, uri: &str) -> Result<Option<PublishedColumns>> {
    if output.local_path().is_some_and(|path| !path.is_dir()) {
        return Ok(None);
    }
    let folder = output.address();
    let manifest = Manifest::read(&output.store, &output.path)?;
    let newest = |manifest: &Manifest| {
        let tag = manifest.publish.get(..TAG_CHARS)?.to_owned();
        manifest.files.iter().find(|file| is_tagged(&file.name, &tag)).cloned()
    };
    let files: Vec<InputFile> = match manifest {
        Some(manifest) => {
            let files = newest(&manifest).map_or(manifest.files, |file| vec![file]);
            files.into_iter().map(|file| input_file(&folder, file)).collect()
        }
        None => match list_with(uri, &ListOptions { recurse: true, ..ListOptions::default() }) {
            // Without a manifest, files that Kiln has named are those of attempts that published nothing.
            Ok(listed) => listed.files.into_iter().filter(|file| !is_named_by_kiln(file)).collect(),
            // Nothing is there, or nothing that has rows.
            Err(error) if error.class() == Class::Config => Vec::new(),
            Err(error) => return Err(error),
        },
    };
    let files: Vec<InputFile> = files.into_iter().filter(|file| file.address.ends_with(".parquet")).collect();
    if files.len() > MAX_FOOTERS {
        let error = Error::config(format!(
            "which of {} files has all columns of the output is not known",
            files.len()
        ));
        return Err(
            error.help("another program has written them: overwrite the output, or write to another place")
        );
    }
    let (mut fields, mut partition_by) = (Vec::<Arc<Field>>::new(), None);
    for file in &files {
        let (_, schema) = match parquet_footer(file) {
            // A commit that was killed has not put it there yet, and is carried out before this publish.
            Err(_) if is_missing(file)? => continue,
            footer => footer?,
        };
        let is_new = |field: &&Arc<Field>| !fields.iter().any(|known| known.name() == field.name());
        let new: Vec<Arc<Field>> = schema.fields().iter().filter(is_new).cloned().collect();
        fields.extend(new);
        partition_by
            .get_or_insert_with(|| folder_names(file.address.strip_prefix(&folder).unwrap_or_default()));
    }
    Ok(partition_by.map(|partition_by| PublishedColumns {
        schema: Arc::new(Schema::new(fields)),
        partition_by,
        is_table: false,
    }))
}

fn is_named_by_kiln(file: &InputFile) -> bool {
    Location::exact(&file.address).is_ok_and(|location| may_be_tagged(&location.path))
}

fn is_missing(file: &InputFile) -> Result<bool> {
    let location = Location::exact(&file.address)?;
    Ok(location.local_path().is_some_and(|path| !path.exists()))
}

fn input_file(folder: &str, ManifestFile { name, bytes, .. }: ManifestFile) -> InputFile {
    InputFile { address: format!("{folder}/{name}"), size: bytes, version: Version::Unknown }
}
