//! An address means the same for writing and for reading, and writing changes nothing else.
//!
//! Addresses are generated with all characters that the writer or the reader could treat as special.
//! The expected meaning, a path of the file system, is computed here by separate code. Beside the
//! target are folders with the names that would result from cutting, decoding or encoding a part of its
//! name; they must stay unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kiln::{Class, Context, Mode, Result, Row};
use proptest::prelude::*;
use proptest::sample::select;

use super::generated::{for_each, random};
use super::s3::{BUCKET, S3};
use super::{folder, small};

/// Parts of names.
const TOKENS: [&str; 40] = [
    "a", "b", "report", "#", "#2", "?", "?x=1", "%", "%2", "%23", "%2F", "%2e", "%2E%2E", "%3F", "%2A",
    "%00", "%FF", "%20", "%C3%A4", "ä", "日本", " ", "+", "&", "=", ":", "~", "\\", "\"", "'", "*", "[*]",
    "[?]", "[1]", "{", "]", "_", ".", "..", "\t",
];
/// Names with a special meaning for some component.
const NAMES: [&str; 9] = ["", ".", "..", ".kiln-stage", "_1=2", ".hidden", "s3:", "out", "deep"];
/// Folders between the root of a test and the folder in which it writes: more than an address has `..`.
const DEPTH: &str = "1/2/3/4/5/6";

/// The beginning of an address.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// An absolute path.
    Path,
    /// A path relative to the current directory.
    Relative,
    /// A URL, with the part before its path.
    Url(&'static str),
}

#[derive(Clone, Debug)]
struct Case {
    form: Form,
    /// The part after the path of the folder.
    rest: String,
}

impl Case {
    /// The address in the folder `place`.
    fn address(&self, place: &Path) -> String {
        let place = place.display().to_string();
        match self.form {
            Form::Path => format!("{place}/{}", self.rest),
            Form::Url(begin) => format!("{begin}{place}/{}", self.rest),
            Form::Relative => {
                let up =
                    std::env::current_dir().unwrap().ancestors().skip(1).map(|_| "../").collect::<String>();
                format!("{up}{}/{}", &place[1..], self.rest)
            }
        }
    }

    /// The folder at the address; `None` if it cannot be an output.
    fn target(&self, place: &Path) -> Option<PathBuf> {
        let is_url = matches!(self.form, Form::Url(_));
        let bytes = if is_url { decoded(&self.rest) } else { unescaped(&self.rest)? };
        let path = String::from_utf8(bytes).ok().filter(|path| !path.contains(char::is_control))?;
        let is_literal = !is_url || unescaped(&self.rest).is_some();
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let is_named = names.last().is_none_or(|name| !matches!(*name, "." | ".."));
        if !is_literal || !is_named {
            return None;
        }
        let mut target = place.to_path_buf();
        for (at, name) in names.iter().enumerate() {
            match *name {
                "." => {}
                ".." => _ = target.pop(),
                name => target.push(name),
            }
            // The file system resolves the folders before `..`, so they must exist.
            if names[at..].contains(&"..") && !target.is_dir() {
                return None;
            }
        }
        (!target.iter().any(|name| name == ".kiln-stage")).then_some(target)
    }
}

/// The only text that matches a pattern; `None` if there are several.
fn unescaped(pattern: &str) -> Option<Vec<u8>> {
    let mut text = pattern.to_owned();
    for (char, code) in [('*', "\u{1}"), ('?', "\u{2}")] {
        text = text.replace(&format!("[{char}]"), code);
    }
    let is_literal = !text.contains(['*', '?', '[', '{']);
    is_literal.then(|| text.replace('\u{1}', "*").replace('\u{2}', "?").into_bytes())
}

