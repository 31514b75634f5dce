//! Parses addresses as users write them: the same rules for sources, outputs, checkpoints and `KILN_TMP`.
//!
//! | address | means |
//! |---|---|
//! | `a/b`, `/a/b` | a path of this machine, every character literal |
//! | `file:/a`, `file:///a`, `file://localhost/a` | the path `/a`, percent-decoded: `%20` is a blank, `%2F` a slash |
//! | `memory:///a` | the object or prefix `a` in the memory of this process, every character literal |
//! | `s3://bucket/a`, `gs://…`, `az://…` | the object or prefix `a` in the bucket, every character literal, as in Spark |
//!
//! - A scheme is letters, digits, `+`, `-` and `.` before `:/`, in upper or lower case. `a:b` is a path, and
//!   a path that looks like a scheme is written `./s3:/b`. In `file:`, a host other than this machine is
//!   refused.
//! - No address has a query or a fragment: `#` is literal everywhere, and `?` is a wildcard everywhere.
//! - `*`, `?`, `[..]` and `{..}` make a pattern. Only a source accepts one; an output is one folder, so
//!   [`Location::folder`] refuses it. `[*]`, `[?]`, `[[]`, `[]]`, `[{]` and `[}]` are one literal character,
//!   and so are `%2A`, `%3F` and the like in `file:`. Sources and outputs use the same syntax.
//! - Local paths may be relative and may contain `.`, `..` and repeated slashes. They are made absolute here
//!   and only here, so that what is sent to another process means the same there. In a store such addresses
//!   are refused.
//! - A trailing slash marks a folder and changes nothing else. Control characters are refused.
//!
//! Whether anything exists at the location is checked in `listing`.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;

use super::pattern::{escape, is_wildcard, unescape};
use super::store::Store;
use crate::error::{Error, Result};

/// The target of an address: a file, a folder or a pattern of files in a store.
#[derive(Clone, Debug)]
pub struct Location {
    /// The store.
    pub store: Store,
    /// The literal path in the store, up to the first segment with a wildcard.
    pub path: Path,
    /// The rest of the path from the first segment with a wildcard.
    pub pattern: Option<String>,
    /// Whether the address ends in `/`, so that only a folder is meant.
    pub is_folder: bool,
}

impl Location {
    /// The location of input: `data/*.txt`, `/abs/path`, `dir/`, `file:///..`, `s3://bucket/prefix/*.gz`.
    ///
    /// # Errors
    /// Of class config when the address is malformed or this build has no store for it.
    pub fn parse(address: &str) -> Result<Location> {
        let parsed = resolve(address).and_then(|(store, path)| Location::new(store, &path, true));
        parsed.map_err(|e| e.at("address", address))
    }

    /// The location of a folder: the same as [`parse`](Location::parse), but patterns are refused.
    ///
    /// # Errors
    /// As [`Location::parse`]; also config for a pattern.
    pub fn folder(address: &str) -> Result<Location> {
        let location = Location::parse(address)?;
        if location.pattern.is_none() {
            return Ok(location);
        }
        let error =
            Error::config("the address of a folder to write to has a wildcard").at("address", address);
        Err(error.help("write `[*]` for a literal `*`, and likewise `[?]`, `[[]` and `[{]`"))
    }

    /// The location of an output: a folder that is named by its address.
    ///
    /// # Errors
    /// As [`Location::folder`]; also config for an address that ends in `.` or `..`, whose folder may contain
    /// anything.
    pub fn output(address: &str) -> Result<Location> {
        let location = Location::folder(address)?;
        let (_, path) = resolve(address)?;
        if matches!(path.trim_end_matches('/').rsplit('/').next(), Some("." | "..")) {
            let error = Error::config("the address of an output ends in dots").at("address", address);
            return Err(error.help("end it in the name of a folder"));
        }
        Ok(location)
    }

    /// The location of one object at an address made by Kiln ([`Location::address`]). Wildcards in it are
    /// literal.
    ///
    /// # Errors
    /// As [`Location::parse`].
    pub fn exact(address: &str) -> Result<Location> {
        let parsed = resolve(address).and_then(|(store, path)| Location::new(store, &path, false));
        parsed.map_err(|e| e.at("address", address))
    }

    /// The absolute address, including the pattern. Without a pattern, [`Location::exact`] accepts it in any
    /// process.
    pub fn address(&self) -> String {
        let base = self.store.address(&self.path);
        match &self.pattern {
            Some(pattern) if base.ends_with('/') => format!("{base}{pattern}"),
            Some(pattern) => format!("{base}/{pattern}"),
            None => base,
        }
    }

    /// The path in the file system of this machine, if the location is local.
    pub fn local_path(&self) -> Option<PathBuf> {
        self.store.is_local().then(|| PathBuf::from(self.store.address(&self.path)))
    }

    /// The address for users; [`Location::parse`] returns this location for it. Links in a local path are
    /// resolved, so that two addresses of the same folder have the same `uri`.
    pub fn uri(&self) -> String {
        match self.local_path() {
            Some(path) => file_uri(&resolved(&path)),
            None => self.store.address(&Path::default()) + &escape(self.path.as_ref()),
        }
    }

