//! `read_binary_files`: whole files as bytes, each with its address.

use bytes::Bytes;
use kiln_planner::Site;

use super::read::{Allowed, Read};
use super::whole_files::{Content, WholeFiles};
use crate::context::Context;
use crate::dataset::Dataset;
use crate::error::Result;

impl Context {
    /// Whole files: a row is the address of a file and its bytes, as they are. A path, a folder, a glob
    /// or a URL. A file of more than 1 GiB is refused.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("a.bin").display().to_string();
    /// # std::fs::write(&path, [1, 2, 255]).unwrap();
    /// let cx = kiln::Context::local(1);
    /// let files = cx.read_binary_files(&path).collect()?;
    /// assert_eq!(files[0].1.as_ref(), [1, 2, 255]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data for a
    /// file that is too large.
    #[track_caller]
    pub fn read_binary_files(&self, address: &str) -> Dataset<(String, Bytes), WholeFiles<Bytes>> {
        self.read().binary_files(address)
    }
}

impl Read {
    /// [`Context::read_binary_files`] with these options.
    #[track_caller]
    pub fn binary_files(self, address: &str) -> Dataset<(String, Bytes), WholeFiles<Bytes>> {
        self.whole_files("binary_files", Allowed::default(), address, Site::caller())
    }
}

impl Content for Bytes {
    const DECOMPRESS: bool = false;

    fn read(bytes: &[u8]) -> Result<&[u8]> {
        Ok(bytes)
    }
}
