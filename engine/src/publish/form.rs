//! Which form an output has: a folder of files, or a Delta table.
//!
//! An object store cannot rename, so that only a log shows every reader one whole version: there a new output of Parquet
//! gets one, unless the job asks for plain files. On disk a rename does that, and a new output is plain. An output that is
//! there keeps its form, whatever the mode: half of one and half of the other would be read as two different outputs.

use super::delta::Log;
use super::objects;
use super::{Mode, Request};
use crate::error::{Error, Result};
use crate::publish::mode::exists;
use crate::source::Location;

/// The form that a job asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// That of the output which is there; a new one is a table in an object store, and plain on disk.
    #[default]
    Usual,
    /// A folder of files.
    Plain,
    /// A Delta table.
    Table,
}

/// The form that an output gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Chosen {
    Plain,
    Table,
    /// None: the mode leaves alone what is there.
    Ignored,
}

/// The form of the output, by what is there and what the job asks for.
///
/// # Errors
/// Config when plain files are asked for and a table is there; else by the failing request.
pub fn choose(output: &Location, request: &Request) -> Result<Chosen> {
    if request.form == Form::Table {
        return Ok(Chosen::Table);
    }
    let has_log = Log::at(output).exists()?;
    match (request.form, request.mode) {
        (Form::Plain, Mode::Ignore) if has_log => Ok(Chosen::Ignored),
        (Form::Plain, Mode::Error) if has_log => Err(exists(&output.uri())),
        (Form::Plain, _) if has_log => Err(is_table()),
        (Form::Plain, _) => Ok(Chosen::Plain),
        _ if is_table_at(output, request.form, has_log)? => Ok(Chosen::Table),
        _ => Ok(Chosen::Plain),
    }
}

/// Whether an output is a table, or becomes one when this form is asked for. Then its log alone tells what is published:
/// files beside it may be those of attempts that came to nothing.
///
/// # Errors
/// By the failing request.
pub fn is_table_at(output: &Location, form: Form, has_log: bool) -> Result<bool> {
    Ok(match form {
        Form::Table => true,
        Form::Plain => has_log,
        Form::Usual => {
            has_log || !(output.store.is_local() || objects::is_plain(&output.store, &output.path)?)
        }
    })
}

/// The error about a column of a type that a table does not have, with the ways to publish it for who did not ask for a
/// table.
pub fn without_type(error: Error, form: Form) -> Error {
    match form {
        Form::Usual => error.help(
            "in an object store Parquet gets a Delta log: convert the column in `map` (a `NaiveDateTime` by `.and_utc()`), or \
             write plain files by `write().plain().parquet(uri)`",
        ),
        Form::Plain | Form::Table => error,
    }
}

/// The error of a publish of plain files where a table is, or begins.
pub fn is_table() -> Error {
    Error::config("the output is a Delta table, and these would be plain files")
        .reason("other_form")
        .help("write Parquet without `plain`, choose another place, or remove the table")
}

/// The error of a publish of a table where plain files are.
pub fn is_plain() -> Error {
    Error::config("the output is a folder of files without a Delta log")
        .reason("no_delta_table")
        .help("leave out `delta` to add to it as it is, choose another place, or remove the folder")
}
