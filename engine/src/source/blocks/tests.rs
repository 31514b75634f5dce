//! Tests of reading text: who reads which line, what is refused and where, what is decompressed.

use std::io::Write;
use std::path::Path;

use object_store::ObjectStoreExt;
use tempfile::TempDir;

use super::*;
use crate::error::Class;
use crate::source::listing::InputFile;
use crate::source::location::Location;
use crate::source::split::plan_splits_of;
use crate::source::{ListOptions, lines, list_with};

#[test]
fn the_lines_of_all_splits_are_the_lines_of_the_file_however_it_is_cut() {
    let folder = TempDir::new().unwrap();
    for seed in 0..60 {
        let text = random_text(seed);
        let file = written(&folder, "a.txt", text.as_bytes());
        for target_bytes in 1..=text.len() as u64 + 1 {
            check_lines(&file, target_bytes, &text, &format!("seed {seed}, target {target_bytes}"));
        }
    }
}

#[test]
fn a_store_gives_the_same_lines_as_a_file() {
    for seed in 100..110 {
        let text = random_text(seed);
        let file = stored("memory:///blocks/a.txt", text.as_bytes());
        for target_bytes in 1..=text.len() as u64 + 1 {
            check_lines(&file, target_bytes, &text, &format!("seed {seed}, target {target_bytes}"));
        }
    }
}

#[test]
fn a_block_ends_where_a_line_ends() {
    let folder = TempDir::new().unwrap();
    let text = "some words in a line\n".repeat(100_000) + "the rest";
    let mut blocks = TextBlocks::open(&whole(&written(&folder, "a.txt", text.as_bytes()))).unwrap();
    let mut all = String::new();
    while let Some(block) = blocks.next_block().unwrap() {
        all += block;
        assert!(block.ends_with('\n') || all.len() == text.len());
    }
    assert!(all == text && blocks.bytes_read() == text.len() as u64);
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_start_only() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, "a.txt", "\u{feff}one\n\u{feff}two".as_bytes());
    for target_bytes in 1..=14 {
        check_lines(&file, target_bytes, "one\n\u{feff}two", &format!("target {target_bytes}"));
    }
    assert_eq!(read(&written(&folder, "b.txt", "\u{feff}".as_bytes())).unwrap(), "");
}

#[test]
fn a_line_longer_than_a_block_is_read_whole() {
    let folder = TempDir::new().unwrap();
    let text = format!("a\n{}\nb\n", "long ".repeat(BLOCK_BYTES));
    let file = written(&folder, "a.txt", text.as_bytes());
    check_lines(&file, 1 << 20, &text, "a long line");
}

#[test]
fn a_line_over_the_limit_is_refused_with_its_place() {
    let folder = TempDir::new().unwrap();
    let text = [b"ab\n".as_slice(), &vec![b'x'; MAX_LINE_BYTES], b"\n"].concat();
    let error = read(&written(&folder, "a.txt", &text)).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    let place =
        "a line is longer than 64 MiB, at file DIR/a.txt, byte 3\n  help: the limit is MAX_LINE_BYTES";
    assert!(shown(&error, &folder).starts_with(place), "{error}");
}

#[test]
fn invalid_text_is_refused_at_its_exact_byte_in_every_split() {
    let folder = TempDir::new().unwrap();
    let file = written(&folder, "a.txt", b"one\ntwo\nth\xFFee\nfour\n");
    for target_bytes in [1, 7, 100] {
        let errors =
            pieces(&file, target_bytes).iter().filter_map(|p| read_piece(p, 5).err()).collect::<Vec<_>>();
        assert_eq!(errors.len(), 1);
        let text = shown(&errors[0], &folder);
        assert!(text.starts_with("invalid UTF-8, at file DIR/a.txt, byte 10\n"), "{text}");
    }
}

#[test]
fn invalid_compressed_text_is_placed_in_the_decompressed_text() {
    let folder = TempDir::new().unwrap();
    let error = read(&written(&folder, "a.gz", &gzip(b"one\n\xFF"))).unwrap_err();
    let text = "invalid UTF-8 in the decompressed text, at file DIR/a.gz, decompressed byte 4\n";
    assert!(error.class() == Class::Data && shown(&error, &folder).starts_with(text), "{error}");
}

#[test]
fn all_members_of_a_gzip_file_are_read() {
    let folder = TempDir::new().unwrap();
    let bytes = [gzip(b"one\ntw"), gzip(b""), gzip(b"o\nthree")].concat();
    assert_eq!(read(&written(&folder, "a.gz", &bytes)).unwrap(), "one\ntwo\nthree");
}

#[test]
fn all_frames_of_a_zstd_file_are_read() {
    let folder = TempDir::new().unwrap();
    let bytes = [zstd(b"one\ntw"), zstd(b"o\nthree\n")].concat();
    assert_eq!(read(&written(&folder, "a.zst", &bytes)).unwrap(), "one\ntwo\nthree\n");
}

#[test]
fn a_compressed_file_in_a_store_is_read() {
    let text = random_text(7).repeat(1000);
    assert!(read(&stored("memory:///blocks/a.zst", &zstd(text.as_bytes()))).unwrap() == text);
}

