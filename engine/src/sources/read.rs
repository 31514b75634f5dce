//! `read`: the options of sources over files, as a builder that ends in the format.
//!
//! Options enter one by one, a dataset leaves. What is wrong with an option, or with its use for
//! a format, is kept and said by the first action, like everything else about a source.

use std::time::SystemTime;

use arrow::datatypes::Field;
use datafusion_expr::Expr;
use kiln_planner::Site;

use super::files::{self, Choice, Files, Format};
use super::whole_files::{self, Content, WholeFiles};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::row::{self, Row};
use crate::source::{Predicate, balanced, check_marks};

impl Context {
    /// Options for reading files; the method that names the format comes last.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("a.csv").display().to_string();
    /// # std::fs::write(&path, "1;one\n2;two\n").unwrap();
    /// let cx = kiln::Context::local(1);
    /// let rows = cx.read().delimiter(b';').header(false).csv::<(u64, String)>(&path);
    /// assert_eq!(rows.collect()?, [(1, "one".to_owned()), (2, "two".to_owned())]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Addresses
    ///
    /// An address means the same for sources, outputs, checkpoints and `KILN_TMP`.
    ///
    /// | address | means |
    /// |---|---|
    /// | `a/b`, `/a/b` | a path of this machine, every character literal |
    /// | `file:///a`, `file:/a`, `file://localhost/a` | the path `/a`, percent-decoded: `%20` is a blank |
    /// | `s3://bucket/a`, `gs://…`, `az://…` | an object or prefix in a bucket, every character literal, as in Spark |
    /// | `memory:///a` | an object or prefix in the memory of this process |
    ///
    /// A scheme may be in upper case. `#` is literal and begins no fragment. `*`, `?`, `[..]`, `{..}` and `**` (any number
    /// of folders) make a pattern, which only a source takes; `[*]`, `[?]`, `[[]` and `[{]` are the literal characters,
    /// in `file:` also `%2A` and the like.
    ///
    /// A folder means the files directly in it. Names that begin with `_` or `.` are hidden, unless the address
    /// spells that character or they are folders named `key=value`. A folder in which there are only folders or hidden
    /// files is an error. Links are followed.
    pub fn read(&self) -> Read {
        Read {
            cx: self.clone(),
            choice: Choice::default(),
            delimiter: None,
            quote: None,
            null_value: None,
            header: None,
            multi_line: None,
            filter: None,
            types: Vec::new(),
            error: None,
        }
    }
}

/// How files are read: made by [`Context::read`].
///
/// # Where a file ends
///
/// One rule for all formats: a format that marks its end must have the mark, and a format that has none is whole
/// wherever it ends between two records.
///
/// Text, CSV and JSON lines have no mark. The last line may lack its line end and counts as a line; one that was
/// cut off in the middle cannot be told from a short one. Inside of a quoted field, of a JSON object or of a
/// character a file must not end: that is an error of class data, for a quoted field with the line of its opening quote.
/// A file without a record has no rows: one of 0 bytes, of a byte order mark or of empty lines alone, a CSV file
/// of a header alone, or any of them compressed. It needs no header.
///
/// Each member of a gzip file, each frame of Zstandard, a Parquet file and an Arrow file or stream mark their end.
/// Without it they are an error of class data, and so is such a file of 0 bytes. Several members in one file are
/// one text, also when the last of them holds nothing.
#[derive(Clone)]
#[must_use = "nothing is read before a method that names the format"]
pub struct Read {
    pub(super) cx: Context,
    pub(super) choice: Choice,
    pub(super) delimiter: Option<u8>,
    pub(super) quote: Option<u8>,
    pub(super) null_value: Option<String>,
    pub(super) header: Option<bool>,
    pub(super) multi_line: Option<bool>,
    pub(super) filter: Option<Predicate>,
    /// Columns, for reading without a row type.
    pub(super) types: Vec<Field>,
    /// The first option that was wrong.
    error: Option<Error>,
}

