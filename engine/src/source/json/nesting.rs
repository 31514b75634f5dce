//! Limits the nesting of JSON objects.
//!
//! arrow-json stores the path to the current value on the heap, but its error message for a value that does
//! not fit recurses into that value. So the nesting is checked before the objects are parsed.

use memchr::{memchr_iter, memrchr_iter};

/// The most levels of an object.
pub(super) const MAX_LEVELS: usize = 1000;
/// A window of text is scanned only if no object ends in it: shorter objects cannot nest deeply enough to
/// overflow the stack.
const WINDOW: usize = 8 << 10;

/// Whether a long object nests more than [`MAX_LEVELS`] deep. Where each line is a short object, only a few
/// bytes of each window are read.
pub(super) fn is_too_deep(text: &[u8]) -> bool {
    let mut rest = text;
    while rest.len() > WINDOW {
        let (object, next) = match memrchr_iter(b'\n', &rest[..WINDOW]).find(|at| is_between(rest, *at)) {
            Some(at) => (&[][..], &rest[at + 1..]),
            None => {
                let end = memchr_iter(b'\n', rest).find(|at| *at >= WINDOW && is_between(rest, *at));
                rest.split_at(end.map_or(rest.len(), |at| at + 1))
            }
        };
        if levels(object) > MAX_LEVELS {
            return true;
        }
        rest = next;
    }
    false
}

/// Whether the newline at `at` is between two objects: inside an object, no object follows another one
/// without a comma.
fn is_between(text: &[u8], at: usize) -> bool {
    let before = text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]);
    before.last() == Some(&b'}') && text.get(at + 1) == Some(&b'{')
}

/// The deepest level in `text`.
fn levels(text: &[u8]) -> usize {
    let (mut level, mut deepest) = (0usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' if !in_string => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An object with the given number of levels, possibly on several lines.
    fn nested(levels: usize, open: &str, close: &str) -> String {
        format!("{{\"text\":\"[{{\\\"\",\"value\":{}1{}}}", open.repeat(levels - 1), close.repeat(levels - 1))
    }

    proptest! {
        #[test]
        fn a_deep_object_is_found_wherever_it_is(
            before in 0..3000usize, after in 0..3000usize, more in 1..50_000usize, form in 0..3usize,
        ) {
            let (open, close) = [("[", "]"), ("{\"a\":", "}"), ("[\n", "\n]")][form];
            let flat = |count: usize| "{\"text\":\"]}]}\",\"value\":[1]}\n".repeat(count);
            let text = |levels| format!("{}{}\n{}", flat(before), nested(levels, open, close), flat(after));
            prop_assert!(!is_too_deep(text(MAX_LEVELS).as_bytes()));
            let levels = WINDOW + MAX_LEVELS + more;
            prop_assert!(is_too_deep(text(levels).as_bytes()), "{levels} levels");
        }
    }
}