/// The text of a URL, in which `[*]` is a star.
fn decoded(url: &str) -> Vec<u8> {
    let url = unescaped(url).unwrap_or_default();
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < url.len() {
        let hex =
            url.get(at + 1..at + 3).filter(|hex| url[at] == b'%' && hex.iter().all(u8::is_ascii_hexdigit));
        let code = hex.map(|hex| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap());
        bytes.push(code.unwrap_or(url[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    bytes
}

fn cases() -> impl Strategy<Value = Case> {
    let name = prop_oneof![
        4 => prop::collection::vec(select(&TOKENS[..]), 1..4).prop_map(|tokens| tokens.concat()),
        1 => select(&NAMES[..]).prop_map(str::to_owned),
    ];
    let urls = ["file:", "file://", "FILE://", "file://localhost", "File://LocalHost"].map(Form::Url);
    let forms = select([&[Form::Path, Form::Path, Form::Relative, Form::Relative], &urls[..]].concat());
    let end = select(&["", "", "/", "//", "/."][..]);
    (forms, prop::collection::vec(name, 1..4), end)
        .prop_map(|(form, names, end)| Case { form, rest: names.join("/") + end })
}

/// Names that a wrong interpretation of `name` could lead to.
fn neighbours(name: &str) -> Vec<String> {
    let cuts = ["#", "?", "%", "*", "[", " ", "."].into_iter().filter_map(|cut| name.split_once(cut));
    let cuts = cuts.flat_map(|(before, after)| [before.to_owned(), after.to_owned()]);
    let encoded = [("#", "%23"), ("?", "%3F"), (" ", "%20"), ("*", "%2A"), ("%", "%25"), ("ä", "%C3%A4")];
    let encoded =
        encoded.into_iter().flat_map(|(char, code)| [name.replace(char, code), name.replace(code, char)]);
    let others =
        [name.to_lowercase() + "x", format!("{name}#"), name.trim().to_owned(), name.replace('\\', "_")];
    let all = cuts.chain(encoded).chain(others);
    all.filter(|other| other != name && !matches!(&other[..], "" | "." | "..") && !other.contains('/'))
        .collect()
}

/// All files and folders below `root` with their bytes, except those in `target`.
fn tree(root: &Path, target: Option<&Path>) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let paths = folder::data(root).into_iter().map(|path| root.join(path));
    let paths = paths
        .filter(|path| target.is_none_or(|target| !path.starts_with(target) && !target.starts_with(path)));
    paths.map(|path| (path.clone(), fs::read(path).ok())).collect()
}

#[derive(Row, Clone, Debug, PartialEq, PartialOrd)]
struct Dated {
    day: u64,
    n: u64,
}

fn write(cx: &Context, output: &str, mode: Mode, lines: std::ops::Range<u64>) -> Result<()> {
    cx.parallelize_in(2, lines).map(|n| n.to_string()).write().mode(mode).text(output)
}

fn write_days(cx: &Context, output: &str, mode: Mode, days: std::ops::Range<u64>) -> Result<()> {
    let rows = cx.parallelize_in(2, days.map(|day| Dated { day, n: day * 10 }));
    rows.write().partition_by(["day"]).mode(mode).csv(output)
}

fn read(cx: &Context, input: &str) -> Vec<u64> {
    let lines = cx.read_text(input).map_to::<String>(|line| line).collect().unwrap();
    let mut numbers: Vec<u64> = lines.iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn read_days(cx: &Context, input: &str) -> Vec<(u64, u64)> {
    let rows = cx.read().hive_partitions().csv::<Dated>(input).collect().unwrap();
    let mut rows: Vec<(u64, u64)> = rows.iter().map(|row| (row.day, row.n)).collect();
    rows.sort_unstable();
    rows
}

/// Writes to `address` in every mode and reads it back; `is_same` checks that everything else is
/// unchanged.
fn check_round_trip(address: &str, is_same: impl Fn(&str)) {
    let cx = Context::local(2);
    write(&cx, address, Mode::Error, 0..4).unwrap();
    assert_eq!(read(&cx, address), [0, 1, 2, 3]);
    is_same("written");
    assert_eq!(write(&cx, address, Mode::Error, 4..5).unwrap_err().message(), "the output exists");
    write(&cx, address, Mode::Ignore, 5..6).unwrap();
    assert_eq!(read(&cx, address), [0, 1, 2, 3]);
    write(&cx, address, Mode::Overwrite, 6..8).unwrap();
    assert_eq!(read(&cx, address), [6, 7]);
    is_same("overwritten");
    write(&cx, address, Mode::Append, 8..9).unwrap();
    assert_eq!(read(&cx, address), [6, 7, 8]);
    is_same("appended to");
    let reported = cx.job_run().facts().outputs.pop().unwrap().uri;
    assert_eq!(read(&cx, &reported), [6, 7, 8], "at the address that the job reports: {reported}");

    write_days(&cx, address, Mode::Overwrite, 1..3).unwrap();
    write_days(&cx, &reported, Mode::ReplacePartitions, 2..4).unwrap();
    assert_eq!(read_days(&cx, address), [(1, 10), (2, 20), (3, 30)]);
    is_same("with partitions replaced");

    let rows = cx.range(0..5).checkpoint(address).unwrap();
    assert_eq!(rows.count().unwrap(), 5);
    is_same("a checkpoint");
    let again = cx.range(0..6).checkpoint(&reported).err().map(|error| error.message().to_owned());
    assert_eq!(again.as_deref(), Some("this run has made a checkpoint here before"));
}

#[test]
fn what_is_written_to_a_path_is_read_by_the_same_text_and_nothing_else_changes() {
    for_each(60, cases(), |case| {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let place = root.join(DEPTH);
        fs::create_dir_all(place.join("deep/er")).unwrap();
        fs::write(place.join("precious"), "precious").unwrap();
        let (address, target) = (case.address(&place), case.target(&place));
        let Some(target) = target else {
            let before = tree(&root, None);
            for mode in [Mode::Error, Mode::Overwrite, Mode::Append] {
                let error = write(&Context::local(1), &address, mode, 0..4).unwrap_err();
                assert_eq!(error.class(), Class::Config, "{error}");
            }
            assert!(Context::local(1).range(0..5).checkpoint(&address).is_err());
            assert_eq!(tree(&root, None), before, "{address} is refused");
            return;
        };
        let (name, beside) = (target.file_name().unwrap().to_str().unwrap(), target.parent().unwrap());
        let _ = fs::remove_dir_all(&target);
        for other in neighbours(name) {
            fs::create_dir_all(beside.join(&other)).unwrap();
            fs::write(beside.join(other).join("precious"), "precious").unwrap();
        }
        let before = tree(&root, Some(&target));
        check_round_trip(&address, |what| assert_eq!(tree(&root, Some(&target)), before, "{address} {what}"));
        assert!(target.is_dir(), "{address} is {}", target.display());
    });
}

/// The names of `rest` in a store, where all characters are literal; `None` if it cannot be an output.
fn key(rest: &str) -> Option<String> {
    let key = String::from_utf8(unescaped(rest)?).ok().filter(|key| !key.contains(char::is_control))?;
    let key = key.strip_suffix('/').unwrap_or(&key);
    let is_name = |name: &str| !matches!(name, "" | "." | ".." | ".kiln-stage");
    key.split('/').all(is_name).then(|| key.to_owned())
}

/// The objects below `root` in memory that are not below `target`, which is in the same notation.
fn objects(root: &str, target: &str) -> BTreeMap<String, Vec<u8>> {
    let files = Context::local(1).read_binary_files(&format!("{root}/**")).collect().unwrap();
    let files = files.into_iter().filter(|(address, _)| !address.starts_with(&format!("{target}/")));
    files.map(|(address, bytes)| (address, bytes.to_vec())).collect()
}

#[test]
fn what_is_written_to_an_address_in_memory_is_read_by_the_same_text_and_nothing_else_changes() {
    for_each(60, (cases(), select(&["memory", "MEMORY", "Memory"][..])), |(case, scheme)| {
        let root = format!("memory:///addresses-{:x}", random());
        let rest = format!("place/{}", case.rest);
        let address = format!("{scheme}{}/{rest}", root.strip_prefix("memory").unwrap());
        let put =
            |name: &str| write(&Context::local(1), &format!("{root}/{name}"), Mode::Error, 0..1).unwrap();
        put("precious");
        let Some(key) = key(&rest) else {
            let before = objects(&root, &root.replace('m', "M"));
            for mode in [Mode::Error, Mode::Overwrite, Mode::Append] {
                let error = write(&Context::local(1), &address, mode, 0..4).unwrap_err();
                assert_eq!(error.class(), Class::Config, "{error}");
            }
            assert_eq!(objects(&root, &root.replace('m', "M")), before, "{address} is refused");
            return;
        };
        let (above, name) = key.rsplit_once('/').map_or(("", &key[..]), |(above, name)| (above, name));
        // A pattern must be able to match the prefix above the target.
        let is_plain = |name: &String| !name.contains(|c: char| c.is_control() || "*?[{_.".contains(c));
        let others: BTreeSet<String> = neighbours(name).into_iter().filter(is_plain).collect();
        let above: String =
            above.split_inclusive('/').map(|part| part.replace(['*', '?', '[', '{'], "x")).collect();
        others
            .iter()
            .for_each(|other| put(&format!("{above}{}{other}", if above.is_empty() { "" } else { "/" })));
        let target = format!("{root}/{key}");
        let before = objects(&root, &target);
        check_round_trip(&address, |what| assert_eq!(objects(&root, &target), before, "{address} {what}"));
    });
}

#[test]
fn what_is_written_to_an_address_in_s3_is_read_by_the_same_text_and_nothing_else_changes() {
    let tokens =
        select(&["a", "#", "#2", "%23", "%2F", "%", "ä", " ", "+", "&", "=", ":", "~", "[*]", "[?]"][..]);
    let names = prop::collection::vec(tokens, 1..5).prop_map(|tokens| format!("n{}n", tokens.concat()));
    for_each(6, (names, select(&["s3", "S3"][..]), select(&["", "/"][..])), |(name, scheme, end)| {
        let s3 = S3::start();
        let key = String::from_utf8(unescaped(&name).unwrap()).unwrap();
        let before: BTreeSet<String> =
            neighbours(&key).iter().map(|other| format!("out/{other}/precious")).collect();
        before.iter().for_each(|key| s3.put(key, "precious"));
        let address = format!("{scheme}://{BUCKET}/out/{name}{end}");
        for round in 0..2 {
            // The rows are counted after they were read back from the same address.
            let ended = s3.tell(small("local[2]").option("--checkpoint", &address)).run().ok();
            assert_eq!(ended.stdout, "600 rows\n", "{address}, round {round}");
            let keys = s3.keys("out/").into_iter().filter(|key| !key.starts_with("out/_kiln/"));
            let (target, others): (Vec<String>, Vec<String>) =
                keys.partition(|other| other.starts_with(&format!("out/{key}/")));
            assert_eq!((target.len(), BTreeSet::from_iter(others)), (6 + 1, before.clone()), "{address}");
        }
    });
}
