//! The settings of a store, from the environment and from a profile, validated before the client uses them.
//!
//! The client does not validate its options and panics on some of them, so an endpoint, a region or a key
//! that no request can contain is refused here, with the name of its variable.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use url::Url;

use super::errors::{http_not_allowed, no_credentials};
use super::profile::{self, Profile};
use crate::error::{Error, Result};

/// The variables that a store may see; a bare `REGION` or `TOKEN` must not be among them.
const ENVIRONMENT: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
/// The endpoints of S3, in order of precedence.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
/// Each of these variables alone provides credentials.
const CREDENTIALS: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
/// The metadata service, from which a cloud machine gets the credentials of its role.
const METADATA: &str = "http://169.254.169.254";
/// The time limit for that service: it is on the same machine, or there is none.
const METADATA_LIMIT: Duration = Duration::from_secs(2);

/// Variables by name.
pub(super) type Settings = std::collections::BTreeMap<String, String>;

/// The variables of this process that stores may see.
pub(super) fn environment() -> Settings {
    // A variable that is not UTF-8 cannot be a credential; `vars` would panic on it.
    let known = |name: &str| ENVIRONMENT.iter().any(|prefix| name.starts_with(prefix));
    let text = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    text.filter(|(name, value)| known(name) && !value.is_empty()).collect()
}

/// The settings of S3: the variables and, with lower precedence, the profile.
///
/// # Errors
/// Of class config for values that no request can contain or that this build does not support, of class auth
/// without credentials.
pub(super) fn s3(mut settings: Settings, home: Option<String>) -> Result<Settings> {
    check_text(&settings)?;
    let profile = {
        let env = |name: &str| if name == "HOME" { home.clone() } else { settings.get(name).cloned() };
        load_profile(env)?
    };
    let brings_own = CREDENTIALS.iter().any(|name| settings.contains_key(*name));
    if let Some((name, profile)) = profile {
        add_profile(&mut settings, &name, &profile, brings_own)?;
    }
    check_endpoint(&settings)?;
    check_region(&settings)?;
    check_credentials(&settings)?;
    Ok(settings)
}

/// The named profile, or the default one if it exists.
fn load_profile(env: impl Fn(&str) -> Option<String>) -> Result<Option<(String, Profile)>> {
    let named = env("AWS_PROFILE").or_else(|| env("AWS_DEFAULT_PROFILE"));
    let name = named.clone().unwrap_or_else(|| "default".to_owned());
    match (profile::load(&name, env)?, named) {
        (Some(profile), _) => Ok(Some((name, profile))),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Error::config(format!("there is no profile `{name}`"))
            .reason("no_such_profile")
            .help("AWS_PROFILE names a section of ~/.aws/credentials or ~/.aws/config")),
    }
}

/// Adds the settings that no variable has set.
fn add_profile(settings: &mut Settings, name: &str, profile: &Profile, brings_own: bool) -> Result<()> {
    let mut add = |variable: &str, value: Option<&String>| {
        if let Some(value) = value {
            settings.entry(variable.to_owned()).or_insert_with(|| value.clone());
        }
    };
    if !brings_own {
        profile::check_supported(name, profile)?;
        for key in ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"] {
            add(&key.to_ascii_uppercase(), profile.get(key));
        }
    }
    if !settings.contains_key("AWS_REGION") && !settings.contains_key("AWS_DEFAULT_REGION") {
        profile.get("region").map(|region| settings.insert("AWS_REGION".to_owned(), region.clone()));
    }
    if !ENDPOINTS.iter().any(|endpoint| settings.contains_key(*endpoint)) {
        let endpoint = profile.get("endpoint_url").cloned();
        endpoint.map(|endpoint| settings.insert("AWS_ENDPOINT_URL".to_owned(), endpoint));
    }
    check_text(settings)
}

/// Refuses control characters, such as the line end of a file from which a key was read.
fn check_text(settings: &Settings) -> Result<()> {
    match settings.iter().find(|(_, value)| value.contains(|c: char| c.is_control())) {
        None => Ok(()),
        Some((name, _)) => Err(malformed(name, "has a line end or another control character")),
    }
}

fn malformed(variable: &str, what: &str) -> Error {
    Error::config(format!("the variable {variable} {what}")).reason("malformed_config")
}