/// Which options a format understands, besides those of all files.
#[derive(Clone, Copy, Default)]
pub(super) struct Allowed {
    /// Those of text with delimiters.
    pub(super) text: bool,
    pub(super) filter: bool,
}

impl Read {
    /// CSV: what is between two fields; a comma unless stated. An ASCII character, no line end and not the quote.
    pub fn delimiter(mut self, delimiter: u8) -> Read {
        self.delimiter = Some(delimiter);
        self
    }

    /// CSV: what encloses a field that holds a delimiter, a newline or, twice, itself; `"` unless stated. An ASCII
    /// character, no line end and not the delimiter.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("a.csv").display().to_string();
    /// # std::fs::write(&path, "'one, two',1\nthree,NA\n").unwrap();
    /// let cx = kiln::Context::local(1);
    /// // 'one, two',1
    /// // three,NA
    /// let rows = cx.read().header(false).quote(b'\'').null_value("NA").csv::<(String, Option<u8>)>(&path);
    /// assert_eq!(rows.collect()?, [("one, two".to_owned(), Some(1)), ("three".to_owned(), None)]);
    /// # Ok(()) }
    /// ```
    pub fn quote(mut self, quote: u8) -> Read {
        self.quote = Some(quote);
        self
    }

    /// CSV: a field of this text is taken for an empty one: it is `None`, an empty `String`, or an error for any
    /// other type.
    pub fn null_value(mut self, null_value: &str) -> Read {
        self.null_value = Some(null_value.to_owned());
        self
    }

    /// CSV: whether the first record of every file names the columns, as it does unless stated.
    /// Without, columns are taken by position.
    pub fn header(mut self, header: bool) -> Read {
        self.header = Some(header);
        self
    }

    /// CSV: whether fields in quotes may hold newlines, as they may unless stated. Without, big files
    /// are cut at any line, none is looked through beforehand, and a newline in quotes is an error.
    pub fn multi_line(mut self, multi_line: bool) -> Read {
        self.multi_line = Some(multi_line);
        self
    }

    /// Only files that were modified at `time` or later. The others count as `skipped files` among the job's
    /// counters.
    pub fn modified_since(mut self, time: SystemTime) -> Read {
        self.choice.list.modified_since = Some(time);
        self
    }

    /// Reads what is there: an address without files gives no rows, and a file that is gone when its
    /// task begins is left out. Each counts as one of the `skipped files` among the job's counters, which
    /// [`Context::counter`] and the result give.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.read().ignore_missing().csv::<u64>("/nowhere/a.csv").count()?, 0);
    /// assert_eq!(cx.counter("skipped files").value(), 1);
    /// # Ok(()) }
    /// ```
    pub fn ignore_missing(mut self) -> Read {
        self.choice.list.ignore_missing = true;
        self
    }

    /// Reads the folders below a folder, too, and takes those named `key=value` as columns for fields
    /// that the files lack: what [`Write::partition_by`](crate::Write::partition_by) has written. Names and values are
    /// percent-decoded; `__HIVE_DEFAULT_PARTITION__` is null.
    pub fn hive_partitions(mut self) -> Read {
        self.choice.hive = true;
        self.choice.list.recurse = true;
        self
    }

