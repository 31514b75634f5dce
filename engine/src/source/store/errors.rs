//! Classifies the errors of a store: the class, the reason and advice.
//!
//! The code in the body of a response decides, because one status has many meanings. The client passes on a
//! body only as a part of its error text, so the text is searched. A response to `HEAD` has no body; there
//! the status decides. After that come errors of the connection (TLS, network, credentials). The table is in
//! `docs/object-stores.md`.

use std::error::Error as StdError;
use std::io::ErrorKind;

use object_store::Error as O;

use crate::error::{Class, Error};

/// The message of a kind of failure, and advice about it.
struct Kind {
    class: Class,
    reason: &'static str,
    message: &'static str,
    help: &'static str,
}

const fn kind(class: Class, reason: &'static str, message: &'static str, help: &'static str) -> Kind {
    Kind { class, reason, message, help }
}

const CREDENTIALS: Kind = kind(
    Class::Auth,
    "no_credentials",
    "there are no credentials for the store",
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE for a profile of ~/.aws, or give the machine or \
     pod a role",
);
const DENIED: Kind = kind(
    Class::Auth,
    "access_denied",
    "no permission",
    "the credentials are valid and may not do this: allow it in the policy of the user, the role or the bucket",
);
const WRONG_KEY: Kind = kind(
    Class::Auth,
    "wrong_credentials",
    "no permission: the store refuses the credentials",
    "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary keys",
);
const EXPIRED: Kind = kind(
    Class::Auth,
    "expired_token",
    "the credentials have expired",
    "get new temporary credentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together",
);
const CLOCK: Kind = kind(
    Class::Config,
    "wrong_clock",
    "the clock of this machine differs from that of the store",
    "set the clock: signatures hold for 15 minutes",
);
const BUCKET: Kind = kind(
    Class::Config,
    "no_such_bucket",
    "no such bucket",
    "check the name of the bucket and AWS_ENDPOINT_URL",
);
const REGION: Kind = kind(
    Class::Config,
    "wrong_region",
    "the bucket is in another region",
    "set AWS_REGION to the region of the bucket",
);
const ARCHIVED: Kind = kind(
    Class::Config,
    "archived_object",
    "the object is archived and cannot be read",
    "restore it first, or leave its storage class out of the input",
);
const REFUSED: Kind = kind(
    Class::Config,
    "request_refused",
    "the store refuses the request",
    "check AWS_REGION and AWS_ENDPOINT_URL, and that AWS_SESSION_TOKEN is the one of the keys",
);
const BUSY: Kind = kind(
    Class::Transient,
    "store_busy",
    "the store is busy or has failed",
    "run the job again; if it stays so, use fewer slots",
);
const CERTIFICATE: Kind = kind(
    Class::Config,
    "bad_certificate",
    "the certificate of the store is not trusted",
    "set AWS_CA_BUNDLE to the PEM file of the authority that has signed it",
);
const NO_HTTP: Kind = kind(
    Class::Config,
    "http_not_allowed",
    "the endpoint is http, which nothing protects",
    "use https, or set AWS_ALLOW_HTTP=true",
);
const UNREACHABLE: Kind = kind(
    Class::Unavailable,
    "store_unreachable",
    "the store cannot be reached",
    "check AWS_ENDPOINT_URL, the network and the proxy (HTTPS_PROXY, NO_PROXY)",
);
const NO_OBJECT: Kind = kind(Class::Config, "no_such_object", "no such object", "");
const FAILED: Kind = kind(Class::Transient, "store_failed", "the object store failed", "");

/// The error codes of S3 and compatible stores.
fn of_code(code: &str) -> Option<Kind> {
    Some(match code {
        "NoSuchBucket" => BUCKET,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "NotSignedUp" => DENIED,
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "MissingSecurityHeader" => {
            WRONG_KEY
        }
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => EXPIRED,
        "RequestTimeTooSkewed" | "RequestExpired" => CLOCK,
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "Redirect"
        | "IllegalLocationConstraintException" => REGION,
        "InvalidObjectState" => ARCHIVED,
        "SlowDown"
        | "ServiceUnavailable"
        | "InternalError"
        | "Throttling"
        | "ThrottlingException"
        | "RequestTimeout"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "OperationAborted" => BUSY,
        _ => return None,
    })
}

/// The kind by status, if there is no code.
fn of_status(status: u16) -> Option<Kind> {
    Some(match status {
        301 | 302 | 307 | 308 => REGION,
        400 => REFUSED,
        401 | 403 => DENIED,
        // The client has a separate error for a missing object; in a list request only the bucket can be
        // missing.
        404 => BUCKET,
        408 | 429 | 500..=599 => BUSY,
        _ => return None,
    })
}

