//! Identifies the binary of this process by a short text that two processes can compare.
//!
//! The linker's build id is already a hash of the program, so it is used where it exists: only a few hundred
//! bytes are read, however large the program is. Without a build id the whole file is hashed. The text
//! includes the file's length, because `strip` keeps the build id.

use std::fmt::Write;
use std::fs::File;
use std::hash::Hasher;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use twox_hash::XxHash3_64;

use crate::error::{Error, Result};

/// The file of the running program, even if its name now refers to another file.
const SELF: &str = "/proc/self/exe";
/// The most bytes that are read of the notes or of the program headers.
const MAX_TABLE_BYTES: u64 = 1 << 16;
/// Bytes that are hashed at a time.
const CHUNK_BYTES: usize = 1 << 20;

const ELF_HEADER_BYTES: usize = 64;
const NOTE_HEADER_BYTES: usize = 12;
const PROGRAM_HEADER_IS_NOTE: u32 = 4;
const NOTE_IS_BUILD_ID: u32 = 3;

/// The file from which to start the running program again: its name as long as that still refers to the same
/// file, so that `ps` and `top` show it. If the file is replaced right after this check, the handshake
/// detects it.
pub(super) fn path() -> PathBuf {
    let running = PathBuf::from(SELF);
    std::env::current_exe().ok().filter(|named| is_same_file(named, &running)).unwrap_or(running)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    id(a).is_some_and(|file| Some(file) == id(b))
}

/// The hash of the running program, computed once.
pub(super) fn hash() -> Result<String> {
    static HASH: OnceLock<Result<String>> = OnceLock::new();
    HASH.get_or_init(|| hash_of(Path::new(SELF))).clone()
}

fn hash_of(path: &Path) -> Result<String> {
    let failed = |e| Error::io("this program's file cannot be read", e).at("file", path.display());
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    match build_id(&file) {
        Some(id) => Ok(format!("build-id {}, {length} bytes", hex(&id))),
        None => Ok(format!("xxh3 {}, {length} bytes", hex(&content(&mut file).map_err(failed)?))),
    }
}

/// A 128-bit hash of the whole file.
fn content(file: &mut File) -> std::io::Result<[u8; 16]> {
    let mut halves = [XxHash3_64::with_seed(0), XxHash3_64::with_seed(1)];
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        halves.iter_mut().for_each(|half| half.write(&chunk[..count]));
    }
    let [high, low] = halves.map(|half| u128::from(half.finish()));
    Ok((high << 64 | low).to_be_bytes())
}

/// The GNU build id of a 64-bit little-endian ELF file; `None` if it has no build id or another format.
fn build_id(file: &File) -> Option<Vec<u8>> {
    let header = read_at(file, 0, ELF_HEADER_BYTES as u64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (offset, entry_bytes, count) = (u64_at(&header, 32)?, u16_at(&header, 54)?, u16_at(&header, 56)?);
    let programs = read_at(file, offset, u64::from(entry_bytes) * u64::from(count))?;
    programs.chunks_exact(usize::from(entry_bytes).max(1)).find_map(|program| {
        let is_note = u32_at(program, 0)? == PROGRAM_HEADER_IS_NOTE;
        let notes = is_note.then(|| read_at(file, u64_at(program, 8)?, u64_at(program, 32)?))??;
        build_id_note(&notes, u64_at(program, 48)?.max(4) as usize)
    })
}

/// Searches consecutive notes, each aligned to `align` bytes.
fn build_id_note(mut notes: &[u8], align: usize) -> Option<Vec<u8>> {
    loop {
        let (name_bytes, id_bytes) = (u32_at(notes, 0)? as usize, u32_at(notes, 4)? as usize);
        let name = notes.get(NOTE_HEADER_BYTES..NOTE_HEADER_BYTES.checked_add(name_bytes)?)?;
        let start = (NOTE_HEADER_BYTES + name_bytes).checked_next_multiple_of(align)?;
        let end = start.checked_add(id_bytes)?;
        if u32_at(notes, 8)? == NOTE_IS_BUILD_ID && name == b"GNU\0" {
            return notes.get(start..end).filter(|id| !id.is_empty()).map(<[u8]>::to_vec);
        }
        notes = notes.get(end.checked_next_multiple_of(align)?..)?;
    }
}

fn read_at(file: &File, offset: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; (length <= MAX_TABLE_BYTES).then_some(length as usize)?];
    file.read_exact_at(&mut bytes, offset).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_has_one_hash() {
        let hash = hash().unwrap();
        assert!(hash.ends_with(" bytes"), "{hash}");
        assert_eq!(hash, hash_of(&std::env::current_exe().unwrap()).unwrap());
    }

    #[test]
    fn a_file_without_build_id_is_hashed_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let hash_with = |content: &[u8]| {
            std::fs::write(file.path(), content).unwrap();
            hash_of(file.path()).unwrap()
        };
        let (a, b) = (hash_with(b"\x7fELF\x02\x01 cut short"), hash_with(b"\x7fELF\x02\x01 cut shorT"));
        assert!(a.starts_with("xxh3 ") && a != b, "{a} {b}");
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        let note = |kind: u32, body: &[u8]| {
            let head = [4, body.len() as u32, kind].map(u32::to_le_bytes).concat();
            [&head[..], b"GNU\0", body].concat()
        };
        let notes = [note(1, &[9; 8]), note(NOTE_IS_BUILD_ID, &[1, 2, 3, 4])].concat();
        assert_eq!(build_id_note(&notes, 4), Some(vec![1, 2, 3, 4]));
        assert_eq!(build_id_note(&notes[..20], 4), None);
    }
}
