//! The single error type of the engine: what failed, where, its class, and what to do about it.
//!
//! The class decides how an error is handled: whether a task is retried, which exit code a scheduler sees,
//! which word is in the result JSON. The location is added by the layer that knows it, on the way up. An
//! error that is sent to another process keeps all its parts ([`Error::to_wire`]); only the Rust type of its
//! cause is reduced to text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of every fallible function in Kiln.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason of a setting that cannot be parsed.
pub(crate) const MALFORMED_CONFIG: &str = "malformed_config";

/// The kind of a failure, which determines what can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The command line is wrong.
    Usage,
    /// The job, its plan or its environment is wrong; running it again does not help.
    Config,
    /// The data is wrong: it cannot be decoded, or exceeds a limit.
    Data,
    /// Permission or credentials are missing.
    Auth,
    /// May disappear by itself: the only class that is retried.
    Transient,
    /// A source or sink cannot be reached at all.
    Unavailable,
    /// Memory or disk space ran out.
    Resource,
    /// Someone asked for the job to stop.
    Cancelled,
    /// A newer attempt has taken over.
    Fenced,
    /// The job's own deadline has passed.
    Deadline,
    /// A fault in the job's closures or in Kiln.
    Bug,
}

impl Class {
    /// The process exit code that a scheduler sees for this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Class::Usage => 64,
            Class::Data => 65,
            Class::Unavailable => 69,
            Class::Bug => 70,
            Class::Fenced => 73,
            Class::Transient | Class::Resource => 75,
            Class::Auth => 77,
            Class::Config => 78,
            Class::Deadline => 124,
            Class::Cancelled => 143,
        }
    }

    /// The lower-case word for this class in messages and in the result JSON.
    pub fn name(self) -> &'static str {
        match self {
            Class::Usage => "usage",
            Class::Config => "config",
            Class::Data => "data",
            Class::Auth => "auth",
            Class::Transient => "transient",
            Class::Unavailable => "unavailable",
            Class::Resource => "resource",
            Class::Cancelled => "cancelled",
            Class::Fenced => "fenced",
            Class::Deadline => "deadline",
            Class::Bug => "bug",
        }
    }
}

/// A failure with its class, its location and its cause.
#[derive(Clone, Debug)]
pub struct Error(Box<Parts>);

/// The parts of an error, which are also its serialised form.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parts {
    class: Class,
    /// A stable identifier for programs, such as `output_exists`.
    reason: Option<String>,
    message: String,
    /// Innermost first: ("file", "a.txt"), ("byte", "17"), ("stage", "1").
    places: Vec<(String, String)>,
    causes: Vec<String>,
    help: Option<String>,
    lost: Option<LostOutput>,
}

/// The output of a finished task that can no longer be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostOutput {
    /// The exchange whose output is missing.
    pub exchange: u64,
    /// The executor that should have stored it; `u32::MAX` if there may have been several.
    pub executor: u32,
}

macro_rules! constructors {
    ($($name:ident $class:ident $doc:literal)*) => {$(
        #[doc = $doc]
        pub fn $name(message: impl Into<String>) -> Error { Error::new(Class::$class, message) }
    )*};
}

impl Error {
    /// An error of `class` with `message`, which is in lower case, without a full stop or function name.
    pub fn new(class: Class, message: impl Into<String>) -> Error {
        Error(Box::new(Parts {
            class,
            reason: None,
            message: message.into(),
            places: Vec::new(),
            causes: Vec::new(),
            help: None,
            lost: None,
        }))
    }

    constructors! {
        usage Usage "The command line is wrong."
        config Config "The job, its plan or its environment is wrong."
        data Data "The data is wrong."
        auth Auth "Permission or credentials are missing."
        transient Transient "May go away by itself."
        unavailable Unavailable "A source or sink cannot be reached."
        resource Resource "Memory or disk ran out."
        cancelled Cancelled "Someone asked for the job to stop."
        fenced Fenced "A newer attempt or run has taken over."
        bug Bug "A fault in the job's closures or in Kiln."
    }

    /// The error of a job that was asked to stop.
    pub(crate) fn job_stopped() -> Error {
        Error::cancelled("the job was stopped; nothing was published")
    }

    /// A failed file operation: the class follows from the kind of `source`.
    pub fn io(message: impl Into<String>, source: std::io::Error) -> Error {
        use std::io::ErrorKind::*;
        let class = match source.kind() {
            NotFound | AlreadyExists | IsADirectory | NotADirectory | InvalidInput => Class::Config,
            PermissionDenied | ReadOnlyFilesystem => Class::Auth,
            InvalidData | UnexpectedEof => Class::Data,
            StorageFull | QuotaExceeded | OutOfMemory => Class::Resource,
            _ => Class::Transient,
        };
        Error::new(class, message).because(source)
    }