#[test]
fn a_compressed_file_that_is_cut_anywhere_ends_early() {
    let folder = TempDir::new().unwrap();
    let text = random_text(1);
    for (name, bytes) in [("a.gz", gzip(text.as_bytes())), ("a.zst", zstd(text.as_bytes()))] {
        for length in 1..bytes.len() {
            let error = read(&written(&folder, name, &bytes[..length])).unwrap_err();
            let stream = if name == "a.gz" { "gzip" } else { "zstd" };
            let expected = format!("the {stream} stream ends early, at file DIR/{name}");
            assert_eq!((error.class(), shown(&error, &folder)), (Class::Data, expected), "{length} bytes");
        }
    }
}

#[test]
fn a_damaged_or_empty_compressed_file_is_bad_data() {
    let folder = TempDir::new().unwrap();
    let mut damaged = gzip(random_text(2).as_bytes());
    damaged[14] ^= 0x55;
    for (name, bytes, message) in [
        ("a.gz", damaged.as_slice(), "the gzip stream is corrupt"),
        ("b.gz", b"plain text, wrongly named", "the gzip stream is corrupt"),
        ("c.zst", b"plain text, wrongly named", "the zstd stream is corrupt"),
        ("d.gz", b"", "the compressed file is empty"),
    ] {
        let error = read(&written(&folder, name, bytes)).unwrap_err();
        assert_eq!((error.class(), error.message()), (Class::Data, message), "{name}");
    }
}

#[test]
fn a_file_that_shrank_is_bad_data_and_one_that_grew_is_read_as_planned() {
    let folder = TempDir::new().unwrap();
    let planned = whole(&written(&folder, "a.txt", b"one\ntwo\n"));
    written(&folder, "a.txt", b"one\ntwo\nthree\n");
    assert_eq!(read_piece(&planned, 100).unwrap(), "one\ntwo\n");
    written(&folder, "a.txt", b"one\n");
    let error = read_piece(&planned, 100).unwrap_err();
    assert_eq!(error.class(), Class::Data);
    let text = "the file ends early: it had 8 bytes when the job was planned, at byte 0, file DIR/a.txt";
    assert!(shown(&error, &folder).starts_with(text), "{error}");
}

#[test]
fn a_file_that_is_gone_is_named() {
    let folder = TempDir::new().unwrap();
    let planned = whole(&written(&folder, "a.txt", b"one\n"));
    std::fs::remove_file(&planned.address).unwrap();
    let error = read_piece(&planned, 100).unwrap_err();
    assert_eq!(error.class(), Class::Config);
    assert!(shown(&error, &folder).starts_with("cannot open the file, at file DIR/a.txt: "), "{error}");
}

/// Reads all splits of `file` with a small and a large buffer and compares with `str::lines`.
fn check_lines(file: &InputFile, target_bytes: u64, text: &str, context: &str) {
    for block_bytes in [4, 1 << 16] {
        let parts = pieces(file, target_bytes)
            .iter()
            .map(|p| read_piece(p, block_bytes).unwrap())
            .collect::<Vec<_>>();
        let found = parts.iter().flat_map(|part| lines(part)).collect::<Vec<_>>();
        assert!(
            found.iter().copied().eq(text.lines()),
            "{context}, block {block_bytes}: {text:?} became {found:?}"
        );
    }
}

fn pieces(file: &InputFile, target_bytes: u64) -> Vec<Piece> {
    let splits = plan_splits_of(std::slice::from_ref(file), target_bytes);
    splits.into_iter().flat_map(|split| split.pieces).collect()
}

fn whole(file: &InputFile) -> Piece {
    Piece::of(file, 0, file.size)
}

fn read(file: &InputFile) -> Result<String> {
    read_piece(&whole(file), BLOCK_BYTES)
}

fn read_piece(piece: &Piece, block_bytes: usize) -> Result<String> {
    let mut blocks = TextBlocks::with_block_bytes(piece, block_bytes)?;
    let mut text = String::new();
    while let Some(block) = blocks.next_block()? {
        text += block;
    }
    Ok(text)
}

fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> InputFile {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    listed(path.to_str().unwrap())
}

fn listed(address: &str) -> InputFile {
    list_with(address, &ListOptions::default()).unwrap().files.remove(0)
}

fn stored(address: &str, bytes: &[u8]) -> InputFile {
    let Location { store, path, .. } = Location::exact(address).unwrap();
    store.wait(store.objects().put(&path, bytes.to_vec().into())).unwrap();
    listed(address)
}

fn shown(error: &Error, folder: &TempDir) -> String {
    let path: &Path = folder.path();
    error.to_string().replace(path.to_str().unwrap(), "DIR")
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

/// A text of up to 60 fragments that are likely to cause errors, generated from `seed` alone.
fn random_text(seed: u64) -> String {
    const PARTS: [&str; 12] = ["\n", "\n", "\r\n", "\r", "", "a", "bc d", "é", "日本", "𝄞", " ", "\n\n"];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let count = 1 + next() % 60;
    (0..count).map(|_| PARTS[(next() % PARTS.len() as u64) as usize]).collect()
}