    /// Parquet: only the rows for which `filter` is true. It may name any column of the row type or of the files,
    /// and their folders' with [`Read::hive_partitions`]; row groups that cannot hold such a row are not read. Several
    /// filters must all be true. A chain of `and`, or of `or`, may have any length; what nests in another way has
    /// 100 levels at most.
    ///
    /// **Which rows pass.** Those that a closure with the same comparison keeps, in whatever type, unit or zone a file
    /// stores the column. Floats compare as in Rust: NaN is neither less than, greater than nor equal to anything, so
    /// `x > 2` drops it and `x != 1` keeps it, and −0.0 equals 0.0. A null is unknown, as in SQL: neither a comparison
    /// with it nor the `NOT` of one is true. Texts compare byte by byte.
    ///
    /// **Literals are exact, or refused.** A literal must be a value of the column's type, which is that of the row's
    /// field; what is none, or would have to be rounded, is a config error before any file is opened. Texts are read as
    /// fields of CSV are: `lit("2026-11-21T12:30:00Z")` for a `DateTime<Utc>`, without a zone for a `NaiveDateTime`, which
    /// are never compared with each other. Dates, timestamps and decimals are literals, too. A number between two
    /// values of the type, such as 9.5 for an `i64`, may be compared by `<` or `>`, but not by `=`. For a decimal a float
    /// is the decimal that it is written as. A column that the row type lacks has the type that a field for it would
    /// have; one of a folder that of the literal.
    ///
    /// ```
    /// use kiln::expr::{col, lit};
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("numbers").display().to_string();
    /// let cx = kiln::Context::local(1);
    /// cx.range(0..1000).write_parquet(&path)?;
    /// let last = cx.read().filter(col("value").gt_eq(lit(998))).parquet::<u64>(&path);
    /// assert_eq!(last.collect()?, [998, 999]);
    /// # Ok(()) }
    /// ```
    pub fn filter(mut self, filter: Expr) -> Read {
        let both = balanced(filter).and_then(|filter| match self.filter.take() {
            Some(first) => first.and(&filter),
            None => Predicate::new(&filter),
        });
        match both {
            Ok(both) => self.filter = Some(both),
            Err(error) => self.refuse(error),
        }
        self
    }

    /// The rows of files of `format`, whose method is called `method`.
    pub(super) fn dataset<T: Row, F: Format>(
        self,
        method: &str,
        allowed: Allowed,
        address: &str,
        format: F,
        site: Site,
    ) -> Dataset<T, Files<T, F>> {
        let mut label = format!("read_{method} {address}");
        if let Some(filter) = &self.filter {
            label = format!("{label} where {filter}");
        }
        let dataset = files::dataset(&self.cx, address, self.choice, format, label, site);
        match self.check(method, allowed).and_then(|()| self.check_filter::<T>()) {
            Ok(()) => dataset,
            Err(error) => Dataset::over(dataset.chain, Origin::broken(&self.cx, error)),
        }
    }

    /// Whether the filter can be applied to rows of the type `T`.
    fn check_filter<T: Row>(&self) -> Result<()> {
        self.filter.as_ref().map_or(Ok(()), |filter| filter.check(&row::schema::<T>()))
    }

    /// Whole files, whose method is called `method`.
    pub(super) fn whole_files<B: Content>(
        self,
        method: &str,
        allowed: Allowed,
        address: &str,
        site: Site,
    ) -> Dataset<(String, B), WholeFiles<B>> {
        let label = format!("read_{method} {address}");
        let dataset = whole_files::dataset(&self.cx, address, self.choice, label, site);
        match self.check(method, allowed) {
            Ok(()) => dataset,
            Err(error) => Dataset::over(dataset.chain, Origin::broken(&self.cx, error)),
        }
    }

    pub(super) fn check(&self, method: &str, allowed: Allowed) -> Result<()> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        if self.choice.table.is_some() && method != "delta" {
            return Err(unknown("version` or `as_of", method).help("only a Delta table has versions"));
        }
        check_marks(self.delimiter.unwrap_or(b','), self.quote.unwrap_or(b'"'))?;
        let options = [
            ("delimiter", self.delimiter.is_some() && !allowed.text),
            ("quote", self.quote.is_some() && !allowed.text),
            ("null_value", self.null_value.is_some() && !allowed.text),
            ("header", self.header.is_some() && !allowed.text),
            ("multi_line", self.multi_line.is_some() && !allowed.text),
            ("filter", self.filter.is_some() && !allowed.filter),
        ];
        match options.iter().find(|(_, is_wrong)| *is_wrong) {
            None => Ok(()),
            Some(("filter", _)) => Err(unknown("filter", method)
                .help("only Parquet files can be filtered while they are read; use `Dataset::filter`")),
            Some((option, _)) => Err(unknown(option, method)),
        }
    }

    pub(super) fn refuse(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }
}

fn unknown(option: &str, method: &str) -> Error {
    Error::config(format!("`{option}` is no option of `{method}`"))
}
