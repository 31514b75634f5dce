//! `read_text_files`: whole text files, each with its address.

use kiln_planner::Site;

use super::read::{Allowed, Read};
use super::whole_files::{Content, WholeFiles};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::{Error, Result};

impl Context {
    /// Whole text files: a row is the address of a file and its text. A path, a folder, a glob or a URL.
    ///
    /// Files ending in `.gz` and `.zst` are decompressed. A file of more than 1 GiB is refused.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().display().to_string();
    /// # std::fs::write(folder.path().join("a.txt"), "one\ntwo\n").unwrap();
    /// let cx = kiln::Context::local(1);
    /// let files = cx.read_text_files(&path).collect()?;
    /// assert!(files[0].0.ends_with("/a.txt"));
    /// assert_eq!(files[0].1, "one\ntwo\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data for
    /// text that is not UTF-8, a broken archive, or a file that is too large.
    #[track_caller]
    pub fn read_text_files(&self, address: &str) -> Dataset<(String, String), WholeFiles<String>> {
        self.read().text_files(address)
    }
}

impl Read {
    /// [`Context::read_text_files`] with these options.
    #[track_caller]
    pub fn text_files(self, address: &str) -> Dataset<(String, String), WholeFiles<String>> {
        self.whole_files("text_files", Allowed::default(), address, Site::caller())
    }
}

impl Content for String {
    const DECOMPRESS: bool = true;

    fn read(bytes: &[u8]) -> Result<&str> {
        std::str::from_utf8(bytes).map_err(|e| {
            let error = Error::data("invalid UTF-8").at("byte", e.valid_up_to());
            error.help("text must be UTF-8; read other files with `read_binary_files`")
        })
    }
}
