//! Splits a block of whole lines into lines.
//!
//! The result is the same as for `str::lines`: `\n` and `\r\n` end a line, and nothing follows the last
//! newline. It uses `memchr`, which is several times faster on long lines. A carriage return anywhere else,
//! including at the end of the last line, is part of its line.

/// The lines of `block`, without their line ends.
///
/// An empty rest after the final newline is not a line; an empty line in between is one.
pub fn lines(block: &str) -> Lines<'_> {
    Lines { rest: block }
}

/// The iterator that [`lines`] returns.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(end) = memchr::memchr(b'\n', self.rest.as_bytes()) else {
            return Some(std::mem::take(&mut self.rest));
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_are_those_of_std() {
        for text in ["", "\n", "\r\n", "a", "a\n", "a\r\nb\rc\r\r\n\n\nd", "ä\r", "\n\nü\n \r\n"] {
            assert!(lines(text).eq(text.lines()), "{text:?}");
        }
    }

    #[test]
    fn an_empty_rest_after_the_last_newline_is_not_a_line() {
        assert_eq!(lines("a\r\n\nb\n").collect::<Vec<_>>(), ["a", "", "b"]);
    }
}
