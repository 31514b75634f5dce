//! The quoting rule of CSV files, for all code that must know whether a byte is inside a quoted field.
//!
//! **A quote opens a field only as the field's first byte, and the field must be closed.** Anywhere else
//! outside quotes, a quote is an ordinary character. Inside quotes, two quotes are one character, and a
//! single one closes the field: a delimiter, a line end or the end of the file must follow. Anything else,
//! above all the end of the file inside a quoted field, means that there is one quote too few or too many.
//! The parser of `arrow` would then read the rest of the file as one field, so the file is refused, with the
//! line of the quote that opened the field.
//!
//! The reader checks each block with [`QuoteScanner`] before it parses the block, the planner uses it to find
//! the starts of records (`quotes`), and errors use it to find their lines (`place`), so the three cannot
//! disagree.

use memchr::{memchr, memchr2};

use super::CsvFormat;
use crate::error::Error;
use crate::source::blocks::MAX_LINE_BYTES;

/// The state of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum State {
    /// Outside quotes.
    Outside,
    /// Inside quotes.
    Inside,
    /// After a quote that closes its field, unless another one follows.
    Closing,
}

/// A quoted field that breaks the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct Misquoted {
    /// The position of the quote that opened the field.
    pub(in crate::source) opened: u64,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The text ends inside the field.
    NeverClosed,
    /// Something other than a delimiter or a line end follows its closing quote.
    TextFollows,
    /// Its line ends, and fields may not contain newlines.
    LineEnds,
    /// It is longer than a line may be.
    TooLong,
}

impl Misquoted {
    /// The error, without its position.
    pub(in crate::source) fn error(self) -> Error {
        const TWICE: &str = "a quote inside of a quoted field is written twice";
        match self.why {
            Why::NeverClosed => Error::data("a quote is opened and never closed").help(format!(
                "is a quote missing, or the file cut off? {TWICE}; `Read::quote` names another one"
            )),
            Why::TextFollows => Error::data("text follows the closing quote of a field")
                .help(format!("is the quote that opens the field one too many? {TWICE}")),
            Why::LineEnds => Error::data("a quoted field does not end on its line")
                .help("close the quote, or leave out `multi_line(false)`: fields may then hold newlines"),
            Why::TooLong => {
                let text = format!("a quoted field is longer than {} MiB", MAX_LINE_BYTES >> 20);
                Error::data(text).help(format!("is its closing quote missing? {TWICE}"))
            }
        }
    }
}

/// Tracks the quotes of a text, which is passed in several parts.
#[derive(Debug)]
pub(in crate::source) struct QuoteScanner {
    delimiter: u8,
    quote: u8,
    multi_line: bool,
    state: State,
    /// The byte before the next one.
    before: u8,
    /// The position of the next byte.
    position: u64,
    /// The position of the latest opening quote.
    opened: u64,
    /// The position after the first newline outside quotes.
    line_end: Option<u64>,
    fault: Option<Misquoted>,
}

impl QuoteScanner {
    /// A scan from the start of a record at `position`.
    pub(in crate::source) fn new(format: &CsvFormat, position: u64) -> QuoteScanner {
        QuoteScanner::within(format, position, State::Outside, b'\n')
    }

    /// A scan from any position: after the byte `before`, in the state `state`.
    pub(in crate::source) fn within(
        format: &CsvFormat,
        position: u64,
        state: State,
        before: u8,
    ) -> QuoteScanner {
        let CsvFormat { delimiter, quote, multi_line, .. } = *format;
        let (opened, line_end, fault) = (position, None, None);
        QuoteScanner { delimiter, quote, multi_line, state, before, position, opened, line_end, fault }
    }

    /// Whether the next byte belongs to a quoted field.
    pub(in crate::source) fn is_inside(&self) -> bool {
        self.state == State::Inside
    }

    /// Whether a record may start with the next byte.
    pub(in crate::source) fn is_at_line_start(&self) -> bool {
        !self.is_inside() && is_line_end(self.before)
    }

    /// The position of the next byte.
    pub(in crate::source) fn position(&self) -> u64 {
        self.position
    }

    /// The position after the first newline outside quotes.
    pub(in crate::source) fn line_end(&self) -> Option<u64> {
        self.line_end
    }

    /// The first field that breaks the rule. After it the scan continues as the parser would.
    pub(in crate::source) fn fault(&self) -> Option<Misquoted> {
        self.fault
    }

