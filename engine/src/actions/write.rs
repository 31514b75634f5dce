//! `write`: how the rows of a dataset become files, and what happens to an output that is there.
//!
//! Options enter one by one; a format, which comes last, runs the job: the rows go to a sink of files (`file_sink`,
//! `write_to`). All options are checked before anything runs. How files are laid out and
//! published belongs to `publish`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use kiln_planner::Site;

use super::file_sink::FileSink;
use super::write_to::{Rows, publish, published_before};
use crate::chain::Chain;
use crate::checks::{Check, Drift, Rejects};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::publish::{Compression, Form, Format, Layout, Mode, Request, TableColumns};
use crate::row::Row;
use crate::source::check_marks;

impl<T: Row, C: Chain<Out = T>> Dataset<T, C> {
    /// Writes the rows as files below an address, with options: what is there already, folders,
    /// compression, sizes. The format comes last and runs the job. Addresses are those of
    /// [`Context::read`](crate::Context::read) without wildcards: the same text reads what was written.
    ///
    /// ```
    /// use kiln::{Compression, Context, Mode};
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("days").display().to_string();
    /// let cx = Context::local(2);
    /// let days = cx.range(0..10).map(|n| (n % 3, n * n));
    /// days.write()
    ///     .names(["day", "amount"])
    ///     .partition_by(["day"])
    ///     .mode(Mode::Overwrite)
    ///     .compression(Compression::Snappy)
    ///     .parquet(&output)?;
    /// # assert!(std::path::Path::new(&output).join("day=2").is_dir());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn write(&self) -> Write<'_, Dataset<T, C>> {
        Write::new(self, Site::caller())
    }
}

impl<R: Rows> Write<'_, R> {
    /// Without any options.
    pub(super) fn new(rows: &R, site: Site) -> Write<'_, R> {
        Write {
            rows,
            mode: None,
            expected: Vec::new(),
            layout: Layout::new(Format::Parquet),
            names: None,
            group_rows: None,
            header: None,
            delimiter: None,
            quote: None,
            form: Form::Usual,
            is_listed: true,
            checks: Vec::new(),
            drift: None,
            rejects: None,
            site,
        }
    }
}

/// How rows become files; see [`Dataset::write`].
#[must_use = "nothing is written before a format is named, such as `.parquet(uri)`"]
pub struct Write<'d, R> {
    pub(super) rows: &'d R,
    /// `None` leaves it to the caller of the job.
    mode: Option<Mode>,
    /// Partitions that are replaced even without rows.
    expected: Vec<String>,
    pub(super) layout: Layout,
    /// `None` where an option was not given: what a format does not understand is refused.
    pub(super) names: Option<Vec<String>>,
    group_rows: Option<usize>,
    header: Option<bool>,
    delimiter: Option<u8>,
    quote: Option<u8>,
    /// Whether files or a Delta table are wanted.
    pub(super) form: Form,
    /// Whether it is among the outputs of the job.
    is_listed: bool,
    pub(super) checks: Vec<Check>,
    pub(super) drift: Option<Drift>,
    pub(super) rejects: Option<Rejects>,
    site: Site,
}