/// The kind by what the client reports about the connection to the store.
fn of_way(text: &str, io: Option<ErrorKind>) -> Option<Kind> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["invalid peer certificate", "InvalidCertificate", "UnknownIssuer", "certificate verify failed"])
    {
        return Some(CERTIFICATE);
    }
    if has(&["URL scheme is not allowed"]) {
        return Some(NO_HTTP);
    }
    if has(&["Received redirect without LOCATION"]) {
        return Some(REGION);
    }
    match io {
        Some(ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            Some(UNREACHABLE)
        }
        _ if has(&["dns error", "failed to lookup address", "Connection refused"]) => Some(UNREACHABLE),
        _ if has(&["tcp connect error", "client error (Connect)"]) => Some(UNREACHABLE),
        _ => None,
    }
}

impl Kind {
    fn error(self) -> Error {
        let error = Error::new(self.class, self.message).reason(self.reason);
        if self.help.is_empty() { error } else { error.help(self.help) }
    }
}

/// The error for a store without credentials.
pub(super) fn no_credentials() -> Error {
    CREDENTIALS.error()
}

/// The error for an http endpoint that is not allowed.
pub(super) fn http_not_allowed() -> Error {
    NO_HTTP.error()
}

/// The error for unusable certificates.
#[cfg(feature = "aws")]
pub(super) fn bad_certificate() -> Error {
    CERTIFICATE.error()
}

impl From<O> for Error {
    fn from(error: O) -> Self {
        let text = whole_text(&error);
        if let Some(kind) = known(&error, &text) {
            let help = kind.reason == REGION.reason;
            let region =
                element(&text, "Region").filter(|_| help).map(|region| format!("set AWS_REGION={region}"));
            let known = kind.error().because(error);
            return region.into_iter().fold(known, Error::help);
        }
        match &error {
            O::NotFound { .. } => NO_OBJECT.error(),
            O::AlreadyExists { .. } => Error::config("the object exists"),
            O::InvalidPath { .. } | O::UnknownConfigurationKey { .. } | O::NotSupported { .. } => {
                Error::config("the store refuses this address")
            }
            _ => FAILED.error(),
        }
        .because(error)
    }
}

fn known(error: &O, text: &str) -> Option<Kind> {
    if text.contains("/latest/api/token") || text.contains("/latest/meta-data/iam") {
        return Some(CREDENTIALS);
    }
    if let Some(kind) = element(text, "Code").and_then(of_code) {
        return Some(kind);
    }
    match error {
        O::PermissionDenied { .. } | O::Unauthenticated { .. } => return Some(DENIED),
        O::NotFound { .. } | O::AlreadyExists { .. } | O::Precondition { .. } | O::NotModified { .. } => {
            return None;
        }
        _ => {}
    }
    match io_cause(error) {
        Some(ErrorKind::PermissionDenied) => Some(DENIED),
        Some(ErrorKind::NotFound) => Some(NO_OBJECT),
        io => status(text).and_then(of_status).or_else(|| of_way(text, io)),
    }
}

/// The text of an error and of its causes.
fn whole_text(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = text + "\n" + &cause.to_string();
        next = cause.source();
    }
    text
}

/// The content of the first element `name` in an XML text.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content.trim())
}

/// The status in the client's error text.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The kind of the first IO error among the causes, for stores that wrap it.
fn io_cause(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Error {
        Error::from(O::Generic { store: "S3", source: text.into() })
    }

    #[test]
    fn the_code_in_the_body_decides_and_then_the_status() {
        let cases = [
            (
                "status code: 404 Not Found: <Error><Code>NoSuchBucket</Code></Error>",
                Class::Config,
                "no_such_bucket",
            ),
            (
                "status code: 400 Bad Request: <Error><Code> ExpiredToken </Code></Error>",
                Class::Auth,
                "expired_token",
            ),
            ("status code: 403 Forbidden: <Code>InvalidAccessKeyId</Code>", Class::Auth, "wrong_credentials"),
            ("status code: 403 Forbidden: <Code>SomethingNew</Code>", Class::Auth, "access_denied"),
            ("status code: 503 Slow Down: <Code>SlowDown</Code>", Class::Transient, "store_busy"),
            ("status code: 301 Moved Permanently: ", Class::Config, "wrong_region"),
            ("status code: 400 Bad Request: ", Class::Config, "request_refused"),
            ("invalid peer certificate: UnknownIssuer", Class::Config, "bad_certificate"),
            ("tcp connect error: Connection refused (os error 111)", Class::Unavailable, "store_unreachable"),
            ("<Code>unclosed, status code: x", Class::Transient, "store_failed"),
        ];
        for (text, class, reason) in cases {
            let error = of(text);
            assert_eq!((error.class(), error.reason_word()), (class, reason), "{text}");
        }
    }

    #[test]
    fn a_wrong_region_names_the_right_one_where_the_store_does() {
        let error = of("<Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region>");
        assert!(error.to_string().ends_with("set AWS_REGION=eu-west-1"), "{error}");
    }
}
