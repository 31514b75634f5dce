//! `read_text`: the lines of plain and compressed files, in the order of their names.

use std::io::Write;
use std::path::Path;

use tempfile::TempDir;

use crate::random::Random;
use crate::support::{check_ordered, for_each_seed};

#[test]
fn the_lines_of_plain_and_compressed_files_come_in_the_order_of_their_names() {
    for_each_seed(|seed| {
        let mut random = Random::new(seed);
        let files =
            ["a.txt", "b.txt.gz", "c.txt.zst", "d.txt"].map(|name| (name, random.rows(500, Random::line)));
        let folder = TempDir::new().unwrap();
        files.iter().for_each(|(name, lines)| write(&folder.path().join(name), &with_newlines(lines)));
        let expected: Vec<String> = files.into_iter().flat_map(|(_, lines)| lines).collect();
        check_ordered(&expected, |s| {
            s.cx().read_text(&folder.path().join("*.txt*").to_string_lossy()).collect()
        });
        check_ordered(&expected, |s| s.cx().read_text(&folder.path().to_string_lossy()).collect());
    });
}

#[test]
fn lines_end_as_those_of_std_do() {
    let folder = TempDir::new().unwrap();
    let text = "first\r\n\nthird\rstill third\n no newline at the end\r";
    for name in ["a.txt", "b.gz", "c.zst"] {
        write(&folder.path().join(name), text);
    }
    write(&folder.path().join("d.txt"), "");
    let expected: Vec<String> = [text; 3].iter().flat_map(|text| text.lines()).map(String::from).collect();
    check_ordered(&expected, |s| s.cx().read_text(&folder.path().to_string_lossy()).collect());
}

#[test]
fn a_file_of_several_splits_gives_every_line_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.txt");
    // More than one split, with lines of many lengths across the split points.
    let lines = Random::new(1).rows(2500, |r| "x".repeat(r.below(40_000) as usize) + "|");
    write(&path, &with_newlines(&lines));
    let lengths: Vec<u64> = lines.iter().map(|line| line.len() as u64).collect();
    check_ordered(&lengths, |s| {
        s.cx().read_text(&path.to_string_lossy()).map(|line| line.len() as u64).collect()
    });
}

#[test]
fn an_empty_folder_has_no_lines() {
    let folder = TempDir::new().unwrap();
    check_ordered(&Vec::<String>::new(), |s| s.cx().read_text(&folder.path().to_string_lossy()).collect());
}

fn with_newlines(lines: &[String]) -> String {
    lines.iter().map(|line| line.clone() + "\n").collect()
}

/// Writes `text`, compressed according to the extension of the name.
fn write(path: &Path, text: &str) {
    let file = std::fs::File::create(path).unwrap();
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => {
            flate2::write::GzEncoder::new(file, Default::default()).write_all(text.as_bytes()).unwrap()
        }
        Some("zst") => zstd::stream::copy_encode(text.as_bytes(), file, 1).unwrap(),
        _ => { &file }.write_all(text.as_bytes()).unwrap(),
    }
}
