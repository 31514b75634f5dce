//! Arguments without what must not be recorded: passwords, tokens and keys become `***`.

/// What takes the place of a secret.
pub const HIDDEN: &str = "***";
/// Parts of the names of options whose values are secret.
const SECRET_NAMES: [&str; 5] = ["password", "passwd", "secret", "token", "credential"];

/// The arguments with secret values replaced.
pub fn redacted(arguments: Vec<String>) -> Vec<String> {
    let mut is_value = false;
    let mut redact = |argument: String| {
        if std::mem::take(&mut is_value) && !argument.starts_with("--") {
            return HIDDEN.to_owned();
        }
        match argument.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
            None if argument.starts_with('-') && is_secret(&argument) => {
                is_value = true;
                argument
            }
            _ => without_user_info(argument),
        }
    };
    arguments.into_iter().map(&mut redact).collect()
}

/// Whether an option, or a key as in `key=value`, has a secret value by its name.
fn is_secret(name: &str) -> bool {
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    let last_word = name.rsplit(['-', '_', '.']).next().unwrap_or_default();
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
        || last_word == "key"
        || last_word.ends_with("apikey")
}

/// `scheme://user:password@host` without the password.
fn without_user_info(argument: String) -> String {
    let Some((scheme, rest)) = argument.split_once("://") else { return argument };
    let host = rest.find('/').unwrap_or(rest.len());
    let Some(at) = rest[..host].rfind('@') else { return argument };
    match rest[..at].split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}{}", &rest[at..]),
        None => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_secrets_are_hidden_and_others_are_kept() {
        for (given, kept) in [
            ("--input a.txt --day 1", "--input a.txt --day 1"),
            ("--password hunter2 --day 1", "--password *** --day 1"),
            ("--db-password=hunter2", "--db-password=***"),
            ("-token x", "-token ***"),
            ("--api-token --day 1", "--api-token --day 1"),
            ("--access-key abc --api_key=abc key=abc", "--access-key *** --api_key=*** key=***"),
            ("SECRET_ID=7 keyboard=qwertz", "SECRET_ID=*** keyboard=qwertz"),
            ("postgres://me:pw@host/db s3://b/a@b", "postgres://me:***@host/db s3://b/a@b"),
        ] {
            let words = given.split(' ').map(String::from).collect();
            assert_eq!(redacted(words).join(" "), kept);
        }
    }
}
