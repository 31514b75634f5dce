//! A small file system that fills up soon.

use std::path::Path;
use std::process::Command;

/// A mounted file system of a given size.
pub(crate) struct Disk<'a>(&'a Path);

impl Disk<'_> {
    /// Mounts an empty file system at the folder `at`.
    pub(crate) fn mount<'a>(at: &'a Path, size: &str) -> Disk<'a> {
        let options = format!("size={size}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output().unwrap();
        let said = String::from_utf8_lossy(&mounted.stderr).into_owned();
        assert!(
            mounted.status.success(),
            "this test needs a small file system and may not mount one: {said}"
        );
        Disk(at)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
