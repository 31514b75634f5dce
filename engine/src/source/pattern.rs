//! Parses wildcards: a pattern becomes a list of segments that paths must match.
//!
//! `*`, `?` and `[..]` match within a segment, `**` matches any number of folders, and `{a,b}` is expanded
//! into several patterns first, because its alternatives may contain slashes. Segments are kept separate so
//! that the listing only opens folders that can match. Nothing here accesses a store.

use std::borrow::Cow;

use glob::MatchOptions;

use crate::error::{Error, Result};

/// How many patterns a pattern with `{..}` may expand to.
const MAX_ALTERNATIVES: usize = 1024;

/// What one segment of a path must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this name.
    Name(String),
    /// A name that matches.
    Wild(glob::Pattern),
    /// Any number of folders, including none.
    Deep,
}

impl Segment {
    /// Any name that is not hidden.
    pub(super) fn any() -> Segment {
        Segment::Wild(glob::Pattern::new("*").unwrap_or_default())
    }
}

/// Whether `text` contains a character that makes it a pattern.
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Whether `char` has a special meaning in a pattern.
pub(super) fn is_wildcard(char: char) -> bool {
    matches!(char, '*' | '?' | '[' | ']' | '{' | '}')
}

/// The pattern that matches only `text`: `a*` becomes `a[*]`.
pub(super) fn escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for char in text.chars() {
        match is_wildcard(char) {
            true => pattern.extend(['[', char, ']']),
            false => pattern.push(char),
        }
    }
    pattern
}

/// The only text that `pattern` matches: `a[*]` is `a*`. `None` if several texts can match.
///
/// Only wildcards are unescaped: `[1]` remains a pattern, so an output at `report[1]` is refused and does not
/// replace `report1`.
pub(super) fn unescape(pattern: &str) -> Option<Cow<'_, str>> {
    if !is_pattern(pattern) {
        return Some(pattern.into());
    }
    let (mut text, mut rest) = (String::with_capacity(pattern.len()), pattern.chars());
    while let Some(char) = rest.next() {
        match char {
            '[' => {
                text.push(rest.next().filter(|escaped| is_wildcard(*escaped))?);
                rest.next().filter(|close| *close == ']')?;
            }
            '*' | '?' | '{' => return None,
            _ => text.push(char),
        }
    }
    Some(text.into())
}

/// Whether a listing skips the file `name` unless its name is given.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// The same for a folder. A folder named `key=value` has rows, whatever its key: the first column of a tuple
/// is `_1`.
pub(super) fn is_hidden_folder(name: &str) -> bool {
    is_hidden(name) && !name.contains('=')
}

/// Whether `name` matches; a hidden name (`is_hidden`) only matches a pattern that starts with the same
/// character.
pub(super) fn matches(wild: &glob::Pattern, name: &str, is_hidden: bool) -> bool {
    let named = !is_hidden || wild.as_str().chars().next() == name.chars().next();
    named && wild.matches_with(name, MatchOptions { case_sensitive: true, ..MatchOptions::default() })
}

/// The alternatives of `pattern`, each as segments.
pub(super) fn parse(pattern: &str) -> Result<Vec<Vec<Segment>>> {
    let mut alternatives = Vec::new();
    expand(pattern, &mut alternatives).map_err(|e| e.at("pattern", pattern))?;
    alternatives.iter().map(|text| segments(text).map_err(|e| e.at("pattern", pattern))).collect()
}

fn segments(text: &str) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
        segments.push(match part {
            ".." => return Err(Error::config("`..` cannot follow a wildcard")),
            "**" => Segment::Deep,
            name if !is_pattern(name) => Segment::Name(name.to_owned()),
            wild => Segment::Wild(glob::Pattern::new(wild).map_err(malformed)?),
        });
    }
    Ok(segments)
}

fn malformed(error: glob::PatternError) -> Error {
    let advice =
        "`[` needs its `]`, and `**` stands alone between slashes; a literal wildcard is written `[*]`";
    Error::config("the pattern cannot be understood").because(error).help(advice)
}

/// Expands the first `{..}` of `text`, and recursively all others.
fn expand(text: &str, into: &mut Vec<String>) -> Result<()> {
    let Some((open, _)) = text.match_indices('{').find(|&(at, _)| !in_brackets(text, at)) else {
        if into.len() == MAX_ALTERNATIVES {
            return Err(Error::config(format!(
                "the pattern stands for more than {MAX_ALTERNATIVES} patterns"
            )));
        }
        into.push(text.to_owned());
        return Ok(());
    };
    let (choices, close) = choices(text, open)?;
    for choice in choices {
        expand(&format!("{}{choice}{}", &text[..open], &text[close + 1..]), into)?;
    }
    Ok(())
}

/// The alternatives of the group that opens at `open`, and the position of its closing brace.
fn choices(text: &str, open: usize) -> Result<(Vec<&str>, usize)> {
    let (mut depth, mut from, mut choices) = (0, open + 1, Vec::new());
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                choices.push(&text[from..at]);
                return Ok((choices, at));
            }
            b'}' => depth -= 1,
            b',' if depth == 1 => {
                choices.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    Err(Error::config("`{` has no `}`").help("a literal brace is written `[{]`"))
}

/// Whether the byte `at` is in a character class such as `[{]`.
fn in_brackets(text: &str, at: usize) -> bool {
    let before = &text[..at];
    before.rfind('[').is_some_and(|open| !before[open..].contains(']')) && text[at..].contains(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    #[test]
    fn braces_stand_for_their_alternatives_also_nested_and_across_slashes() {
        let mut texts = Vec::new();
        expand("x/{a,b{1,2}}/{c/d,}*", &mut texts).unwrap();
        assert_eq!(texts.join(" "), "x/a/c/d* x/a/* x/b1/c/d* x/b1/* x/b2/c/d* x/b2/*");
    }

    #[test]
    fn a_brace_in_brackets_is_a_literal() {
        let alternatives = parse("[{]{a,b}").unwrap();
        let is_match = |s: &[Segment], name| matches!(s, [Segment::Wild(wild)] if matches(wild, name, false));
        let count = |name| alternatives.iter().filter(|s| is_match(s, name)).count();
        assert_eq!([count("{a"), count("{b"), count("a")], [1, 1, 0]);
    }

    #[test]
    fn hidden_names_match_only_patterns_that_begin_like_them() {
        let wild = |text| glob::Pattern::new(text).unwrap();
        assert!(!matches(&wild("*"), "_SUCCESS", true) && !matches(&wild("?x"), ".x", true));
        assert!(matches(&wild("_*"), "_SUCCESS", true) && matches(&wild(".?"), ".x", true));
    }

    #[test]
    fn a_malformed_pattern_is_the_jobs_fault_and_says_why() {
        for (pattern, message) in [
            ("a[b", "the pattern cannot be understood"),
            ("a**b", "the pattern cannot be understood"),
            ("{a,b", "`{` has no `}`"),
            ("*/../a", "`..` cannot follow a wildcard"),
            (
                "{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}{1,2}",
                "the pattern stands for more than 1024 patterns",
            ),
        ] {
            let error = parse(pattern).unwrap_err();
            assert_eq!((error.class(), error.message()), (Class::Config, message), "{pattern}");
        }
    }
}