    /// A location in `store`; `path` may have wildcards, with literal ones escaped, if `wildcards` is set.
    fn new(store: Store, path: &str, wildcards: bool) -> Result<Location> {
        let (base, pattern) = if wildcards { split_pattern(path) } else { (path.into(), None) };
        let base = if store.is_local() { absolute(&base)?.into() } else { base };
        let is_folder = path.ends_with('/') || path.is_empty();
        let path = Path::parse(&base).map_err(|e| Error::config("the path is malformed").because(e))?;
        Ok(Location { store, path, pattern: pattern.map(str::to_owned), is_folder })
    }
}

/// Whether an address names a place in the file system of this machine.
pub fn is_local(address: &str) -> bool {
    Location::parse(address).is_ok_and(|location| location.store.is_local())
}

/// The `file:` address of a local path, with every special character percent-encoded.
pub fn file_uri(path: &FilePath) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,;=:@".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// The store of an address and the path in it, in which literal wildcards are escaped.
fn resolve(address: &str) -> Result<(Store, String)> {
    if address.is_empty() {
        return Err(Error::config("the address is empty"));
    }
    let Some((scheme, rest)) = split_scheme(address) else {
        return Ok((Store::open("file", "")?, address.to_owned()));
    };
    if scheme == "file" {
        return Ok((Store::open("file", "")?, file_path(rest)?));
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(Error::config(format!("the address of a store begins with `{scheme}://`"))
            .help(format!("a local path that begins like an address is written ./{address}")));
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    check_host(&scheme, host)?;
    if path.starts_with('/') {
        return Err(Error::config("the path is malformed").help("remove the repeated slash"));
    }
    Ok((Store::open(&scheme, host)?, path.to_owned()))
}

/// The scheme in lower case and the text after its colon; `None` for a path.
fn split_scheme(address: &str) -> Option<(String, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let scheme = scheme.to_ascii_lowercase();
    (is_scheme && (rest.starts_with('/') || scheme == "file")).then_some((scheme, rest))
}

/// Refuses an invalid bucket name: a URL parser would drop everything after `#` or `?` and open another
/// bucket.
fn check_host(scheme: &str, host: &str) -> Result<()> {
    let is_name = |byte: u8| {
        byte.is_ascii_alphanumeric() || b".-_".contains(&byte) || (byte == b'@' && scheme.starts_with("abfs"))
    };
    match (scheme, host) {
        ("memory", "") => Ok(()),
        ("memory", _) => Err(Error::config("memory has no hosts").help("write memory:///path")),
        (_, "") => Err(Error::config("the address names no bucket")),
        (_, host) if host.bytes().all(is_name) => Ok(()),
        _ => Err(Error::config("the name of the bucket has a character that no bucket may have")
            .at("bucket", host)
            .help("a bucket is followed by a slash: s3://bucket/path")),
    }
}

/// The path of a `file:` address; percent-encoded wildcards are escaped.
fn file_path(rest: &str) -> Result<String> {
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    if !path.starts_with('/') || !(host.is_empty() || host.eq_ignore_ascii_case("localhost")) {
        return Err(Error::config("a file address needs an absolute path").help("write file:///path"));
    }
    decode(path, |decoded, code| match is_wildcard(char::from(code)) {
        true => decoded.extend([b'[', code, b']']),
        false => decoded.push(code),
    })
}

/// Splits before the first segment with a wildcard. In the literal part, escaped characters are unescaped.
fn split_pattern(path: &str) -> (Cow<'_, str>, Option<&str>) {
    let (mut base, mut from) = (String::new(), 0);
    for segment in path.split_inclusive('/') {
        match unescape(segment) {
            Some(literal) => base.push_str(&literal),
            None => return (base.into(), Some(&path[from..])),
        }
        from += segment.len();
    }
    (base.into(), None)
}

/// `path` with its links resolved, as far as it exists: a folder that is created later keeps its address.
fn resolved(path: &FilePath) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match known {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path.to_owned(),
    }
}

/// The absolute form of a local path. If it has `..`, the part up to the last one is resolved in the file
/// system, because `a/..` is not the current folder when `a` is a link.
fn absolute(path: &str) -> Result<String> {
    // Two leading slashes mean one, but `std::path::absolute` keeps them.
    let slashes = path.len() - path.trim_start_matches('/').len();
    let path = &path[slashes.saturating_sub(1)..];
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

/// Decodes `%20` and the like; a `%` without two hexadecimal digits is literal.
pub fn percent_decoded(text: &str) -> Result<String> {
    decode(text, |decoded, code| decoded.push(code))
}

/// Decodes `text`; `push` adds a byte that was encoded.
fn decode(text: &str, push: impl Fn(&mut Vec<u8>, u8)) -> Result<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                push(&mut decoded, digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(decoded).map_err(|e| Error::config("the decoded path is not UTF-8").because(e))
}

/// The value of a hexadecimal digit.
fn digit(digit: u8) -> u8 {
    char::from(digit).to_digit(16).map_or(0, |value| value as u8)
}

#[cfg(test)]
mod tests;
