//! Tests of addresses and the files at them, each in a folder and in the memory store.

use object_store::ObjectStoreExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

use super::*;
use crate::error::Class;

fn list(address: &str) -> Result<Vec<InputFile>> {
    Ok(list_with(address, &ListOptions::default())?.files)
}

const FILES: [&str; 9] = [
    "a.txt",
    "b.txt",
    "c.csv",
    "_SUCCESS",
    ".a.txt.crc",
    "day=1/x.txt",
    "day=2/x.txt",
    "day=2/deep/y.txt",
    "_tmp/z.txt",
];

#[test]
fn a_plain_path_is_one_file() {
    check("a.txt", "a.txt");
    check("_SUCCESS", "_SUCCESS");
}

#[test]
fn a_folder_is_the_files_directly_in_it() {
    check("", "a.txt b.txt c.csv");
    check("day=2", "day=2/x.txt");
    check("day=2/", "day=2/x.txt");
}

#[test]
fn a_pattern_is_the_files_that_match() {
    check("*", "a.txt b.txt c.csv");
    check("?.txt", "a.txt b.txt");
    check("[a-b].*", "a.txt b.txt");
    check("[!a].txt", "b.txt");
    check("{c,a}.*", "a.txt c.csv");
    check("{a,[ab],*}.txt", "a.txt b.txt");
    check("day=*/x.txt", "day=1/x.txt day=2/x.txt");
    check("day={1,2/deep}/*", "day=1/x.txt day=2/deep/y.txt");
}

#[test]
fn a_pattern_that_ends_in_a_slash_is_the_files_in_the_folders() {
    check("day=*/", "day=1/x.txt day=2/x.txt");
}

#[test]
fn two_stars_go_through_all_folders_that_are_not_hidden() {
    check("**/*.txt", "a.txt b.txt day=1/x.txt day=2/deep/y.txt day=2/x.txt");
    check("day=2/**", "day=2/deep/y.txt day=2/x.txt");
    check("**/deep/*", "day=2/deep/y.txt");
}

#[test]
fn hidden_names_are_found_only_when_the_pattern_spells_them() {
    check("_*", "_SUCCESS");
    check(".*", ".a.txt.crc");
    check("_tmp/*", "_tmp/z.txt");
    check("{_,}*", "_SUCCESS a.txt b.txt c.csv");
}

#[test]
fn nothing_found_is_the_jobs_fault() {
    for (address, message) in [
        ("missing.txt", "no such file"),
        ("missing/deep/er.txt", "no such file"),
        ("a.txt/b", "no such file"),
        ("missing/", "no such file"),
        ("*.gz", "no file matches"),
        ("a.txt/*", "no file matches"),
        ("missing/*/x", "no file matches"),
        ("**/missing", "no file matches"),
    ] {
        for root in roots() {
            let error = list(&format!("{}/{address}", root.address)).unwrap_err();
            assert_eq!((error.class(), error.message()), (Class::Config, message), "{address}");
        }
    }
}

#[test]
fn a_missing_file_is_shown_with_its_nearest_existing_parent() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x/y.txt");
    let expected = format!(
        "no such file, at file {}\n  help: the nearest existing parent is {}",
        path.display(),
        folder.path().display()
    );
    assert_eq!(list(path.to_str().unwrap()).unwrap_err().to_string(), expected);
}

#[test]
fn a_folder_with_only_hidden_files_is_empty_and_no_error() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("_SUCCESS"), "").unwrap();
    assert_eq!(list(folder.path().to_str().unwrap()).unwrap(), []);
}

#[test]
fn a_file_with_wildcards_in_its_name_is_listed_and_its_address_opens_it() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("a[1]*#7 %20.txt"), "12345").unwrap();
    let [file] = &list(&format!("{}/a[[]1*", folder.path().display())).unwrap()[..] else {
        panic!("one file")
    };
    let location = Location::exact(&file.address).unwrap();
    assert_eq!((location.address(), file.size), (file.address.clone(), 5));
    assert!(std::path::Path::new(&file.address).exists());
}

#[test]
fn links_are_followed_and_dangling_ones_are_left_out() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("real")).unwrap();
    std::fs::write(path("real/a.txt"), "a").unwrap();
    symlink(path("real"), path("link")).unwrap();
    symlink(folder.path(), path("loop")).unwrap();
    symlink(path("gone"), path("dangling")).unwrap();
    symlink(path("real/a.txt"), path("b.txt")).unwrap();
    let names = |pattern| names(&folder.path().display().to_string(), pattern);
    assert_eq!(names("*/a.txt"), "link/a.txt real/a.txt");
    assert_eq!(names("**/*.txt"), "b.txt link/a.txt real/a.txt");
    assert_eq!(names("*"), "b.txt");
}

