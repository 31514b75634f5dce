//! `kind = "redshift"`, `"snowflake"` and `"bigquery"`: files in a store, and the statements by which a warehouse loads them.

use std::fs;
use std::path::PathBuf;

use kiln::admin;
use kiln::arrow::datatypes::SchemaRef;
use kiln::connect::Scan;
use kiln::{Compression, Copied, Error, Result};
use kiln_connectors::warehouse::{BigQuery, Files, Format, Redshift, Script, Snowflake};
use serde::Deserialize;

use super::ExportTarget;
use crate::load::file;
use crate::load::params::Params;
use crate::print;

/// Where the files go, and what becomes of the rows of the table. Every run has a folder of its own, so that its files are
/// never those of another one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    /// The folder of the files.
    uri: String,
    table: String,
    #[serde(default)]
    format: file::Format,
    compression: Option<Compression>,
    /// What happens to files that are there; without it, as the caller says.
    mode: Option<String>,
    /// `append` or `overwrite`.
    rows: Option<Rows>,
    replace_where: Option<String>,
    /// Where the statements go; without it, they are printed.
    sql: Option<PathBuf>,
    /// Of Redshift.
    iam_role: Option<String>,
    region: Option<String>,
    /// Of Snowflake.
    stage: Option<String>,
    storage_integration: Option<String>,
}

/// What becomes of the rows of the table.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rows {
    Append,
    Overwrite,
}

/// A table of Redshift.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct RedshiftTarget(Published);

/// A table of Snowflake.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct SnowflakeTarget(Published);

/// A table of BigQuery.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct BigQueryTarget(Published);

impl Published {
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.uri = params.fill(&self.uri)?;
        self.table = params.fill_sql(&self.table)?;
        for text in self.replace_where.iter_mut() {
            *text = params.fill_sql(text)?;
        }
        if let Some(path) = &mut self.sql {
            let text = path.to_str().ok_or_else(|| Error::config("the path of `sql` is no UTF-8"))?;
            *path = params.fill(text)?.into();
        }
        Ok(())
    }

    fn format(&self) -> Result<Format> {
        match (self.format, self.compression) {
            (file::Format::Parquet, _) => Ok(Format::Parquet),
            (file::Format::Csv, None | Some(Compression::None)) => Ok(Format::Csv { gzip: false }),
            (file::Format::Csv, Some(Compression::Gzip)) => Ok(Format::Csv { gzip: true }),
            _ => {
                let error = Error::config("a warehouse loads Parquet, or CSV without compression or by gzip");
                Err(error.at("section", "target"))
            }
        }
    }

    /// Refuses a setting of another system.
    fn without(&self, system: &str, settings: &[(&str, &Option<String>)]) -> Result<()> {
        match settings.iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((name, _)) => {
                Err(Error::config(format!("`{name}` is no setting of {system}")).at("section", "target"))
            }
        }
    }

    /// The choice of rows: a condition, or all of them.
    fn change<W>(&self, warehouse: W, overwrite: fn(W) -> W, replace: fn(W, &str) -> W) -> Result<W> {
        match (self.rows, &self.replace_where) {
            (None, Some(condition)) => Ok(replace(warehouse, condition)),
            (Some(Rows::Overwrite), None) => Ok(overwrite(warehouse)),
            (Some(Rows::Append), None) => Ok(warehouse),
            _ => {
                let error =
                    Error::config("a target has either `rows` or `replace_where`").at("section", "target");
                Err(error
                    .help("`rows = \"append\"` adds rows to the table, `\"overwrite\"` replaces all of them"))
            }
        }
    }

    /// Publishes the files, and gives the statements for them.
    fn write<S: Scan>(&self, rows: &Copied<S>, script: impl Fn(&Files) -> Result<Script>) -> Result<()> {
        let format = self.format()?;
        // Whatever can be wrong with the statements is wrong before anything is written.
        script(&self.no_files()?)?;
        let mut write = rows.write().plain();
        if let Some(mode) = &self.mode {
            write = write.mode(file::mode(mode)?);
        }
        if let Some(compression) = self.compression {
            write = write.compression(compression);
        }
        match format {
            Format::Parquet => write.parquet(&self.uri)?,
            Format::Csv { .. } => write.csv(&self.uri)?,
        }
        let files = admin::files(&self.uri)?;
        let files = files.iter().map(|file| (file.address.as_str(), file.bytes));
        let Script { sql, manifest } = script(&Files::new(&self.uri, format, files))?;
        if let Some((address, text)) = manifest {
            admin::put_file(&address, text.as_bytes())?;
        }
        match &self.sql {
            None => print(&sql),
            Some(path) => fs::write(path, sql)
                .map_err(|e| Error::io("the statements cannot be written", e).at("file", path.display()))?,
        }
        Ok(())
    }

    /// None, for a look at the statements.
    fn no_files(&self) -> Result<Files> {
        Ok(Files::new(&self.uri, self.format()?, []))
    }

    fn check(&self, system: &str) -> Result<String> {
        self.format()?;
        self.mode.as_deref().map(file::mode).transpose()?;
        Ok(format!("to files at {}, to be loaded into the table {} of {system}", self.uri, self.table))
    }
}

