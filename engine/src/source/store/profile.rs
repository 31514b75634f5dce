//! The profiles in `~/.aws/config` and `~/.aws/credentials`: keys, region and endpoint.
//!
//! A profile whose keys need another program, a browser or another request (roles, single sign-on, processes)
//! is refused with the name of that setting, and never ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Settings by name, in lower case.
pub(super) type Profile = BTreeMap<String, String>;

/// Settings that make a profile get its keys from elsewhere.
const UNSUPPORTED: [&str; 6] =
    ["role_arn", "source_profile", "credential_source", "credential_process", "sso_session", "sso_start_url"];

/// The profile `name`: its settings in both files, where the credentials file takes precedence; `None` if
/// neither has it.
///
/// # Errors
/// Of class config when a file cannot be read.
pub(super) fn load(name: &str, env: impl Fn(&str) -> Option<String>) -> Result<Option<Profile>> {
    let home = env("HOME").map(PathBuf::from);
    let file = |variable: &str, default: &str| {
        env(variable).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".aws").join(default)))
    };
    let mut found: Option<Profile> = None;
    // A later file does not override the settings of an earlier one.
    let files = [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")];
    for (variable, default) in files {
        let Some(path) = file(variable, default) else { continue };
        for section in sections(&read(&path, env(variable).is_some())?) {
            let is_named =
                section.0 == name || (default == "config" && section.0 == format!("profile {name}"));
            if is_named {
                let profile = found.get_or_insert_default();
                section.1.into_iter().for_each(|(key, value)| {
                    profile.entry(key).or_insert(value);
                });
            }
        }
    }
    Ok(found)
}

/// Refuses a profile without keys that refers to another source of them.
pub(super) fn check_supported(name: &str, profile: &Profile) -> Result<()> {
    let has_keys = profile.contains_key("aws_access_key_id");
    match UNSUPPORTED.iter().find(|setting| profile.contains_key(**setting)) {
        Some(setting) if !has_keys => {
            let text = format!("the profile `{name}` gets its keys by `{setting}`, which is not supported");
            Err(Error::config(text).reason("unsupported_profile").help(format!(
                "`eval \"$(aws configure export-credentials --profile {name} --format env)\"` sets them as variables"
            )))
        }
        _ => Ok(()),
    }
}

/// The text of a file; only a file that a variable names must exist.
fn read(path: &Path, is_named: bool) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !is_named => Ok(String::new()),
        Err(e) => Err(Error::io("the profiles cannot be read", e).at("file", path.display())),
    }
}

/// The sections of a file with their settings. Nested settings, which are indented, are skipped.
fn sections(text: &str) -> Vec<(String, Profile)> {
    let mut sections: Vec<(String, Profile)> = Vec::new();
    for line in text.lines() {
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let words: Vec<&str> = name.split_whitespace().collect();
            sections.push((words.join(" "), Profile::new()));
        } else if let (Some((key, value)), Some((_, profile)), false, false) =
            (line.split_once('='), sections.last_mut(), line.starts_with(['#', ';']), is_indented)
        {
            // A comment may follow a blank.
            let value = value.split(" #").next().unwrap_or_default().trim();
            profile.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_in_both_files_and_its_credentials_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let aws = folder.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(
            aws.join("credentials"),
            "[default]\naws_access_key_id = D\n\n# note\n[ work ]\naws_access_key_id=W # mine\n",
        )
        .unwrap();
        let config = "[profile  work]\nregion = eu-west-1\naws_access_key_id = no\ns3 =\n  max = 1\n[default]\nregion=x\n";
        std::fs::write(aws.join("config"), config).unwrap();
        let home = folder.path().display().to_string();
        let load = |name: &str| load(name, |variable| (variable == "HOME").then(|| home.clone())).unwrap();
        let work = load("work").unwrap();
        let work: Vec<_> = work.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(work, [("aws_access_key_id", "W"), ("region", "eu-west-1"), ("s3", "")]);
        assert_eq!(load("default").unwrap()["region"], "x");
        assert_eq!(load("other"), None);
    }

    #[test]
    fn a_profile_that_gets_its_keys_elsewhere_is_refused_by_name() {
        let profile = Profile::from([("sso_session".to_owned(), "s".to_owned())]);
        let error = check_supported("work", &profile).unwrap_err();
        assert!(error.message().contains("`work` gets its keys by `sso_session`"), "{error}");
    }
}