    /// Scans more bytes.
    pub(in crate::source) fn feed(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let skipped = match self.state {
                State::Inside if self.multi_line => memchr(self.quote, rest),
                State::Inside => memchr2(self.quote, b'\n', rest),
                State::Closing => Some(0),
                State::Outside if self.line_end.is_none() => memchr2(self.quote, b'\n', rest),
                State::Outside => memchr(self.quote, rest),
            };
            let skipped = skipped.unwrap_or(rest.len());
            if let Some(last) = skipped.checked_sub(1) {
                self.before = rest[last];
                self.position += skipped as u64;
            }
            at += skipped;
            if let Some(byte) = bytes.get(at) {
                self.step(*byte);
                at += 1;
            }
        }
        if self.is_inside() && self.position - self.opened > MAX_LINE_BYTES as u64 {
            self.fail(Why::TooLong);
        }
    }

    /// Scans one byte.
    pub(in crate::source) fn step(&mut self, byte: u8) {
        let is_quote = byte == self.quote;
        match self.state {
            State::Outside if is_quote && self.starts_field() => {
                self.state = State::Inside;
                self.opened = self.position;
            }
            State::Outside => self.step_outside(byte),
            State::Inside if is_quote => self.state = State::Closing,
            State::Inside if byte == b'\n' && !self.multi_line => self.fail(Why::LineEnds),
            State::Inside => {}
            State::Closing if is_quote => self.state = State::Inside,
            State::Closing => {
                self.state = State::Outside;
                if byte != self.delimiter && !is_line_end(byte) {
                    self.fail(Why::TextFollows);
                }
                self.step_outside(byte);
            }
        }
        self.position += 1;
        self.before = byte;
    }

    fn step_outside(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line_end.get_or_insert(self.position + 1);
        }
    }

    /// Marks the end of the text.
    pub(in crate::source) fn finish(&mut self) {
        if self.is_inside() {
            self.fail(Why::NeverClosed);
        }
    }

    /// Whether the next byte is the first of a field.
    fn starts_field(&self) -> bool {
        self.before == self.delimiter || is_line_end(self.before)
    }

    fn fail(&mut self, why: Why) {
        self.fault.get_or_insert(Misquoted { opened: self.opened, why });
    }
}

/// Whether this byte ends a record, outside quotes.
pub(in crate::source) fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str, multi_line: bool) -> QuoteScanner {
        let format = CsvFormat { multi_line, ..CsvFormat::default() };
        let [mut whole, mut bytes] = [(); 2].map(|()| QuoteScanner::new(&format, 0));
        whole.feed(text.as_bytes());
        text.bytes().for_each(|byte| bytes.step(byte));
        assert_eq!(format!("{whole:?}"), format!("{bytes:?}"), "{text:?}");
        whole.finish();
        whole
    }

    fn fault(text: &str) -> Option<(u64, Why)> {
        scan(text, true).fault().map(|fault| (fault.opened, fault.why))
    }

    #[test]
    fn a_quote_inside_of_a_field_is_a_character_and_two_are_one() {
        for text in ["", "a\"b,5\"\"\n", "\"\"", "\"a\"\"b\",c\r\n\"\"\"\",d\"\r\"x\"\r", "\"a,\n\"\n\n"] {
            assert_eq!(fault(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_closed_or_goes_on_after_the_quote_is_a_fault_at_the_opening_quote() {
        assert_eq!(fault("1,\"abc\n2,d\n3,e\n"), Some((2, Why::NeverClosed)));
        assert_eq!(fault("\"a\"\"\n"), Some((0, Why::NeverClosed)));
        assert_eq!(fault("1,\"abc\n2,\"d\"\n3,e\n"), Some((2, Why::TextFollows)));
        assert_eq!(fault("a,\"b\"c\n"), Some((2, Why::TextFollows)));
    }

    #[test]
    fn without_multi_line_a_quoted_field_ends_on_its_line() {
        let faults = ["a,\"b\nc\"\n", "a,\"b\r\"\n"].map(|text| scan(text, false).fault());
        assert_eq!(faults, [Some(Misquoted { opened: 2, why: Why::LineEnds }), None]);
    }

    #[test]
    fn a_quoted_field_over_the_limit_is_a_fault_before_the_end() {
        let mut scanner = QuoteScanner::new(&CsvFormat::default(), 0);
        scanner.feed(b"a\n\"");
        scanner.feed(&vec![b'\n'; MAX_LINE_BYTES]);
        assert_eq!(scanner.fault(), Some(Misquoted { opened: 2, why: Why::TooLong }));
    }
}
