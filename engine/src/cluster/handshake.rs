//! Checks that an executor runs the same program as its driver.
//!
//! A task refers to its code by a position in the link-time table, so two binaries that differ in one
//! function could run the wrong code without an error. Three values are compared, from the broadest to the
//! most specific, and a refusal shows both sides. That distinguishes a stale binary from a table that the
//! linker has truncated.

use kiln_proto::v1::Hello;

use super::binary;
use crate::error::Result;
use crate::ship::table;

/// The version of `kiln.proto` in this binary; raised when an older reader would misread it.
pub(super) const PROTOCOL_VERSION: u32 = 1;

/// What a driver and its executors must have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) protocol_version: u32,
    pub(super) binary_hash: String,
    pub(super) table_fingerprint: u64,
    pub(super) table_length: u32,
}

impl Identity {
    /// The identity of this process.
    pub(super) fn own() -> Result<Identity> {
        Ok(Identity {
            protocol_version: PROTOCOL_VERSION,
            binary_hash: binary::hash()?,
            table_fingerprint: table::fingerprint(),
            table_length: table::table().len() as u32,
        })
    }

    /// The identity of the sender of `hello`.
    pub(super) fn of(hello: &Hello) -> Identity {
        Identity {
            protocol_version: hello.protocol_version,
            binary_hash: hello.binary_hash.clone(),
            table_fingerprint: hello.table_fingerprint,
            table_length: hello.table_length,
        }
    }

    /// `None` if both are the same, else why `theirs` is refused.
    pub(super) fn refusal(&self, theirs: &Identity) -> Option<String> {
        if self.protocol_version != theirs.protocol_version {
            return Some(differs("protocol version", theirs.protocol_version, self.protocol_version));
        }
        if self.binary_hash != theirs.binary_hash {
            return Some(differs("binary", &theirs.binary_hash, &self.binary_hash));
        }
        let table =
            |of: &Identity| format!("{} entries, fingerprint {:016x}", of.table_length, of.table_fingerprint);
        (table(self) != table(theirs)).then(|| differs("stage table", table(theirs), table(self)))
    }
}

fn differs(what: &str, theirs: impl std::fmt::Display, ours: impl std::fmt::Display) -> String {
    format!("its {what} differs: the executor has {theirs}; the driver has {ours}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            protocol_version: 1,
            binary_hash: "build-id aa".to_owned(),
            table_fingerprint: 7,
            table_length: 3,
        }
    }

    #[test]
    fn the_same_program_is_let_in() {
        assert_eq!(identity().refusal(&identity()), None);
    }

    #[test]
    fn a_mismatch_is_refused_with_both_values() {
        let refused = |theirs: Identity| identity().refusal(&theirs).unwrap();
        let version = refused(Identity { protocol_version: 2, ..identity() });
        assert_eq!(version, "its protocol version differs: the executor has 2; the driver has 1");
        let binary = refused(Identity { binary_hash: "build-id bb".to_owned(), ..identity() });
        assert!(binary.contains("build-id aa") && binary.contains("build-id bb"), "{binary}");
        let table = refused(Identity { table_length: 4, ..identity() });
        assert!(table.contains("3 entries") && table.contains("4 entries"), "{table}");
        assert!(refused(Identity { table_fingerprint: 8, ..identity() }).contains("0008"));
    }
}
