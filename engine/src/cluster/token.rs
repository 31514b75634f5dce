//! The secret that a driver shares with its executors, and the check on both ends of a call.
//!
//! Every driver generates a new token and sends it to an executor through a pipe, because other programs on
//! the machine can read arguments and environment. Every call carries the token in its metadata.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::error::{Error, Result};

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;
/// The system's source of random bytes.
const RANDOM: &str = "/dev/urandom";
const HEADER: &str = "authorization";

/// 256 random bits as hexadecimal digits. It has no `Debug`, so that it cannot end up in a log.
#[derive(Clone)]
pub(super) struct Token(Arc<str>);

impl Token {
    /// Generates a token.
    pub(super) fn random() -> Result<Token> {
        let mut bytes = [0; TOKEN_BYTES];
        let mut source = File::open(RANDOM).map_err(no_random)?;
        source.read_exact(&mut bytes).map_err(no_random)?;
        let mut text = String::new();
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Token(text.into()))
    }

    /// Parses the line that a driver wrote.
    pub(super) fn from_line(line: &str) -> Result<Token> {
        let text = line.trim_end();
        if text.len() != 2 * TOKEN_BYTES || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::bug("standard input carries no token: only a driver can start an executor"));
        }
        Ok(Token(text.into()))
    }

    /// The token as the line that [`Token::from_line`] parses.
    pub(super) fn line(&self) -> String {
        format!("{}\n", self.0)
    }

    /// An interceptor that adds the token to calls.
    pub(super) fn shown(&self) -> Result<ShowToken> {
        let value = format!("Bearer {}", self.0).parse();
        Ok(ShowToken(value.map_err(|e| Error::bug("the token is no header").because(e))?))
    }

    /// An interceptor that refuses calls without the token.
    pub(super) fn wanted(&self) -> WantToken {
        WantToken(self.clone())
    }

    /// Compares in constant time, so that the time does not reveal the position of the first difference.
    fn is(&self, given: &[u8]) -> bool {
        let ours = self.0.as_bytes();
        let differences = ours.iter().zip(given).fold(0, |all, (a, b)| all | (a ^ b));
        ours.len() == given.len() && std::hint::black_box(differences) == 0
    }
}

fn no_random(cause: std::io::Error) -> Error {
    Error::io("no random bytes for a token", cause).at("file", RANDOM)
}

/// The client's interceptor.
#[derive(Clone)]
pub(super) struct ShowToken(MetadataValue<Ascii>);

impl Interceptor for ShowToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(HEADER, self.0.clone());
        Ok(request)
    }
}

/// The server's interceptor.
#[derive(Clone)]
pub(super) struct WantToken(Token);

impl Interceptor for WantToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let given = request.metadata().get(HEADER).map(MetadataValue::as_bytes);
        match given.and_then(|header| header.strip_prefix(b"Bearer ")) {
            Some(token) if self.0.is(token) => Ok(request),
            _ => Err(Status::unauthenticated("the token is missing or wrong")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(shown: &Token, wanted: &Token) -> Result<Request<()>, Status> {
        wanted.wanted().call(shown.shown().unwrap().call(Request::new(())).unwrap())
    }

    #[test]
    fn the_right_token_is_let_in() {
        let token = Token::random().unwrap();
        let copy = Token::from_line(&token.line()).unwrap();
        assert!(call(&copy, &token).is_ok());
    }

    #[test]
    fn a_wrong_or_missing_token_is_refused() {
        let (ours, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(call(&other, &ours).unwrap_err().code(), tonic::Code::Unauthenticated);
        assert!(ours.wanted().call(Request::new(())).is_err());
        let short = Token(ours.0[1..].into());
        assert!(call(&short, &ours).is_err());
    }

    #[test]
    fn a_line_that_is_no_token_is_refused() {
        assert!(Token::from_line("").is_err());
        assert!(Token::from_line(&"g".repeat(64)).is_err());
    }
}