    /// The output of a finished task that `executor` no longer serves; its task is run again.
    pub fn lost_output(message: impl Into<String>, lost: LostOutput) -> Error {
        let mut error = Error::transient(message);
        error.0.lost = Some(lost);
        error
    }

    /// Adds the location of the failure; outer callers add wider locations.
    #[must_use]
    pub fn at(mut self, what: &str, place: impl fmt::Display) -> Error {
        let place = (what.to_owned(), place.to_string());
        if !self.0.places.contains(&place) {
            self.0.places.push(place);
        }
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn help(mut self, advice: impl Into<String>) -> Error {
        self.0.help = Some(advice.into());
        self
    }

    /// Adds the word by which a program distinguishes this failure from others of its class: `snake_case`,
    /// and never changed after a release. The innermost reason is kept.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Error {
        self.0.reason.get_or_insert_with(|| reason.to_owned());
        self
    }

    /// The word set by [`reason`](Error::reason), or the name of the class.
    pub fn reason_word(&self) -> &str {
        self.0.reason.as_deref().unwrap_or(self.0.class.name())
    }

    /// Adds the cause, and the causes of that cause.
    #[must_use]
    pub fn because(mut self, source: impl std::error::Error) -> Error {
        self.0.causes.push(source.to_string());
        let mut next = source.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries repeat the inner message in the outer one.
            if !self.0.causes.iter().any(|known| known.contains(&text)) {
                self.0.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// The kind of the failure.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Whether the same task may be retried.
    pub fn is_retryable(&self) -> bool {
        self.0.class == Class::Transient
    }

    /// The output that is missing, if that is what failed.
    pub fn lost(&self) -> Option<LostOutput> {
        self.0.lost
    }

    /// The message alone, without location, cause and advice.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// All parts of the error as bytes for another process.
    pub fn to_wire(&self) -> Vec<u8> {
        postcard::to_stdvec(&*self.0).unwrap_or_default()
    }

    /// The error that [`Error::to_wire`] wrote.
    pub fn from_wire(bytes: &[u8]) -> Error {
        match postcard::from_bytes(bytes) {
            Ok(parts) => Error(Box::new(parts)),
            Err(e) => Error::bug("an error from another process cannot be read").because(e),
        }
    }
}

/// `message, at file a.txt, byte 17: cause: deeper cause`
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (what, place)) in self.0.places.iter().enumerate() {
            write!(f, "{} {what} {place}", if i == 0 { ", at" } else { "," })?;
        }
        for cause in &self.0.causes {
            write!(f, ": {cause}")?;
        }
        if let Some(advice) = &self.0.help {
            write!(f, "\n  help: {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Error> for datafusion_common::DataFusionError {
    fn from(error: Error) -> Self {
        datafusion_common::DataFusionError::External(Box::new(error))
    }
}

impl From<datafusion_common::DataFusionError> for Error {
    fn from(error: datafusion_common::DataFusionError) -> Self {
        use datafusion_common::DataFusionError as D;
        match error {
            D::External(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => Error::bug(format!("a plan failed: {other}")),
            },
            D::Context(text, inner) => Error::from(*inner).at("step", text),
            D::ResourcesExhausted(text) => Error::resource(text),
            D::IoError(e) => Error::io("input or output failed", e),
            other => Error::bug("a plan failed").because(other),
        }
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Error::bug("arrow data could not be built or read").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_why_and_what_to_do() {
        let e = Error::data("invalid UTF-8").at("file", "a.txt").at("byte", 17).help("convert it");
        assert_eq!(e.to_string(), "invalid UTF-8, at file a.txt, byte 17\n  help: convert it");
    }

    #[test]
    fn an_error_keeps_its_class_and_lost_output_across_processes() {
        let lost = LostOutput { exchange: 3, executor: 1 };
        let e = Error::from_wire(&Error::lost_output("gone", lost).at("task", 2).to_wire());
        assert_eq!((e.class(), e.lost()), (Class::Transient, Some(lost)));
        assert_eq!(e.to_string(), "gone, at task 2");
    }

    #[test]
    fn an_io_error_is_classed_by_its_kind() {
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert_eq!(Error::io("cannot open", denied).class().exit_code(), 77);
    }
}
