//! Opens the clients of remote stores, with a limit on every wait.
//!
//! A request is retried, with growing pauses, after a failed connection, a 5xx response or a request to slow
//! down. A longer failure is an error of the task, which is retried by the driver.

use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "gcp", feature = "azure"))]
use object_store::ObjectStore;
#[cfg(feature = "aws")]
use object_store::client::{HttpConnector, ReqwestConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

#[cfg(feature = "aws")]
use super::settings::Settings;
#[cfg(feature = "aws")]
use super::uploads::S3Uploads;
use super::{Client, settings};
use crate::error::{Error, Result};
use crate::failpoint;

/// An available server answers sooner, even if a packet is lost twice.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The time limit of one request with its body. To copy 5 GiB, the most in one request, a store needs minutes
/// and sends nothing meanwhile. Reads of ranges have a shorter limit (`object.rs`).
const REQUEST_LIMIT: Duration = Duration::from_secs(600);
/// The time after which a request is not retried; a server restarts faster.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Attempts are limited by time; this is more than fit in it.
const MAX_RETRIES: usize = 20;

fn options() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT_LIMIT).with_timeout(REQUEST_LIMIT)
}

fn retries() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: MAX_PAUSE, ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: MAX_RETRIES, retry_timeout: failpoint::limit(RETRY_LIMIT) }
}

fn unusable(root: &str) -> impl Fn(object_store::Error) -> Error {
    move |e| {
        let error = Error::config("the store cannot be set up").because(e).at("store", root);
        error.reason("malformed_config")
    }
}

/// Applies those settings that a builder knows.
macro_rules! build {
    ($builder:ty, $options:expr, $root:expr, $settings:expr) => {{
        let builder = <$builder>::new().with_url($root).with_client_options($options).with_retry(retries());
        let builder = $settings.into_iter().fold(builder, |builder, (name, value)| {
            match name.to_ascii_lowercase().parse() {
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            }
        });
        Ok::<_, Error>(Arc::new(builder.build().map_err(unusable($root))?))
    }};
}

/// The store at `root`; the cargo feature `feature` provides its client.
pub(super) fn open(feature: &str, root: &str) -> Result<Client> {
    let settings = settings::environment();
    match feature {
        #[cfg(feature = "aws")]
        "aws" => s3(root, settings::s3(settings, std::env::var("HOME").ok())?),
        #[cfg(feature = "gcp")]
        "gcp" => {
            without_uploads(build!(object_store::gcp::GoogleCloudStorageBuilder, options(), root, settings)?)
        }
        #[cfg(feature = "azure")]
        "azure" => {
            without_uploads(build!(object_store::azure::MicrosoftAzureBuilder, options(), root, settings)?)
        }
        _ => Err(Error::bug("a store without a client").at("store", root)),
    }
}

/// A store whose open uploads are not listed: its lifecycle rules must remove them.
#[cfg(any(feature = "gcp", feature = "azure"))]
fn without_uploads(objects: Arc<dyn ObjectStore>) -> Result<Client> {
    Ok(Client { objects, uploads: None })
}

/// The bucket at `root`, with the settings of S3.
#[cfg(feature = "aws")]
fn s3(root: &str, settings: Settings) -> Result<Client> {
    let mut options = options();
    for certificate in certificates(&settings)? {
        options = options.with_root_certificate(certificate);
    }
    // The other client sends the first request, and it refuses an http endpoint that is not allowed.
    let of_uploads = options.clone().with_allow_http(true);
    let client = ReqwestConnector::default().connect(&of_uploads).map_err(unusable(root))?;
    let s3 = build!(object_store::aws::AmazonS3Builder, options, root, settings)?;
    let uploads = Arc::new(S3Uploads::new(Arc::clone(&s3), client));
    Ok(Client { objects: s3, uploads: Some(uploads) })
}

/// The certificates of `AWS_CA_BUNDLE`, which are trusted in addition to those of the system.
#[cfg(feature = "aws")]
fn certificates(settings: &Settings) -> Result<Vec<object_store::Certificate>> {
    const VARIABLE: &str = "AWS_CA_BUNDLE";
    let Some(path) = settings.get(VARIABLE) else { return Ok(Vec::new()) };
    let unreadable = |e| Error::io("the certificates cannot be read", e).at(VARIABLE, path);
    let pem = std::fs::read(path).map_err(unreadable)?;
    match object_store::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(super::errors::bad_certificate().at(VARIABLE, path)),
    }
}