#[test]
fn two_stars_end_where_links_lead_back_and_lose_no_file() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["data/x/y", "out/z"] {
        std::fs::create_dir_all(path(name)).unwrap();
        std::fs::write(path(name).join("a.txt"), "a").unwrap();
    }
    symlink(path("out"), path("data/x/out")).unwrap();
    symlink("../../data", path("out/z/back")).unwrap();
    symlink(".", path("data/self")).unwrap();
    let names = |pattern| names(&path("data").display().to_string(), pattern);
    assert_eq!(names("**"), "x/out/z/a.txt x/y/a.txt");
    assert_eq!(names("**/out/**"), "x/out/z/a.txt x/out/z/back/x/y/a.txt");
    let all = ListOptions { recurse: true, ..ListOptions::default() };
    assert_eq!(list_with(path("data").to_str().unwrap(), &all).unwrap().files.len(), 2);
}

#[test]
fn a_folder_with_something_and_no_file_to_read_is_the_jobs_fault() {
    let hidden = ["_part", ".hidden/a.txt", "_tmp/a.txt"];
    let visible = ["day=1/a.txt", "_1=7/a.txt", "deep/a.txt"];
    for (name, is_hidden) in
        hidden.map(|name| (name, true)).into_iter().chain(visible.map(|name| (name, false)))
    {
        for root in roots_of(&[name, "_SUCCESS"]) {
            let error = list(&root.address).unwrap_err();
            assert_eq!(error.class(), Class::Config, "{name}");
            let text = error.to_string();
            assert!(text.contains("the folder has no file to read, only"), "{text}");
            assert!(text.contains("hive_partitions") && text.contains("/**"), "{text}");
            let all = ListOptions { recurse: true, ..ListOptions::default() };
            let found = list_with(&root.address, &all).map(|listed| listed.files.len()).ok();
            assert_eq!(found, (!is_hidden).then_some(1), "{name}");
        }
    }
}

#[test]
fn a_folder_named_key_value_is_never_hidden() {
    for root in roots_of(&["_1=7/.x=8/a.txt", "_1/b.txt", ".x/c.txt", "_y=z"]) {
        for pattern in ["**", "*/*/*", "**/*.txt", "?1=*/**", "_1=7/.x=8/"] {
            assert_eq!(names(&root.address, pattern), "_1=7/.x=8/a.txt", "{pattern}");
        }
    }
}

#[test]
fn an_empty_folder_has_no_files_and_a_link_that_leads_nowhere_is_no_empty_folder() {
    let folder = TempDir::new().unwrap();
    let address = folder.path().to_str().unwrap();
    for recurse in [false, true] {
        let options = ListOptions { recurse, ..ListOptions::default() };
        assert_eq!(list_with(address, &options).unwrap().files, []);
    }
    symlink(folder.path().join("gone"), folder.path().join("link")).unwrap();
    assert!(list(address).unwrap_err().message().contains("links that lead nowhere"));
}

#[test]
fn a_device_is_refused() {
    assert_eq!(list("/dev/null").unwrap_err().message(), "not a regular file");
}

#[test]
fn a_file_or_folder_without_permission_is_of_class_auth() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| format!("{}/{name}", folder.path().display());
    let allow =
        |name: &str, mode| std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
    for name in ["closed", "unsearchable"] {
        std::fs::create_dir(path(name)).unwrap();
        std::fs::write(path(&format!("{name}/a.txt")), "a").unwrap();
    }
    std::fs::write(path("secret.txt"), "a").unwrap();
    allow("secret.txt", 0o000);
    allow("closed", 0o000);
    allow("unsearchable", 0o444);
    if std::fs::read_dir(path("closed")).is_ok() {
        return; // root may read everything
    }
    for address in
        ["secret.txt", "closed", "closed/a.txt", "closed/*", "*/a.txt", "unsearchable", "unsearchable/*"]
    {
        assert_eq!(list(&path(address)).unwrap_err().class(), Class::Auth, "{address}");
    }
    for name in ["closed", "unsearchable"] {
        allow(name, 0o755); // so that the folder can be removed
    }
}

/// Lists `pattern` under both roots and compares the names.
fn check(pattern: &str, expected: &str) {
    for root in roots() {
        assert_eq!(names(&root.address, pattern), expected, "{pattern} in {}", root.address);
    }
}

fn names(root: &str, pattern: &str) -> String {
    let files = list(&format!("{root}/{pattern}")).unwrap();
    let prefix = format!("{root}/");
    files.iter().map(|file| file.address.strip_prefix(&prefix).unwrap()).collect::<Vec<_>>().join(" ")
}

struct Root {
    address: String,
    _folder: Option<TempDir>,
}

/// The same files in a folder and in the memory store.
fn roots() -> [Root; 2] {
    roots_of(&FILES)
}

fn roots_of(files: &[&str]) -> [Root; 2] {
    let folder = TempDir::new().unwrap();
    let local = folder.path().to_str().unwrap().to_owned();
    let memory = format!("memory:///listing-{}", uuid::Uuid::new_v4());
    for root in [&local, &memory] {
        for name in files {
            let Location { store, path, .. } = Location::exact(&format!("{root}/{name}")).unwrap();
            store.wait(store.objects().put(&path, "text".into())).unwrap();
        }
    }
    [Root { address: local, _folder: Some(folder) }, Root { address: memory, _folder: None }]
}
