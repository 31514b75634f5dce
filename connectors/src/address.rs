//! What the addresses of all servers share: passwords that are never printed, percent-encoding, open hosts.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use kiln::{Error, Result};
use serde::{Deserialize, Serialize};

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// Of the file.
    pub(crate) fn of_file(path: &Path) -> Result<Option<Secret>> {
        let unreadable = |e| Error::io("the password file cannot be read", e).at("file", path.display());
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Ok(text.lines().next().map(Secret::new))
    }

    /// The value of an environment variable, unless it is empty.
    pub(crate) fn of_variable(name: &str) -> Option<Secret> {
        variable(name).map(Secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The value of an environment variable, unless it is empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// An address whose host is left open has that of this machine: `postgres://me@/shop?host=/tmp`.
pub(crate) fn with_host(text: &str) -> Cow<'_, str> {
    let begin = text.find("://").map_or(0, |at| at + 3);
    let end = text[begin..].find(['/', '?']).map_or(text.len(), |at| begin + at);
    match text[begin..end].ends_with('@') {
        true => Cow::Owned(format!("{}localhost{}", &text[..end], &text[end..])),
        false => Cow::Borrowed(text),
    }
}

/// Percent-decoded text, or what is wrong with it.
pub(crate) fn decoded(text: &str) -> Result<String, &'static str> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = || {
            std::str::from_utf8(bytes.get(at + 1..at + 3)?)
                .ok()
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        };
        match bytes[at] {
            b'%' => {
                out.push(hex().ok_or("has a % without two hexadecimal digits")?);
                at += 3;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).map_err(|_| "is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?} {0:#?}", Secret::new("Pa55word")), "*** ***");
    }

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(decoded("s%40cret%2f").as_deref(), Ok("s@cret/"));
        assert!(decoded("100%").is_err() && decoded("%zz").is_err() && decoded("%ff").is_err());
    }
}
