//! Understands an address as users write it.
//!
//! An address enters, a [`Location`] leaves: the open store, the literal path in it and, after
//! the first wildcard, a pattern. Relative paths become absolute here and only here, so that what is
//! sent to another process means the same there. Whether anything exists at the location is
//! not asked; `listing` does that.
//!
//! Outside `file:` an address is taken literally, as Spark does: a `%20` in `s3://b/a%20b` is three characters.

use std::path::Path as FilePath;

use object_store::path::Path;

use super::pattern::is_pattern;
use super::store::Store;
use crate::error::{Error, Result};

/// Where an address points: a file, a folder or a pattern of files in a store.
#[derive(Clone, Debug)]
pub struct Location {
    /// The store that holds it.
    pub store: Store,
    /// The literal path in the store, up to the first segment with a wildcard.
    pub path: Path,
    /// The rest of the path from the first segment with a wildcard.
    pub pattern: Option<String>,
    /// Whether the address ends in `/`, so that only a folder is meant.
    pub is_folder: bool,
}

impl Location {
    /// Reads `data/*.txt`, `/abs/path`, `dir/`, `file:///..`, `s3://bucket/prefix/*.gz` or `memory:///..`.
    ///
    /// # Errors
    /// Of class config when the address is malformed or this build has no store for it.
    pub fn parse(address: &str) -> Result<Location> {
        let (store, path) = resolve(address).map_err(|e| e.at("address", address))?;
        Location::new(store, &path, true).map_err(|e| e.at("address", address))
    }

    /// Reads the address of one object; characters that could be wildcards are part of its name.
    ///
    /// # Errors
    /// As [`Location::parse`].
    pub fn exact(address: &str) -> Result<Location> {
        let (store, path) = resolve(address).map_err(|e| e.at("address", address))?;
        Location::new(store, &path, false).map_err(|e| e.at("address", address))
    }

    /// The absolute address, pattern included.
    pub fn address(&self) -> String {
        let base = self.store.address(&self.path);
        match &self.pattern {
            Some(pattern) if base.ends_with('/') => format!("{base}{pattern}"),
            Some(pattern) => format!("{base}/{pattern}"),
            None => base,
        }
    }

    fn new(store: Store, path: &str, wildcards: bool) -> Result<Location> {
        let (base, pattern) = if wildcards { split_pattern(path) } else { (path, None) };
        let base = if store.is_local() { absolute(base)? } else { base.to_owned() };
        let is_folder = path.ends_with('/') || path.is_empty();
        let path = Path::parse(&base).map_err(|e| Error::config("the path is malformed").because(e))?;
        Ok(Location { store, path, pattern: pattern.map(str::to_owned), is_folder })
    }
}

/// The store of an address, and the path in it as it was written.
fn resolve(address: &str) -> Result<(Store, String)> {
    if address.is_empty() {
        return Err(Error::config("the address is empty"));
    }
    if let Some(rest) = address.strip_prefix("file:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.strip_prefix("localhost").unwrap_or(path);
        if !path.starts_with('/') {
            return Err(Error::config("a file address needs an absolute path").help("write file:///path"));
        }
        return Ok((Store::open("file", "")?, percent_decoded(path)?));
    }
    let Some((scheme, rest)) = address.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return Ok((Store::open("file", "")?, address.to_owned()));
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match (scheme, host.is_empty()) {
        ("memory", true) => {}
        ("memory", false) => return Err(Error::config("memory has no hosts").help("write memory:///path")),
        (_, true) => return Err(Error::config("the address names no bucket")),
        (_, false) => {}
    }
    Ok((Store::open(scheme, host)?, path.to_owned()))
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Splits before the first segment that holds a wildcard.
fn split_pattern(path: &str) -> (&str, Option<&str>) {
    let mut from = 0;
    for segment in path.split_inclusive('/') {
        if is_pattern(segment) {
            return (&path[..from], Some(&path[from..]));
        }
        from += segment.len();
    }
    (path, None)
}

/// The absolute form of a local path without `..`.
///
/// `a/..` is not the same as nothing when `a` is a link, so the part up to the last `..` is looked up.
fn absolute(path: &str) -> Result<String> {
    let here = if path.is_empty() { "." } else { path };
    let path = std::path::absolute(here).map_err(|e| Error::io("no current directory", e))?;
    let up = path.ancestors().find(|ancestor| ancestor.ends_with(".."));
    let path = match up {
        None => path,
        Some(up) => {
            let found = up
                .canonicalize()
                .map_err(|e| Error::io("no such directory", e).at("directory", up.display()))?;
            found.join(path.strip_prefix(up).unwrap_or(FilePath::new("")))
        }
    };
    path.into_os_string().into_string().map_err(|path| {
        Error::config("the path is not UTF-8")
            .at("path", path.display())
            .help("run the job from another directory")
    })
}

/// Decodes `%20` and the like, which programs that print `file:` addresses write.
pub(super) fn percent_decoded(path: &str) -> Result<String> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.filter(|_| *byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(code) => (decoded.push(code), rest = &after[2..]),
            None => (decoded.push(*byte), rest = after),
        };
    }
    String::from_utf8(decoded).map_err(|e| Error::config("the decoded path is not UTF-8").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn a_relative_path_becomes_absolute() {
        let here = std::env::current_dir().unwrap();
        check("data/./x.txt", &format!("{}/data/x.txt", here.display()));
        check("*.txt", &format!("{}/*.txt", here.display()));
        check("src/../b*/", &format!("{}/b*/", here.display()));
        check(".", &here.display().to_string());
    }

    #[test]
    fn a_wildcard_ends_the_literal_path() {
        let location = Location::parse("memory:///logs/2024/*/a.txt").unwrap();
        assert_eq!((location.path.as_ref(), location.pattern.as_deref()), ("logs/2024", Some("*/a.txt")));
    }

    #[test]
    fn an_exact_address_has_no_wildcards() {
        let location = Location::exact("/data/a[1]*?{x}.txt").unwrap();
        assert_eq!((location.address().as_str(), location.pattern), ("/data/a[1]*?{x}.txt", None));
    }

    #[test]
    fn file_addresses_are_percent_decoded_and_others_are_not() {
        check("file:///data/a%20b%C3%A4.txt", "/data/a bä.txt");
        check("file:/data/100%", "/data/100%");
        check("memory:///a%20b", "memory:///a%20b");
    }

    #[test]
    fn a_link_before_dot_dot_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("deep/er")).unwrap();
        std::os::unix::fs::symlink(root.join("deep/er"), root.join("link")).unwrap();
        check(&format!("{}/link/../x", root.display()), &format!("{}/deep/x", root.display()));
    }

    #[test]
    fn a_bad_address_says_what_is_wrong_with_it() {
        for (address, message) in [
            ("", "the address is empty"),
            ("file://host/x", "a file address needs an absolute path"),
            ("s3:///x", "the address names no bucket"),
            ("memory://x/y", "memory has no hosts"),
            ("memory:///a/../b", "the path is malformed"),
            ("/no-such-folder/../x", "no such directory"),
        ] {
            let error = Location::parse(address).unwrap_err();
            assert_eq!((error.class(), error.message()), (Class::Config, message), "{address}");
        }
    }

    fn check(address: &str, absolute: &str) {
        assert_eq!(Location::parse(address).unwrap().address(), absolute);
    }
}
