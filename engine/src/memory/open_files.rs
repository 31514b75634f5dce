//! How many files this process may have open at once.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit to what the system lets this process have: outputs that are written to disk, and
/// merges of them, hold a file each, and the usual limit of 1024 is one for interactive programs.
pub fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("the limit on open files cannot be raised: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_the_system_allows() {
        raise_open_files();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
