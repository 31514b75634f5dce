//! Snowflake: `COPY INTO` with a list of files.

use kiln::{Error, Result};

use super::{Change, Files, Format, Script, check_table, literal};

/// How many files one statement may name.
const MAX_FILES: usize = 1000;

/// A table of Snowflake, and how it reads the files: by a stage, or by the address and a storage integration.
///
/// Columns of Parquet files are matched by their names, whatever their case; those of CSV by their position.
#[derive(Clone, Debug)]
#[must_use = "a statement is made by `script`"]
pub struct Snowflake {
    table: String,
    stage: Option<String>,
    integration: Option<String>,
    change: Change,
}

impl Snowflake {
    /// The table that SQL calls `table`; rows are added to it unless something else is said.
    pub fn new(table: &str) -> Snowflake {
        Snowflake { table: table.to_owned(), stage: None, integration: None, change: Change::Append }
    }

    /// The external stage whose address is that of the output: `"shop.lake_daily"`.
    pub fn stage(mut self, stage: &str) -> Snowflake {
        self.stage = Some(stage.trim_start_matches('@').to_owned());
        self
    }

    /// The storage integration that may read the address of the output; needed without a stage.
    pub fn storage_integration(mut self, integration: &str) -> Snowflake {
        self.integration = Some(integration.to_owned());
        self
    }

    /// Replaces all rows.
    pub fn overwrite(mut self) -> Snowflake {
        self.change = Change::Overwrite;
        self
    }

    /// Replaces the rows for which a condition holds.
    pub fn replace_where(mut self, condition: &str) -> Snowflake {
        self.change = Change::ReplaceWhere(condition.to_owned());
        self
    }

    /// The statements, in one transaction.
    ///
    /// Rows that are added are added once: Snowflake does not load a file again that it has loaded into the table within 64
    /// days. Where rows are replaced it must, as the rows of the first time are removed.
    ///
    /// # Errors
    /// Config for names that are none, without a stage and an integration, and for files outside of the output.
    pub fn script(&self, files: &Files) -> Result<Script> {
        check_table(&self.table, '"')?;
        files.addresses("Snowflake", &["s3://", "gs://", "az://"])?;
        let from = self.from(files)?;
        let format = match files.format {
            Format::Parquet => "FILE_FORMAT = (TYPE = PARQUET)\nMATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
            Format::Csv { .. } => {
                "FILE_FORMAT = (TYPE = CSV SKIP_HEADER = 1 FIELD_OPTIONALLY_ENCLOSED_BY = '\"' \
                 EMPTY_FIELD_AS_NULL = TRUE NULL_IF = ())"
            }
        };
        let force = if self.change == Change::Append { "" } else { "\nFORCE = TRUE" };
        let names = self.names(files)?;
        let copies = names.chunks(MAX_FILES).map(|names| {
            let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
            let (table, names) = (&self.table, names.join(", "));
            format!("COPY INTO {table} FROM {from}\nFILES = ({names})\n{format}\nON_ERROR = ABORT_STATEMENT{force};\n")
        });
        let (delete, copies) =
            (self.change.delete(&self.table).unwrap_or_default(), copies.collect::<String>());
        Ok(Script { sql: format!("BEGIN;\n{delete}{copies}COMMIT;\n"), manifest: None })
    }

    fn from(&self, files: &Files) -> Result<String> {
        match (&self.stage, &self.integration) {
            (Some(stage), None) => {
                check_table(stage, '"')?;
                Ok(format!("@{stage}"))
            }
            (None, Some(integration)) => {
                check_table(integration, '"')?;
                if files.uri.starts_with("az://") {
                    return Err(Error::config("an address of Azure needs a stage"));
                }
                // Snowflake calls Google's store by another scheme.
                let uri = files.uri.replacen("gs://", "gcs://", 1);
                Ok(format!("{}\nSTORAGE_INTEGRATION = {integration}", literal(&format!("{uri}/"))))
            }
            _ => {
                let error = Error::config("Snowflake needs either a stage or a storage integration");
                Err(error.help("name one of them: it says by which rights Snowflake reads the files"))
            }
        }
    }

    /// The files by their names below the output.
    fn names<'f>(&self, files: &'f Files) -> Result<Vec<&'f str>> {
        let below = format!("{}/", files.uri);
        let name = |(address, _): &'f (String, u64)| {
            address.strip_prefix(&below).ok_or_else(|| {
                Error::config("a file is not below the address of the output").at("file", address)
            })
        };
        files.files.iter().map(name).collect()
    }
}
