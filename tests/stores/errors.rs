//! Errors of a store name the class, the reason and the setting to change.

use std::time::{Duration, Instant};

use super::job::{Ended, Job};
use super::s3::{BUCKET, S3};
use super::{printed, reading, reading_key};

const INPUT: &str = "s3://bucket/in/a";

/// A job that reads one object, without settings.
fn bare() -> Job {
    reading("local[1]", "text", INPUT)
}

#[track_caller]
fn fails(job: Job, code: i32, class: &str, reason: &str, words: &[&str]) -> Ended {
    let ended = job.run();
    ended.fails(code, class, words);
    assert_eq!(printed(&ended, "reason"), reason, "{}", ended.stderr);
    ended
}

#[test]
fn the_codes_of_a_store_have_their_class_and_reason() {
    let cases = [
        (404, "NoSuchBucket", 78, "config", "no_such_bucket", "check the name of the bucket"),
        (403, "AccessDenied", 77, "auth", "access_denied", "policy"),
        (403, "InvalidAccessKeyId", 77, "auth", "wrong_credentials", "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", 77, "auth", "wrong_credentials", "AWS_SECRET_ACCESS_KEY"),
        (400, "ExpiredToken", 77, "auth", "expired_token", "AWS_SESSION_TOKEN"),
        (403, "RequestTimeTooSkewed", 78, "config", "wrong_clock", "clock"),
        (400, "AuthorizationHeaderMalformed", 78, "config", "wrong_region", "AWS_REGION"),
        (301, "PermanentRedirect", 78, "config", "wrong_region", "AWS_REGION"),
        (403, "", 77, "auth", "access_denied", "policy"),
        (400, "", 78, "config", "request_refused", "AWS_REGION"),
    ];
    let s3 = S3::start();
    for (status, code, exit, class, reason, word) in cases {
        s3.refuse(status, code);
        for key in ["in/a", "in/*", "in/"] {
            fails(reading_key(&s3, "local[1]", "text", key), exit, class, reason, &[word, "in"]);
        }
    }
}

#[test]
fn what_is_busy_or_gone_is_tried_again_for_a_limited_time() {
    let s3 = S3::start();
    let began = Instant::now();
    s3.refuse(503, "SlowDown");
    fails(reading_key(&s3, "local[1]", "text", "in/a"), 75, "transient", "store_busy", &["fewer slots"]);
    assert!(s3.requests().len() > 3);
    let gone = s3.tell(bare()).env("AWS_ENDPOINT", "http://127.0.0.1:9");
    fails(gone, 69, "unavailable", "store_unreachable", &["AWS_ENDPOINT_URL"]);
    assert!(began.elapsed() < Duration::from_secs(110), "{:?}", began.elapsed());
}

#[test]
fn a_missing_bucket_and_a_wrong_secret_are_named_by_a_real_server() {
    let s3 = S3::start();
    s3.put("in/a", "one\n");
    let missing = s3.tell(reading("local[1]", "text", "s3://missing/in/*"));
    fails(missing, 78, "config", "no_such_bucket", &["s3://missing/in"]);
    fails(s3.tell_with(bare(), "wrong"), 77, "auth", "wrong_credentials", &[INPUT, "AWS_SECRET_ACCESS_KEY"]);
}

#[test]
fn without_credentials_a_job_fails_at_once_and_names_the_variables() {
    let s3 = S3::start();
    let near = |job: Job| {
        job.env("AWS_ENDPOINT", s3.endpoint()).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1")
    };
    let began = Instant::now();
    let ended = fails(near(bare()), 77, "auth", "no_credentials", &["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]);
    assert!(!ended.stderr.contains("169.254"), "{}", ended.stderr);
    fails(
        near(bare()).env("AWS_ACCESS_KEY_ID", "a"),
        77,
        "auth",
        "no_credentials",
        &["AWS_SECRET_ACCESS_KEY"],
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(s3.requests().len(), 0);
}

#[test]
fn an_endpoint_that_cannot_be_one_is_an_error_of_its_variable() {
    let s3 = S3::start();
    let with = |endpoint: &str| s3.tell(bare()).env("AWS_ENDPOINT", endpoint);
    fails(with("127.0.0.1:5005"), 78, "config", "malformed_config", &["AWS_ENDPOINT", "https://"]);
    fails(with("localhost:5005"), 78, "config", "malformed_config", &["AWS_ENDPOINT"]);
    let closed = s3.tell(bare()).env("AWS_ALLOW_HTTP", "false");
    fails(closed, 78, "config", "http_not_allowed", &["AWS_ALLOW_HTTP=true"]);
}

#[test]
fn a_profile_gives_keys_region_and_endpoint() {
    let (s3, home) = (S3::start(), tempfile::tempdir().unwrap());
    s3.put("in/a", "one\n");
    let aws = home.path().join(".aws");
    std::fs::create_dir(&aws).unwrap();
    let (key, secret) = s3.keys_of_user();
    let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
    std::fs::write(aws.join("credentials"), format!("[work]\n{keys}")).unwrap();
    let config = format!("[profile work]\nregion = us-east-1\nendpoint_url = {}\n", s3.endpoint());
    std::fs::write(aws.join("config"), config + "[profile sso]\nsso_session = x\n").unwrap();
    let with = |profile: &str| {
        bare().env("HOME", home.path()).env("AWS_PROFILE", profile).env("AWS_ALLOW_HTTP", "true")
    };
    assert_eq!(printed(&with("work").run().ok(), "rows"), "1 3");
    fails(with("other"), 78, "config", "no_such_profile", &["`other`", "AWS_PROFILE"]);
    fails(with("sso"), 78, "config", "unsupported_profile", &["`sso_session`", "export-credentials"]);
    let elsewhere = bare().env("AWS_SHARED_CREDENTIALS_FILE", aws.join("credentials"));
    let elsewhere = elsewhere.env("AWS_CONFIG_FILE", aws.join("config")).env("AWS_PROFILE", "work");
    assert_eq!(printed(&elsewhere.env("AWS_ALLOW_HTTP", "true").run().ok(), "rows"), "1 3");
}

#[test]
fn a_certificate_is_trusted_by_the_bundle_alone() {
    let s3 = S3::start_with_tls();
    s3.put("in/a", "one\n");
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/stores/tls/certificate.pem");
    let upper = || s3.tell(reading("local[1]", "text", &format!("S3://{BUCKET}/in/a")));
    fails(upper(), 78, "config", "bad_certificate", &["AWS_CA_BUNDLE"]);
    assert_eq!(printed(&upper().env("AWS_CA_BUNDLE", bundle).run().ok(), "rows"), "1 3");
    let broken = upper().env("AWS_CA_BUNDLE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    fails(broken, 78, "config", "bad_certificate", &["AWS_CA_BUNDLE", "Cargo.toml"]);
}
