//! The meaning of addresses, and that all their users agree on it.

use proptest::prelude::*;

use super::*;
use crate::error::Class;

#[test]
fn a_relative_path_becomes_absolute() {
    let here = std::env::current_dir().unwrap();
    check("data/./x.txt", &format!("{}/data/x.txt", here.display()));
    check("*.txt", &format!("{}/*.txt", here.display()));
    check("src/../b*/", &format!("{}/b*/", here.display()));
    check(".", &here.display().to_string());
}

#[test]
fn a_wildcard_ends_the_literal_path() {
    let location = Location::parse("memory:///logs/2024/*/a.txt").unwrap();
    assert_eq!((location.path.as_ref(), location.pattern.as_deref()), ("logs/2024", Some("*/a.txt")));
}

#[test]
fn an_exact_address_has_no_wildcards() {
    let location = Location::exact("/data/a[1]*?{x}.txt").unwrap();
    assert_eq!((location.address().as_str(), location.pattern), ("/data/a[1]*?{x}.txt", None));
}

#[test]
fn file_addresses_are_percent_decoded_and_others_are_not() {
    check("file:///data/a%20b%C3%A4.txt", "/data/a bä.txt");
    check("file:/data/100%", "/data/100%");
    check("memory:///a%20b", "memory:///a%20b");
}

#[test]
fn a_link_before_dot_dot_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("deep/er")).unwrap();
    std::os::unix::fs::symlink(root.join("deep/er"), root.join("link")).unwrap();
    check(&format!("{}/link/../x", root.display()), &format!("{}/deep/x", root.display()));
}

#[test]
fn a_scheme_may_be_in_upper_case_and_needs_a_slash() {
    check("MEMORY:///a", "memory:///a");
    check("File:///a", "/a");
    check("FILE://LocalHost/a", "/a");
    let here = std::env::current_dir().unwrap();
    for path in ["a:b", "12:/b", "s3:b", "./s3:/b", "-a://b"] {
        check(path, &format!("{}/{}", here.display(), path.trim_start_matches("./").replace("//", "/")));
    }
}

#[test]
fn no_address_has_a_query_or_a_fragment() {
    for address in ["/data/a#b", "file:///data/a#b", "file:///data/a%23b", "memory:///data/a#b"] {
        assert!(Location::output(address).unwrap().path.as_ref().ends_with("data/a#b"), "{address}");
    }
    for address in ["/data/a?b", "file:///data/a?b", "memory:///data/a?b"] {
        assert_eq!(Location::parse(address).unwrap().pattern.as_deref(), Some("a?b"), "{address}");
    }
    check("file:///data/a%3Fb", "/data/a?b");
}

#[test]
fn repeated_slashes_of_a_path_are_one() {
    check("//data///a//", "/data/a");
    check("file:////data//a", "/data/a");
}

#[test]
fn an_escaped_wildcard_is_literal_for_input_and_output() {
    for (address, path) in [
        ("/data/a[*][?][[][]][{][}]/b", "/data/a*?[]{}/b"),
        ("/data/a]}", "/data/a]}"),
        ("memory:///a[*]", "memory:///a*"),
        ("file:///data/%2A%5B1%5D", "/data/*[1]"),
    ] {
        check(address, path);
        assert_eq!(Location::output(address).unwrap().address(), path);
    }
    let location = Location::parse("/data/a[*]/b*").unwrap();
    assert_eq!((location.path.as_ref(), location.pattern.as_deref()), ("data/a*", Some("b*")));
}

#[test]
fn an_output_is_one_folder_with_a_name() {
    for address in ["/a*b", "/a?", "/report[1]", "/a{b", "/*/a", "memory:///a*", "file:///a*"] {
        let error = Location::output(address).unwrap_err();
        let message = "the address of a folder to write to has a wildcard";
        assert_eq!((error.class(), error.message()), (Class::Config, message), "{address}");
    }
    for address in [".", "..", "/tmp/.", "/tmp/..//", "file:///tmp/%2E%2E/"] {
        let error = Location::output(address).unwrap_err();
        let message = "the address of an output ends in dots";
        assert_eq!((error.class(), error.message()), (Class::Config, message), "{address}");
    }
}

proptest! {
    #[test]
    fn the_uri_of_a_location_means_that_location(name in "[^/\\p{Cc}]{1,12}", store in any::<bool>()) {
        prop_assume!(name != "." && name != "..");
        let exact = Location::exact(&format!("{}/no-folder/{name}", if store { "memory://" } else { "" })).unwrap();
        let parsed = Location::output(&exact.uri()).unwrap();
        prop_assert_eq!((parsed.address(), parsed.uri()), (exact.address(), exact.uri()));
    }
}

#[test]
fn a_bad_address_says_what_is_wrong_with_it() {
    for (address, message) in [
        ("", "the address is empty"),
        ("file://host/x", "a file address needs an absolute path"),
        ("s3:///x", "the address names no bucket"),
        ("memory://x/y", "memory has no hosts"),
        ("memory:///a/../b", "the path is malformed"),
        ("/no-such-folder/../x", "no such directory"),
        ("file://localhost2/x", "a file address needs an absolute path"),
        ("file:x", "a file address needs an absolute path"),
        ("file:///a%00b", "the path is malformed"),
        ("file:///a%FFb", "the decoded path is not UTF-8"),
        ("S3:///x", "the address names no bucket"),
        ("s3:/bucket/x", "the address of a store begins with `s3://`"),
        ("s3://bucket#2/x", "the name of the bucket has a character that no bucket may have"),
        ("s3://bucket?x/y", "the name of the bucket has a character that no bucket may have"),
        ("memory:////a", "the path is malformed"),
        ("memory:///a//b", "the path is malformed"),
        ("ftp+x.y-z://host/x", "unknown kind of address `ftp+x.y-z://`"),
    ] {
        let error = Location::parse(address).unwrap_err();
        assert_eq!((error.class(), error.message()), (Class::Config, message), "{address}");
    }
}

fn check(address: &str, absolute: &str) {
    assert_eq!(Location::parse(address).unwrap().address(), absolute);
}
