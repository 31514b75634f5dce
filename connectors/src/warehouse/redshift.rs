//! Amazon Redshift: `COPY` by a manifest, which names the files to load and no others.

use kiln::{Error, Result};
use serde_json::json;

use super::{Change, Files, Format, Script, check_table, literal};

/// The manifest's name, beside the files. It begins with `_`, so that readers of the folder pass over it.
const MANIFEST: &str = "_redshift_manifest.json";

/// A table of Redshift.
///
/// Parquet files are loaded by position: the table has the columns of the rows, in their order. CSV files have a header,
/// which names the columns in the statement if [`columns`](Redshift::columns) does.
#[derive(Clone, Debug)]
#[must_use = "a statement is made by `script`"]
pub struct Redshift {
    table: String,
    columns: Vec<String>,
    iam_role: Option<String>,
    region: Option<String>,
    change: Change,
}

impl Redshift {
    /// The table that SQL calls `table`; rows are added to it unless something else is said.
    pub fn new(table: &str) -> Redshift {
        let (columns, iam_role, region, change) = (Vec::new(), None, None, Change::Append);
        Redshift { table: table.to_owned(), columns, iam_role, region, change }
    }

    /// The role by which Redshift reads the files; its default role unless set.
    pub fn iam_role(mut self, arn: &str) -> Redshift {
        self.iam_role = Some(arn.to_owned());
        self
    }

    /// The region of the bucket, for CSV, if it is not that of the cluster.
    pub fn region(mut self, region: &str) -> Redshift {
        self.region = Some(region.to_owned());
        self
    }

    /// The columns of CSV files, in their order.
    pub fn columns<'c>(mut self, columns: impl IntoIterator<Item = &'c str>) -> Redshift {
        self.columns = columns.into_iter().map(str::to_owned).collect();
        self
    }

    /// Replaces all rows.
    pub fn overwrite(mut self) -> Redshift {
        self.change = Change::Overwrite;
        self
    }

    /// Replaces the rows for which a condition holds.
    pub fn replace_where(mut self, condition: &str) -> Redshift {
        self.change = Change::ReplaceWhere(condition.to_owned());
        self
    }

    /// The statements, in one transaction, and the manifest.
    ///
    /// # Errors
    /// Config for a name that is none, and for files that are not in S3.
    pub fn script(&self, files: &Files) -> Result<Script> {
        check_table(&self.table, '"')?;
        files.addresses("Redshift", &["s3://"])?;
        let manifest = format!("{}/{MANIFEST}", files.uri);
        let entry = |(url, bytes): &(String, u64)| json!({ "url": url, "mandatory": true, "meta": { "content_length": bytes } });
        let entries: Vec<_> = files.files.iter().map(entry).collect();
        let text = serde_json::to_string_pretty(&json!({ "entries": entries }))
            .map_err(|e| Error::bug("a manifest cannot be written").because(e))?;
        // A COPY without files fails.
        let copy = if entries.is_empty() { String::new() } else { self.copy(&manifest, files.format)? };
        let delete = self.change.delete(&self.table).unwrap_or_default();
        let sql = format!("BEGIN;\n{delete}{copy}COMMIT;\n");
        Ok(Script { sql, manifest: Some((manifest, text + "\n")) })
    }

    fn copy(&self, manifest: &str, format: Format) -> Result<String> {
        let role = self.iam_role.as_deref().map_or("default".to_owned(), literal);
        let options = match format {
            Format::Parquet if self.region.is_some() => {
                return Err(Error::config("Redshift loads Parquet from buckets of its own region alone"));
            }
            Format::Parquet => "FORMAT AS PARQUET".to_owned(),
            Format::Csv { gzip } => {
                let mut options =
                    "FORMAT AS CSV\nIGNOREHEADER 1\nDATEFORMAT 'auto'\nTIMEFORMAT 'auto'".to_owned();
                if gzip {
                    options += "\nGZIP";
                }
                if let Some(region) = &self.region {
                    options += &format!("\nREGION {}", literal(region));
                }
                options
            }
        };
        let columns = match (format, self.columns.as_slice()) {
            (Format::Parquet, _) | (_, []) => String::new(),
            (_, columns) => {
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("\"{}\"", column.replace('"', "\"\""))).collect();
                format!(" ({})", columns.join(", "))
            }
        };
        let (table, manifest) = (&self.table, literal(manifest));
        Ok(format!("COPY {table}{columns} FROM {manifest}\nIAM_ROLE {role}\n{options}\nMANIFEST;\n"))
    }
}
