//! Output formats of a result: JSON, Java properties and shell assignments.
//!
//! Converts one JSON object to text. In the two flat formats, the name of a value is its path in the
//! object, and null values are omitted. `result` decides which format is written where.

use std::fmt::Write;

use clap::ValueEnum;
use serde_json::Value;

/// The format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One object on one line.
    #[default]
    Json,
    /// Java properties: `kiln.outputs.0.rows=600`.
    Properties,
    /// Shell assignments: `KILN_RESULT_OUTPUTS_0_ROWS=600`.
    Env,
}

/// Prefixes of the names in the flat formats.
const PROPERTY: &str = "kiln";
const VARIABLE: &str = "KILN_RESULT";

impl Format {
    /// Formats the object `json`.
    pub(super) fn text(self, json: &str) -> String {
        match self {
            Format::Json => format!("{json}\n"),
            Format::Properties => lines(json, property),
            Format::Env => lines(json, assignment),
        }
    }

    /// Whether `text`, in this format, has this run id.
    pub(super) fn names_run(self, text: &str, run_id: &str) -> bool {
        match self {
            Format::Json => field(text, "run_id").is_some_and(|known| known == run_id),
            Format::Properties => has_line(text, &property("run_id", run_id)),
            Format::Env => has_line(text, &assignment("run_id", run_id)),
        }
    }

    /// The attempt in `text`, which is in this format.
    pub(super) fn attempt(self, text: &str) -> Option<u64> {
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        match self {
            Format::Json => field(text, "attempt")?.as_u64(),
            Format::Properties => line(&property("attempt", "")),
            Format::Env => line(&format!("{VARIABLE}_ATTEMPT=")),
        }
    }
}

/// A flat object with string values for Azkaban, which fails on null and on nested objects.
pub(super) fn flat_object(json: &str) -> String {
    let flat = flat(json).into_iter().map(|(name, text)| (format!("{PROPERTY}.{name}"), Value::from(text)));
    Value::Object(flat.collect()).to_string()
}

fn field(text: &str, name: &str) -> Option<Value> {
    serde_json::from_str::<Value>(text).ok()?.get(name).cloned()
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|known| known == line)
}

fn lines(json: &str, line: fn(&str, &str) -> String) -> String {
    flat(json).iter().map(|(name, text)| line(name, text) + "\n").collect()
}

/// The leaves of the object in order, each with its path.
fn flat(json: &str) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    add_leaves("", &serde_json::from_str(json).unwrap_or_default(), &mut leaves);
    leaves
}

fn add_leaves(path: &str, value: &Value, leaves: &mut Vec<(String, String)>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| add_leaves(&below(name), value, leaves))
        }
        Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(at, value)| add_leaves(&below(&at.to_string()), value, leaves));
        }
        Value::String(text) => leaves.push((path.to_owned(), text.clone())),
        other => leaves.push((path.to_owned(), other.to_string())),
    }
}

/// A line of a Java properties file, in ASCII.
fn property(name: &str, text: &str) -> String {
    let mut line = format!("{PROPERTY}.");
    name.chars().for_each(|letter| escape(letter, " =:#!", &mut line));
    line.push('=');
    for (at, letter) in text.chars().enumerate() {
        escape(letter, if at == 0 { " " } else { "" }, &mut line);
    }
    line
}

fn escape(letter: char, special: &str, line: &mut String) {
    match letter {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        '\\' => line.push_str("\\\\"),
        ' '..='~' => {
            if special.contains(letter) {
                line.push('\\');
            }
            line.push(letter);
        }
        other => {
            let mut units = [0; 2];
            for unit in other.encode_utf16(&mut units) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
}

/// An assignment that both a shell and an env file accept, quoted only where necessary.
fn assignment(name: &str, text: &str) -> String {
    let name: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
        .collect();
    let text = text.replace(['\n', '\r'], " ");
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_./:+,@%=-".contains(letter);
    match text.chars().all(is_plain) {
        true => format!("{VARIABLE}_{name}={text}"),
        false => format!("{VARIABLE}_{name}='{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str = r#"{"run_id":"d/it's","attempt":2,"class":null,"outputs":[{"uri":"s3://b/ä","rows":6}],"counters":{"odd rows":3},"message":"two\nlines"}"#;

    #[test]
    fn properties_are_what_java_reads() {
        let expected = "kiln.attempt=2\nkiln.counters.odd\\ rows=3\nkiln.message=two\\nlines\n\
                        kiln.outputs.0.rows=6\nkiln.outputs.0.uri=s3://b/\\u00e4\nkiln.run_id=d/it's\n";
        assert_eq!(Format::Properties.text(RESULT), expected);
    }

    #[test]
    fn assignments_are_what_a_shell_reads() {
        let expected = "KILN_RESULT_ATTEMPT=2\nKILN_RESULT_COUNTERS_ODD_ROWS=3\nKILN_RESULT_MESSAGE='two lines'\n\
                        KILN_RESULT_OUTPUTS_0_ROWS=6\nKILN_RESULT_OUTPUTS_0_URI='s3://b/ä'\nKILN_RESULT_RUN_ID='d/it'\\''s'\n";
        assert_eq!(Format::Env.text(RESULT), expected);
    }

    #[test]
    fn azkaban_gets_one_object_of_texts() {
        let flat = flat_object(RESULT);
        assert!(flat.contains(r#""kiln.attempt":"2""#) && !flat.contains("null"), "{flat}");
    }

    #[test]
    fn every_format_can_be_asked_for_its_run_and_attempt() {
        for format in [Format::Json, Format::Properties, Format::Env] {
            let text = format.text(RESULT);
            assert_eq!(format.attempt(&text), Some(2), "{format:?}");
            assert!(format.names_run(&text, "d/it's") && !format.names_run(&text, "d/it"), "{format:?}");
        }
    }
}