impl<R: Rows> Write<'_, R> {
    /// What to do when something is there already. Without it the caller of the job chooses by `--kiln-mode` or
    /// `KILN_MODE`; otherwise it is [`Mode::Error`].
    ///
    /// On a file system an output is renamed into place in one step, and overwriting swaps the old
    /// folder with the new one in one step: a reader sees the old files or the new ones. Appended
    /// files join one by one; what a killed driver has added is taken back by the next publish in the
    /// same parent folder. Each partition that is replaced is swapped in one step, but several of them
    /// are not one step together.
    ///
    /// An object store renames nothing. There Parquet gets a Delta log, in which one object is one version: every reader
    /// of Delta Lake sees all files of one version. Other formats, and [`plain`](Write::plain) Parquet, have a manifest,
    /// the object `_SUCCESS`, which names the files: a reader that goes by it, as Kiln does, sees all files of one
    /// version. A reader that lists the keys instead can meet files of a publish that is under way.
    ///
    /// A publish is fenced (exit code 73) after a newer attempt of its run has begun, and when it would remove what a run
    /// that began later has published. A run that is published already is not published again.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Partitions that are replaced even if there are no rows for them, with [`Mode::ReplacePartitions`]: without rows they
    /// are empty afterwards. `day=7`, and `day=7/city=Bern` or all of `day=7` where there are two columns; values as they
    /// are in the folders' names.
    ///
    /// ```
    /// # use kiln::{Context, Mode, Row};
    /// #[derive(Row, Debug, PartialEq)]
    /// struct Sale { day: u32, amount: u64 }
    ///
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("days").display().to_string();
    /// let cx = Context::local(1);
    /// let publish = |sales: Vec<Sale>| {
    ///     let sales = cx.parallelize(sales);
    ///     let write = sales.write().partition_by(["day"]).mode(Mode::ReplacePartitions);
    ///     write.expect_partitions(["day=7"]).parquet(&output)
    /// };
    /// publish(vec![Sale { day: 6, amount: 10 }, Sale { day: 7, amount: 20 }])?;
    /// publish(vec![])?; // the day has no rows any more
    /// let sales = cx.read().hive_partitions().parquet::<Sale>(&output);
    /// assert_eq!(sales.collect()?, [Sale { day: 6, amount: 10 }]);
    /// # Ok(()) }
    /// ```
    pub fn expect_partitions<'n>(mut self, partitions: impl IntoIterator<Item = &'n str>) -> Self {
        self.expected = partitions.into_iter().map(String::from).collect();
        self
    }

    /// Puts the rows into a folder for each value of these columns: `day=7/city=Bern/part-00000.parquet`.
    ///
    /// The columns stand in the folders' names alone. A value is percent-encoded where it has to
    /// be; a null and an empty text go to `__HIVE_DEFAULT_PARTITION__`. A task that meets more values
    /// than it can have files open ends the longest one and begins another when it needs to: rows that
    /// come ordered or exchanged by these columns make fewer and larger files.
    pub fn partition_by<'n>(mut self, columns: impl IntoIterator<Item = &'n str>) -> Self {
        self.layout.partition_by = columns.into_iter().map(String::from).collect();
        self
    }

    /// How files are compressed: Parquet by Zstandard and other formats not at all, unless said otherwise.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.layout.compression = Some(compression);
        self
    }

    /// Bytes of a file, after compression, after which the next one is begun: 1 GiB unless said
    /// otherwise, 4 GiB at most. A file passes it by 8,192 rows, and in Parquet by what a row group
    /// that is under way is underestimated: by its dictionaries, of 1 MiB a column at most.
    pub fn target_file_bytes(mut self, bytes: u64) -> Self {
        self.layout.file_bytes = bytes;
        self
    }

    /// Rows in a row group of Parquet at most: 1,048,576 unless said otherwise. A row group also
    /// ends at 128 MiB, or before the task's share of the memory (`KILN_MEMORY`) is used up.
    pub fn row_group_rows(mut self, rows: usize) -> Self {
        self.group_rows = Some(rows);
        self
    }

    /// Says in the metadata of Parquet files that the rows are sorted by these columns, ascending and
    /// nulls first, so that readers can skip. It does not sort; rows that are not sorted so are an error.
    pub fn sorted_by<'n>(mut self, columns: impl IntoIterator<Item = &'n str>) -> Self {
        self.layout.sorted_by = columns.into_iter().map(String::from).collect();
        self
    }

    /// Gives the columns other names, for rows whose type does not name them.
    pub fn names<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.names = Some(names.into_iter().map(String::from).collect());
        self
    }

    /// Whether CSV files begin with the names of the columns; they do unless said otherwise.
    pub fn header(mut self, header: bool) -> Self {
        self.header = Some(header);
        self
    }

    /// What is between the fields of CSV; a comma by default. An ASCII character, no line end and not
    /// the quote, as for [`Read::delimiter`](crate::Read::delimiter).
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// What encloses a field of CSV that holds a delimiter, a line end or, twice, itself; `"` unless said
    /// otherwise. The same range as for [`Read::quote`](crate::Read::quote).
    pub fn quote(mut self, quote: u8) -> Self {
        self.quote = Some(quote);
        self
    }

    /// The text of a null in CSV, as [`Read::null_value`](crate::Read::null_value) reads it; an empty field unless
    /// said otherwise. A value that is this text is an error of class data, as it would be read as a null.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let output = place.path().join("ages").display().to_string();
    /// let cx = kiln::Context::local(1);
    /// let ages = cx.parallelize([("Ann".to_owned(), Some(7_u8)), ("Bob".to_owned(), None)]);
    /// // Ann,7
    /// // Bob,NA
    /// ages.write().header(false).null_value("NA").csv(&output)?;
    /// let read = cx.read().header(false).null_value("NA").csv::<(String, Option<u8>)>(&output);
    /// assert_eq!(read.collect()?, ages.collect()?);
    /// # Ok(()) }
    /// ```
    pub fn null_value(mut self, null_value: &str) -> Self {
        self.layout.null_value = Some(null_value.to_owned());
        self
    }

    /// Writes plain files, without a Delta log, to an object store, too. Readers that list the folder there can meet files of
    /// a publish that is under way; those that go by the manifest `_SUCCESS`, as Kiln does, see one whole version. An output
    /// that is there keeps its form: where a Delta table is, this is an error.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// let squares = cx.range(0..10).map(|n| (n, n * n));
    /// squares.write().plain().parquet("memory:///plain/squares")?;
    /// squares.write_parquet("memory:///table/squares")?; // with a Delta log
    /// assert!(cx.read().delta::<(u64, u64)>("memory:///plain/squares").count().is_err());
    /// assert_eq!(cx.read().delta::<(u64, u64)>("memory:///table/squares").count()?, 10);
    /// # Ok(()) }
    /// ```
    pub fn plain(mut self) -> Self {
        self.form = Form::Plain;
        self
    }

    /// Leaves it out of the job's result: it is for the job itself.
    pub(super) fn unlisted(mut self) -> Self {
        self.is_listed = false;
        self
    }

    /// Writes Parquet files below `uri`: in an object store as the next version of a Delta table, unless plain files are
    /// there or [`plain`](Write::plain) asks for them; on disk as plain files, unless a Delta table is there.
    ///
    /// # Errors
    /// Config when an option does not fit the format or the columns, the mode does not allow what is there, or a table has no
    /// type for a column; else whatever stops the job, and then nothing is published.
    pub fn parquet(self, uri: &str) -> Result<()> {
        self.run(uri, Format::Parquet)
    }

    /// Writes Parquet files below `uri` as the next version of a Delta table, which is made if there is none. All readers
    /// of Delta Lake see the whole old version or the whole new one, on disk and in object stores, in every mode.
    ///
    /// The columns have Delta's types: unsigned integers become the next larger signed ones, a `u64` a `long`. Files that a
    /// version replaces stay for readers of older versions. Do not read the folder's files by a pattern: those of other
    /// versions are among them.
    ///
    /// ```
    /// # use kiln::Mode;
    /// # fn main() -> kiln::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let uri = place.path().join("squares").display().to_string();
    /// let cx = kiln::Context::local(1);
    /// let squares = cx.range(0..10).map(|n| (n, n * n));
    /// squares.write().names(["n", "square"]).mode(Mode::Overwrite).delta(&uri)?;
    /// assert!(std::path::Path::new(&uri).join("_delta_log/00000000000000000000.json").exists());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`parquet`](Write::parquet); config also for columns of types that Delta does not have, and for other columns
    /// than the table has.
    pub fn delta(mut self, uri: &str) -> Result<()> {
        if self.form == Form::Plain {
            let error = Error::config("`plain` is no option of `delta`");
            return Err(error
                .help("a Delta table has a log; leave out one of the two")
                .at("line", &self.site));
        }
        self.form = Form::Table;
        self.run(uri, Format::Parquet)
    }

    /// Writes CSV files below `uri`: fields in quotes where they need them, an empty text as `""`, a null
    /// as nothing (and as `""` where it is the only field, as an empty line is no record). Read with the same
    /// `delimiter`, `quote`, `header` and `null_value` they are the rows again, except that an empty text in an
    /// `Option<String>` is `None`.
    ///
    /// # Errors
    /// As [`parquet`](Write::parquet); config also for columns of columns and for bytes.
    pub fn csv(self, uri: &str) -> Result<()> {
        let (delimiter, quote) = (self.delimiter.unwrap_or(b','), self.quote.unwrap_or(b'"'));
        let header = self.header.unwrap_or(true);
        self.run(uri, Format::Csv { header, delimiter, quote })
    }

    /// Writes JSON lines below `uri`: one object a row, without the fields that are null. JSON has no
    /// numbers for NaN and the infinities: they are the texts `"NaN"`, `"Infinity"` and `"-Infinity"`, as
    /// Spark writes them, and [`Read::json`](crate::Read::json) takes them for numbers again.
    ///
    /// # Errors
    /// As [`parquet`](Write::parquet); config also for maps whose keys are no texts.
    pub fn json(self, uri: &str) -> Result<()> {
        self.run(uri, Format::Json)
    }

    pub(super) fn run(mut self, uri: &str, format: Format) -> Result<()> {
        self.layout.format = format;
        self.layout.group_rows = self.group_rows.unwrap_or(self.layout.group_rows);
        let site = self.site.clone();
        if published_before(self.rows, &self.sink(uri, &Arc::new(Schema::empty()), Vec::new()))? {
            return Ok(());
        }
        let published = self.published(uri).map_err(|e| e.at("line", &site))?;
        if let (Some((Drift::DiscardColumns, there)), None) = (&published, &self.names) {
            self.rows.wants_only(&there.wanted());
        }
        self.rows.origin().check()?;
        let terms = self.terms(uri, published).map_err(|e| e.at("line", &site))?;
        let expected = self.expected().map_err(|e| e.at("line", &site))?;
        publish(self.rows, self.sink(uri, &terms.written, expected), terms, site)
    }

    /// The files, or the table, that rows of these columns go to.
    fn sink(&self, uri: &str, columns: &SchemaRef, expected: Vec<String>) -> FileSink {
        let partition_by = self.layout.partition_by.clone();
        let request = Request {
            mode: self.chosen_mode(),
            expected,
            is_internal: !self.is_listed,
            form: if self.layout.format == Format::Parquet { self.form } else { Form::Plain },
            columns: TableColumns { schema: Arc::clone(columns), partition_by },
            evolves: self.drift == Some(Drift::Evolve),
        };
        FileSink::new(uri, self.layout.clone(), request)
    }

    /// What to do with what is there: as the job says or, where it leaves that open, its caller.
    pub(super) fn chosen_mode(&self) -> Mode {
        self.mode.or(self.rows.context().job_run().options().mode).unwrap_or_default()
    }

    /// The partitions that are replaced even without rows: the job's, and those of its caller that fit the columns.
    fn expected(&self) -> Result<Vec<String>> {
        let columns = &self.layout.partition_by;
        let given = &self.rows.context().job_run().options().expect_partitions;
        let given =
            given.iter().filter(|_| !columns.is_empty() && self.chosen_mode() == Mode::ReplacePartitions);
        let expected: BTreeSet<&String> = self.expected.iter().chain(given).collect();
        let fits = |partition: &&&String| {
            let names = partition.split('/').map(|level| level.split('=').next().unwrap_or_default());
            names.clone().count() <= columns.len() && names.zip(columns).all(|(name, column)| name == column)
        };
        if let Some(wrong) = expected.iter().find(|partition| !fits(partition)) {
            let error = Error::config(format!("`{wrong}` is no partition of this output"));
            return Err(error.reason("no_such_partition").help(format!(
                "its partitions are folders by {}: name one as {}=value",
                columns.join(", "),
                columns.first().map_or("column", String::as_str),
            )));
        }
        Ok(expected.into_iter().cloned().collect())
    }

    /// The columns by their names in the output; all options are checked.
    pub(super) fn columns(&self) -> Result<SchemaRef> {
        self.check_options()?;
        let columns = self.rows.fields();
        let given = || columns.iter().map(|column| column.name().clone()).collect();
        let names: Vec<String> = self.names.clone().unwrap_or_else(given);
        if names.len() != columns.len() {
            return Err(Error::config(format!("{} names for {} columns", names.len(), columns.len())));
        }
        if self.chosen_mode() == Mode::ReplacePartitions && self.layout.partition_by.is_empty() {
            let error = Error::config("there are no partitions to replace");
            return Err(error.help("name their columns by `partition_by`, or overwrite the whole output"));
        }
        let named = columns.into_iter().zip(names).map(|(column, name)| column.with_name(name));
        let columns = Arc::new(Schema::new(named.collect::<Vec<Field>>()));
        self.layout.check(&columns)?;
        Ok(columns)
    }

    /// Refuses options that the format does not understand.
    fn check_options(&self) -> Result<()> {
        let format = self.layout.format;
        let is_csv = matches!(format, Format::Csv { .. });
        let options = [
            ("delimiter", self.delimiter.is_some() && !is_csv),
            ("quote", self.quote.is_some() && !is_csv),
            ("null_value", self.layout.null_value.is_some() && !is_csv),
            ("header", self.header.is_some() && !is_csv),
            ("row_group_rows", self.group_rows.is_some() && format != Format::Parquet),
            ("names", self.names.is_some() && format == Format::Text),
        ];
        if let Some((option, _)) = options.iter().find(|(_, is_wrong)| *is_wrong) {
            return Err(Error::config(format!("`{option}` is no option of `{}`", format.name())));
        }
        match format {
            Format::Csv { delimiter, quote, .. } => check_marks(delimiter, quote),
            _ => Ok(()),
        }
    }
}