fn check_endpoint(settings: &Settings) -> Result<()> {
    let endpoints = ENDPOINTS.iter().filter_map(|name| Some((*name, settings.get(*name)?)));
    for (name, endpoint) in endpoints {
        let url = Url::parse(endpoint).ok().filter(|url| url.has_host());
        match url.as_ref().map(Url::scheme) {
            Some("https") => {}
            Some("http") if allows_http(settings) => {}
            Some("http") => return Err(http_not_allowed().at(name, endpoint)),
            _ => {
                let error = malformed(name, "is no address of a server").at(name, endpoint);
                return Err(error.help("write https:// before it, or http:// and set AWS_ALLOW_HTTP=true"));
            }
        }
    }
    Ok(())
}

fn allows_http(settings: &Settings) -> bool {
    let value = settings.get("AWS_ALLOW_HTTP").map(|value| value.to_ascii_lowercase());
    matches!(value.as_deref(), Some("1" | "true" | "on" | "yes" | "y"))
}

fn check_region(settings: &Settings) -> Result<()> {
    let is_region =
        |value: &str| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if settings.get(name).is_some_and(|region| !is_region(region)) {
            return Err(malformed(name, "is no name of a region").help("a region is written as us-east-1"));
        }
    }
    Ok(())
}

/// Refuses one key of a pair, or no credentials at all. The machine itself may have a role, so the metadata
/// service is asked here, with a short limit: the client would wait for minutes if it does not answer.
fn check_credentials(settings: &Settings) -> Result<()> {
    let has = |name: &str| settings.contains_key(name);
    for (one, other) in
        [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    {
        if has(one) && !has(other) {
            return Err(no_credentials().at("missing variable", other));
        }
    }
    let is_true = |name: &str| settings.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if CREDENTIALS.iter().any(|name| has(name)) || is_true("AWS_SKIP_SIGNATURE") {
        return Ok(());
    }
    let metadata = settings.get("AWS_METADATA_ENDPOINT").map_or(METADATA, String::as_str);
    if is_true("AWS_EC2_METADATA_DISABLED") || !answers(metadata, METADATA_LIMIT) {
        return Err(no_credentials());
    }
    Ok(())
}

/// Whether the metadata service at `address` answers a request for a token within `limit`.
fn answers(address: &str, limit: Duration) -> bool {
    let began = Instant::now();
    let ask = || -> Option<bool> {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        let to =
            (host.trim_matches(['[', ']']), url.port_or_known_default()?).to_socket_addrs().ok()?.next()?;
        let mut stream = TcpStream::connect_timeout(&to, limit / 2).ok()?;
        let left = limit.checked_sub(began.elapsed()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60";
        write!(
            stream,
            "PUT /latest/api/token HTTP/1.0\r\nHost: {host}\r\n{ttl}\r\nContent-Length: 0\r\n\r\n"
        )
        .ok()?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).ok()?;
        // A machine that supports only version 1 of the protocol refuses to issue a token.
        Some(status.ends_with(b" 200") || status.ends_with(b" 403"))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];

    #[test]
    fn what_no_request_can_hold_is_refused_by_the_name_of_its_variable() {
        let cases = [
            ("AWS_ENDPOINT", "127.0.0.1:5005", "malformed_config"),
            ("AWS_ENDPOINT_URL", "localhost:5005", "malformed_config"),
            ("AWS_ENDPOINT_URL_S3", "http://localhost:5005", "http_not_allowed"),
            ("AWS_ENDPOINT", "https://", "malformed_config"),
            ("AWS_REGION", "eu west", "malformed_config"),
            ("AWS_SESSION_TOKEN", "abc\n", "malformed_config"),
        ];
        for (name, value, reason) in cases {
            let given = settings(&[&KEYS[..], &[(name, value)]].concat());
            let error = s3(given, None).unwrap_err();
            assert_eq!((error.class(), error.reason_word()), (Class::Config, reason), "{name}={value}");
            assert!(error.to_string().contains(name), "{error}");
        }
        s3(settings(&KEYS), None).unwrap();
    }

    #[test]
    fn without_credentials_the_variables_are_named_at_once() {
        let began = Instant::now();
        let error = s3(settings(&[("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")]), None).unwrap_err();
        assert_eq!((error.class(), error.reason_word()), (Class::Auth, "no_credentials"));
        assert!(error.to_string().contains("AWS_ACCESS_KEY_ID") && !error.to_string().contains("127.0.0.1"));
        assert!(began.elapsed() < METADATA_LIMIT);
    }
}