impl RedshiftTarget {
    fn script(&self, files: &Files, columns: &SchemaRef) -> Result<Script> {
        let Published { stage, storage_integration, .. } = &self.0;
        self.0.without("Redshift", &[("stage", stage), ("storage_integration", storage_integration)])?;
        let names = columns.fields().iter().map(|field| field.name().as_str());
        let mut redshift = Redshift::new(&self.0.table).columns(names);
        if let Some(role) = &self.0.iam_role {
            redshift = redshift.iam_role(role);
        }
        if let Some(region) = &self.0.region {
            redshift = redshift.region(region);
        }
        self.0.change(redshift, Redshift::overwrite, Redshift::replace_where)?.script(files)
    }
}

impl SnowflakeTarget {
    fn script(&self, files: &Files) -> Result<Script> {
        let Published { iam_role, region, .. } = &self.0;
        self.0.without("Snowflake", &[("iam_role", iam_role), ("region", region)])?;
        let mut snowflake = Snowflake::new(&self.0.table);
        if let Some(stage) = &self.0.stage {
            snowflake = snowflake.stage(stage);
        }
        if let Some(integration) = &self.0.storage_integration {
            snowflake = snowflake.storage_integration(integration);
        }
        self.0.change(snowflake, Snowflake::overwrite, Snowflake::replace_where)?.script(files)
    }
}

impl BigQueryTarget {
    fn script(&self, files: &Files) -> Result<Script> {
        let Published { iam_role, region, stage, storage_integration, .. } = &self.0;
        let others = [
            ("iam_role", iam_role),
            ("region", region),
            ("stage", stage),
            ("storage_integration", storage_integration),
        ];
        self.0.without("BigQuery", &others)?;
        let bigquery = BigQuery::new(&self.0.table);
        self.0.change(bigquery, BigQuery::overwrite, BigQuery::replace_where)?.script(files)
    }
}

impl ExportTarget for RedshiftTarget {
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.0.fill(params)
    }

    fn check(&self, columns: &SchemaRef) -> Result<String> {
        self.script(&self.0.no_files()?, columns)?;
        self.0.check("Redshift")
    }

    fn write<S: Scan>(&self, rows: &Copied<S>) -> Result<()> {
        let columns = rows.schema()?;
        self.0.write(rows, |files| self.script(files, &columns))
    }
}

impl ExportTarget for SnowflakeTarget {
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.0.fill(params)
    }

    fn check(&self, _: &SchemaRef) -> Result<String> {
        self.script(&self.0.no_files()?)?;
        self.0.check("Snowflake")
    }

    fn write<S: Scan>(&self, rows: &Copied<S>) -> Result<()> {
        self.0.write(rows, |files| self.script(files))
    }
}

impl ExportTarget for BigQueryTarget {
    fn fill(&mut self, params: &mut Params<'_>) -> Result<()> {
        self.0.fill(params)
    }

    fn check(&self, _: &SchemaRef) -> Result<String> {
        self.script(&self.0.no_files()?)?;
        self.0.check("BigQuery")
    }

    fn write<S: Scan>(&self, rows: &Copied<S>) -> Result<()> {
        self.0.write(rows, |files| self.script(files))
    }
}
