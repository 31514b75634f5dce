//! Opens the clients of remote stores, with limits for every wait.
//!
//! A request is tried again after a connection that fails, an answer of 5xx or one that asks to slow down, with growing
//! pauses. What fails for longer is an error of the task, which has attempts of its own.

use std::sync::Arc;
use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::settings;
#[cfg(feature = "aws")]
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::failpoint;

/// A server that is there answers sooner; a packet may be lost twice.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// One request with its body. A store copies 5 GiB, the most one request may, in minutes and sends nothing
/// meanwhile. Ranges that are read have a shorter limit (`object.rs`).
const REQUEST_LIMIT: Duration = Duration::from_secs(600);
/// No request is tried again after this time; a restart of a server is shorter.
const RETRY_LIMIT: Duration = Duration::from_secs(30);
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Attempts are bounded by the time; this is more than fit in it.
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

/// Sets what a builder knows of the settings.
macro_rules! build {
    ($builder:ty, $options:expr, $root:expr, $settings:expr) => {{
        let builder = <$builder>::new().with_url($root).with_client_options($options).with_retry(retries());
        let builder = $settings.into_iter().fold(builder, |builder, (name, value)| {
            match name.to_ascii_lowercase().parse() {
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            }
        });
        Ok(Arc::new(builder.build().map_err(unusable($root))?))
    }};
}

/// The store at `root`, whose client comes with the cargo feature `feature`.
pub(super) fn open(feature: &str, root: &str) -> Result<Arc<dyn ObjectStore>> {
    let settings = settings::environment();
    match feature {
        #[cfg(feature = "aws")]
        "aws" => s3(root, settings::s3(settings, std::env::var("HOME").ok())?),
        #[cfg(feature = "gcp")]
        "gcp" => build!(object_store::gcp::GoogleCloudStorageBuilder, options(), root, settings),
        #[cfg(feature = "azure")]
        "azure" => build!(object_store::azure::MicrosoftAzureBuilder, options(), root, settings),
        _ => Err(Error::bug("a store without a client").at("store", root)),
    }
}

/// The bucket at `root`, by the settings of S3.
#[cfg(feature = "aws")]
fn s3(root: &str, settings: Settings) -> Result<Arc<dyn ObjectStore>> {
    let mut options = options();
    for certificate in certificates(&settings)? {
        options = options.with_root_certificate(certificate);
    }
    build!(object_store::aws::AmazonS3Builder, options, root, settings)
}

/// The certificates of `AWS_CA_BUNDLE`, which are trusted beside those of the system.
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
