//! The columns of what is published at an output: by the log of a table, or by the footers of Parquet files.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::delta::{AsOf, Log};
use super::form::{Form, is_table_at};
use super::{local, objects};
use crate::error::{Error, Result};
use crate::job::Run;
use crate::source::{
    InputFile, Location, Manifest, ManifestFile, TAG_CHARS, Version, folder_names, is_tagged, parquet_footer,
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
pub fn published_columns(uri: &str, form: Form, tables: bool, run: &Run) -> Result<Option<PublishedColumns>> {
    let output = Location::output(uri)?;
    let has_log = Log::at(&output).exists()?;
    let columns = match is_table_at(&output, form, has_log)? {
        true if tables && has_log => of_table(&output),
        true => Ok(None),
        false => of_files(&output, run),
    };
    columns.map_err(|e| e.at("output", uri))
}

fn of_table(output: &Location) -> Result<Option<PublishedColumns>> {
    let Some(snapshot) = Log::at(output).load(AsOf::Latest)? else { return Ok(None) };
    let (schema, partition_by) = (snapshot.schema()?, snapshot.metadata.partition_columns.clone());
    Ok(Some(PublishedColumns { schema, partition_by, is_table: true }))
}

/// The columns of plain files. Whoever publishes beside other files writes all of their columns, so one file of the newest
/// publish has them all; where nobody knows which those are, all files are read.
fn of_files(output: &Location, run: &Run) -> Result<Option<PublishedColumns>> {
    let Some(Recorded { files, newest }) = recorded(output, run)? else { return Ok(None) };
    let tag = newest.and_then(|publish| publish.get(..TAG_CHARS).map(str::to_owned));
    let newest = files.iter().find(|file| tag.as_ref().is_some_and(|tag| is_tagged(&file.name, tag)));
    let files = newest.map_or(&files[..], std::slice::from_ref);
    let folder = output.address();
    let files = files.iter().filter(|file| file.name.ends_with(".parquet"));
    of_footers(&folder, &files.map(|file| input_file(&folder, file)).collect::<Vec<_>>())
}

/// The files of an output, and the publish that came last, if that is known.
struct Recorded {
    files: Vec<ManifestFile>,
    newest: Option<String>,
}

/// The files of an output, after a commit that was killed was finished; nothing where no output is, or a table that is
/// decided and not yet there.
fn recorded(output: &Location, run: &Run) -> Result<Option<Recorded>> {
    let of_manifest = |others: &dyn Fn() -> Result<Vec<ManifestFile>>| {
        Ok(match Manifest::read(&output.store, &output.path)? {
            Some(Manifest { publish, files, .. }) => Recorded { files, newest: Some(publish) },
            None => Recorded { files: others()?, newest: None },
        })
    };
    if let Some(path) = output.local_path() {
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        if !path.is_dir() || local::settled(&path, run)?.first_version().is_some() {
            return Ok(None);
        }
        return of_manifest(&|| local::present_files(&path)).map(Some);
    }
    let head = objects::peek(&output.store, &output.path)?;
    match (head.first_version(), head.state.files()) {
        (Some(_), _) => Ok(None),
        (None, Some(files)) => {
            let newest = head.publishes().last().map(|done| done.claim.publish.clone());
            Ok(Some(Recorded { files: files.to_vec(), newest }))
        }
        (None, None) => of_manifest(&|| objects::old_files(&head, &output.store, &output.path)).map(Some),
    }
}

/// The columns of Parquet files in `folder`, by their footers.
fn of_footers(folder: &str, files: &[InputFile]) -> Result<Option<PublishedColumns>> {
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
    for file in files {
        let (_, schema) = parquet_footer(file)?;
        let is_new = |field: &&Arc<Field>| !fields.iter().any(|known| known.name() == field.name());
        let new: Vec<Arc<Field>> = schema.fields().iter().filter(is_new).cloned().collect();
        fields.extend(new);
        partition_by
            .get_or_insert_with(|| folder_names(file.address.strip_prefix(folder).unwrap_or_default()));
    }
    Ok(partition_by.map(|partition_by| PublishedColumns {
        schema: Arc::new(Schema::new(fields)),
        partition_by,
        is_table: false,
    }))
}

fn input_file(folder: &str, ManifestFile { name, bytes, .. }: &ManifestFile) -> InputFile {
    InputFile { address: format!("{folder}/{name}"), size: *bytes, version: Version::Unknown }
}
