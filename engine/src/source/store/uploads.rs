//! Multipart uploads that were started and neither completed nor aborted; a listing of objects does not show
//! them.
//!
//! The crate `object_store` can abort an upload, but not list uploads, so the S3 request
//! `ListMultipartUploads` is sent here, with the crate's own client and signature. The bucket's address and
//! the region are taken from an address that the crate has signed, so every form of endpoint has the same
//! meaning in both.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::future::BoxFuture;
use http::Method;
use object_store::aws::{AmazonS3, AwsAuthorizer};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use serde::Deserialize;

use super::{OpenUpload, Uploads};
use crate::error::{Error, Result};

/// The most responses that are requested, each with up to 1,000 uploads.
const MAX_ANSWERS: usize = 100;
/// The largest response that is read: 1,000 keys of 1,024 bytes fit, with everything else.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// The attempts at a request that fails temporarily, and the pause before the next one.
const TRIES: usize = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// The lifetime of the signed address, of which only parts are used.
const SIGNED: Duration = Duration::from_secs(60);

/// The uploads of a bucket.
#[derive(Debug)]
pub(super) struct S3Uploads {
    s3: Arc<AmazonS3>,
    client: HttpClient,
}

/// `ListMultipartUploadsResult`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    initiated: DateTime<Utc>,
}

impl S3Uploads {
    pub(super) fn new(s3: Arc<AmazonS3>, client: HttpClient) -> S3Uploads {
        S3Uploads { s3, client }
    }

    async fn answer(&self, prefix: &str, marker: Option<&(String, String)>) -> Result<Answer> {
        let mut tries = 1;
        loop {
            match self.try_answer(prefix, marker).await {
                Err(error) if error.is_retryable() && tries < TRIES => tries += 1,
                answer => return answer,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_answer(&self, prefix: &str, marker: Option<&(String, String)>) -> Result<Answer> {
        let request = self.request(prefix, marker).await?;
        let answer = self.client.execute(request).await;
        let answer = answer.map_err(|e| failed(Error::transient("the store does not answer").because(e)))?;
        let (status, mut body, mut text) = (answer.status(), answer.into_body().bytes_stream(), Vec::new());
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|e| failed(Error::transient("an answer broke off").because(e)))?;
            text.extend_from_slice(&bytes);
            if text.len() > MAX_ANSWER_BYTES {
                return Err(failed(Error::data("an answer of the store is too long")));
            }
        }
        let text = String::from_utf8_lossy(&text);
        if !status.is_success() {
            let cause = format!("{status}: {}", text.chars().take(300).collect::<String>());
            let error = match status.as_u16() {
                401 | 403 => Error::auth("no permission"),
                429 | 500 | 502..=599 => Error::transient("the store is busy or has failed"),
                _ => Error::config("the store does not list uploads"),
            };
            return Err(failed(error.because(std::io::Error::other(cause))));
        }
        parse(&text)
    }

    /// A signed request for the uploads after `marker`.
    async fn request(&self, prefix: &str, marker: Option<&(String, String)>) -> Result<HttpRequest> {
        let mut address = self.s3.signed_url(Method::GET, &Path::default(), SIGNED).await?;
        let scope = address.query_pairs().find(|(name, _)| name == "X-Amz-Credential");
        let region = scope.and_then(|(_, scope)| scope.split('/').rev().nth(2).map(str::to_owned));
        let region = region.ok_or_else(|| Error::bug("a signed address has no region"))?;
        address.set_query(None);
        let (key, id) = marker.map_or(("", ""), |(key, id)| (key, id));
        let markers = [("key-marker", key), ("upload-id-marker", id)];
        let markers = markers.into_iter().filter(|(_, value)| !value.is_empty());
        address
            .query_pairs_mut()
            .extend_pairs([("uploads", ""), ("prefix", prefix)].into_iter().chain(markers));
        // The query encodes a blank as a plus, but stores read a plus literally.
        let address = address.as_str().replace('+', "%20");
        let request = http::Request::builder().method(Method::GET).uri(address);
        let mut request = request
            .body(HttpRequestBody::empty())
            .map_err(|e| Error::bug("a request cannot be made").because(e))?;
        let credential = self.s3.credentials().get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &region).authorize(&mut request, None);
        Ok(request)
    }

    async fn list(&self, prefix: &Path) -> Result<Vec<OpenUpload>> {
        let (prefix, mut marker, mut found) = (format!("{prefix}/"), None, Vec::new());
        for _ in 0..MAX_ANSWERS {
            let answer = self.answer(&prefix, marker.as_ref()).await?;
            found.extend(answer.uploads.into_iter().filter_map(|upload| {
                let path = Path::parse(&upload.key).ok()?;
                Some(OpenUpload { path, id: upload.upload_id, begun: upload.initiated })
            }));
            marker = answer.next_key_marker.zip(answer.next_upload_id_marker);
            if !answer.is_truncated || marker.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

impl Uploads for S3Uploads {
    fn list<'a>(&'a self, prefix: &'a Path) -> BoxFuture<'a, Result<Vec<OpenUpload>>> {
        Box::pin(self.list(prefix))
    }

    fn abort<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            match self.s3.abort_multipart(&upload.path, &upload.id).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(e) => Err(e.into()),
            }
        })
    }
}

fn failed(error: Error) -> Error {
    error.reason("uploads_not_listed")
}

fn parse(text: &str) -> Result<Answer> {
    quick_xml::de::from_str(text)
        .map_err(|e| failed(Error::data("a list of uploads cannot be read").because(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_s3_is_read() {
        let upload = |key: &str| {
            format!(
                "<Upload><Key>{key}</Key><UploadId>id-{key}</UploadId><Initiator><ID>i</ID></Initiator>\
                 <StorageClass>STANDARD</StorageClass><Initiated>2026-03-02T04:05:06.000Z</Initiated></Upload>"
            )
        };
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b</Bucket>\
             <KeyMarker/><UploadIdMarker/><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>\
             <MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>{}<CommonPrefixes><Prefix>x</Prefix></CommonPrefixes>{}\
             </ListMultipartUploadsResult>",
            upload("a/b c"),
            upload("d&amp;e")
        );
        let answer = parse(&text).unwrap();
        let keys: Vec<(&str, &str)> =
            answer.uploads.iter().map(|upload| (upload.key.as_str(), upload.upload_id.as_str())).collect();
        assert_eq!(keys, [("a/b c", "id-a/b c"), ("d&e", "id-d&e")]);
        assert_eq!(answer.uploads[0].initiated.timestamp(), 1_772_424_306);
        assert!(answer.is_truncated);
        assert_eq!(answer.next_key_marker.zip(answer.next_upload_id_marker), Some(("k".into(), "u".into())));
        let none = parse(
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
        );
        assert!(none.unwrap().uploads.is_empty());
        assert!(parse("<html>").is_err());
    }
}
