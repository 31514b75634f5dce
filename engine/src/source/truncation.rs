//! Tests of files that end early: every format, truncated at every byte, in pieces with arbitrary borders;
//! and CSV with an extra quote at every byte, which leaves a field open.
//!
//! What a format must do follows from how it marks its end (`crate::Read`). Text, CSV and JSON lines have no
//! end mark: a truncated file yields its complete records, and a last line without a line end counts as one;
//! a truncation inside a quoted field, an object or a character is an error. Gzip and Zstandard mark the end
//! of each member, Parquet and Arrow the end of the file: every other truncation is an error.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use proptest::prelude::*;
use tempfile::TempDir;

use super::quotes::record_starts;
use super::version::Version;
use super::*;
use crate::error::{Class, Result};
use crate::row::{Row, RowReader};

type Record = (i64, Option<String>);

/// A text file, and what is known of it.
#[derive(Clone, Debug, Default)]
struct Text {
    text: String,
    /// The bytes of each record, without the line end.
    records: Vec<Range<usize>>,
    /// A cut before one of these bytes leaves a quoted field open.
    quoted: BTreeSet<usize>,
}

impl Text {
    fn lines(records: &[Record], end: &str) -> Text {
        let mut file = Text::default();
        for (id, name) in records {
            file.push(&format!("{id} {}", name.as_deref().unwrap_or("-").replace(['\n', '\r'], " ")), end);
        }
        file
    }

    fn json(records: &[Record], end: &str) -> Text {
        let mut file = Text::default();
        for (id, name) in records {
            file.push(&serde_json::json!({ "_1": id, "_2": name }).to_string(), end);
        }
        file
    }

    fn csv(records: &[Record], end: &str) -> Text {
        let mut file = Text { text: format!("id,name{end}"), ..Text::default() };
        for (id, name) in records {
            // An empty text is read as a null.
            let name = name.as_deref().unwrap_or_default();
            let is_plain = !name.contains([',', '"', '\n', '\r']);
            let at = file.text.len() + format!("{id},").len();
            let field = if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) };
            if !is_plain {
                file.quoted.extend(open_cuts(&field).map(|cut| at + cut));
            }
            file.push(&format!("{id},{field}"), end);
        }
        file
    }

    fn push(&mut self, record: &str, end: &str) {
        let start = self.text.len();
        self.text += record;
        self.records.push(start..self.text.len());
        self.text += end;
    }

    /// How many records are complete before the cut, and whether a part of another one is left.
    fn whole_before(&self, cut: usize) -> (usize, bool) {
        let whole = self.records.iter().take_while(|record| record.end <= cut).count();
        (whole, self.records.get(whole).is_some_and(|record| record.start < cut))
    }
}

/// The positions where a cut leaves a quoted field open: after an odd number of quotes.
fn open_cuts(field: &str) -> impl Iterator<Item = usize> + '_ {
    (1..=field.len())
        .filter(|cut| field.as_bytes()[..*cut].iter().filter(|byte| **byte == b'"').count() % 2 == 1)
}

/// Reads the pieces of a file.
type Reading = fn(&[Piece]) -> Result<Vec<Record>>;

struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> InputFile {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (address, size) = (path.display().to_string(), bytes.len() as u64);
        InputFile { address, size, version: Version::Unknown }
    }
}

/// Pieces with borders at `places`.
fn pieces(file: &InputFile, places: &[u64]) -> Vec<Piece> {
    let mut borders: Vec<u64> = places.iter().copied().filter(|at| (1..file.size).contains(at)).collect();
    borders.insert(0, 0);
    borders.push(file.size);
    let piece = |border: &[u64]| Piece::of(file, border[0], border[1]);
    borders.windows(2).map(piece).collect()
}

fn csv_pieces(file: &InputFile, places: &[u64]) -> Vec<Piece> {
    let inside = places.iter().copied().filter(|at| (1..file.size).contains(at)).collect();
    pieces(file, &record_starts(file, inside, &CsvFormat::default()).unwrap())
}

fn rows(mut batches: impl Batches) -> Result<Vec<Record>> {
    let mut rows = Vec::new();
    while let Some(batch) = batches.next_batch()? {
        let reader = RowReader::<Record>::open(&batch)?;
        rows.extend((0..reader.len()).map(|at| Record::own(reader.get(at))));
    }
    Ok(rows)
}

fn wanted() -> Wanted {
    Wanted::of::<Record>(false, 2)
}

fn read_lines(pieces: &[Piece]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for piece in pieces {
        let mut text = TextBlocks::open(piece)?;
        while let Some(block) = text.next_block()? {
            found.extend(lines(block).map(str::to_owned));
        }
    }
    Ok(found)
}

fn read_all<B: Batches>(pieces: &[Piece], open: impl Fn(&Piece) -> Result<B>) -> Result<Vec<Record>> {
    pieces.iter().map(|piece| rows(open(piece)?)).collect::<Result<Vec<_>>>().map(|rows| rows.concat())
}

fn read_csv(pieces: &[Piece]) -> Result<Vec<Record>> {
    read_all(pieces, |piece| CsvBatches::open(piece, &wanted(), &CsvFormat::default()))
}

fn read_json(pieces: &[Piece]) -> Result<Vec<Record>> {
    read_all(pieces, |piece| JsonBatches::open(piece, &wanted()))
}

fn read_parquet(pieces: &[Piece]) -> Result<Vec<Record>> {
    read_all(pieces, |piece| ParquetBatches::open(piece, &wanted(), None))
}

fn read_arrow(pieces: &[Piece]) -> Result<Vec<Record>> {
    read_all(pieces, |piece| ArrowBatches::open(piece, &wanted()))
}

/// The rows, or `None` after an error, which must be of class data and name the file.
fn checked<T>(outcome: Result<Vec<T>>) -> Result<Option<Vec<T>>, TestCaseError> {
    match outcome {
        Ok(rows) => Ok(Some(rows)),
        Err(error) => {
            prop_assert_eq!(error.class(), Class::Data, "{}", error);
            prop_assert!(
                error.to_string().contains("at file") || error.to_string().contains(", file"),
                "{error}"
            );
            Ok(None)
        }
    }
}

fn check_text(file: &Text, cut: usize, found: Result<Vec<String>>) -> Result<(), TestCaseError> {
    let expected = file.text.get(..cut).map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    prop_assert_eq!(checked(found)?, expected, "cut at byte {} of {:?}", cut, file);
    Ok(())
}

fn check_json(
    file: &Text,
    cut: usize,
    all: &[Record],
    found: Result<Vec<Record>>,
) -> Result<(), TestCaseError> {
    let (whole, is_cut) = file.whole_before(cut);
    let expected = (!is_cut).then(|| all[..whole].to_vec());
    prop_assert_eq!(checked(found)?, expected, "cut at byte {} of {:?}", cut, file);
    Ok(())
}

fn check_csv(
    file: &Text,
    cut: usize,
    all: &[Record],
    found: Result<Vec<Record>>,
) -> Result<(), TestCaseError> {
    let is_cut = file.quoted.contains(&cut) || file.text.get(..cut).is_none();
    let Some(mut found) = checked(found)? else {
        let (whole, has_rest) = file.whole_before(cut);
        // A part of a record may not fit its type; a part of the header may lack a column.
        let is_header = whole == 0 && !has_rest && cut > 0;
        prop_assert!(is_cut || has_rest || is_header, "cut at byte {cut} of {file:?} is an error");
        return Ok(());
    };
    prop_assert!(!is_cut, "cut at byte {cut} of {file:?} gave {found:?}");
    let (whole, has_rest) = file.whole_before(cut);
    let last = if has_rest { found.pop() } else { None };
    prop_assert_eq!(&found, &all[..whole], "cut at byte {} of {:?}", cut, file);
    // A last record without a line end counts as complete; it is a prefix of the record that was cut.
    if let Some((id, name)) = last {
        let (expected, text) = (&all[whole], name.unwrap_or_default());
        prop_assert!(expected.0.to_string().starts_with(&id.to_string()));
        prop_assert!(expected.1.clone().unwrap_or_default().starts_with(&text));
    }
    Ok(())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

/// A compressed file of several members, and for each member's end the length of the text before it.
fn compressed(text: &str, cuts: &[usize], encode: fn(&[u8]) -> Vec<u8>) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut bytes, mut ends, mut start) = (Vec::new(), Vec::new(), 0);
    // The last member is empty if the last cut is at the end of the text.
    for end in cuts.iter().copied().chain([text.len()]) {
        bytes.extend(encode(&text.as_bytes()[start..end]));
        ends.push((bytes.len(), end));
        start = end;
    }
    (bytes, ends)
}

fn batch(records: &[Record]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.0)));
    let names: ArrayRef = Arc::new(records.iter().map(|record| record.1.clone()).collect::<StringArray>());
    RecordBatch::try_from_iter([("_1", ids), ("_2", names)]).unwrap()
}

fn parquet(records: &[Record]) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut bytes = Vec::new();
    let batch = batch(records);
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow_file(records: &[Record]) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch(records).schema()).unwrap();
    records.chunks(2).for_each(|records| writer.write(&batch(records)).unwrap());
    writer.into_inner().unwrap()
}

fn arrow_stream(records: &[Record]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch(records).schema()).unwrap();
    records.chunks(2).for_each(|records| writer.write(&batch(records)).unwrap());
    writer.into_inner().unwrap()
}

fn name() -> impl Strategy<Value = Option<String>> {
    let part = prop::sample::select(vec![
        "a", "bc", ",", "\"", "\"\"", "\n", "\r", "\r\n", "é", "𝄞", "{", "}", "\\",
    ]);
    let text = prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat());
    prop::option::of(text)
}

fn records(count: Range<usize>) -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec((-99..999_i64, name()), count)
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["\n", "\r\n"])
}

/// Borders that do not depend on the size of the file.
fn places() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::btree_set(1..120_u64, 0..4).prop_map(|places| places.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn text_that_is_cut_anywhere_gives_its_whole_lines_or_an_error(
        all in records(0..5),
        end in line_end(),
        places in places(),
    ) {
        let (folder, text) = (Folder::new(), Text::lines(&all, end));
        for cut in 0..=text.text.len() {
            let file = folder.file("a.txt", &text.text.as_bytes()[..cut]);
            check_text(&text, cut, read_lines(&pieces(&file, &places)))?;
        }
    }

    #[test]
    fn csv_that_is_cut_anywhere_gives_its_whole_records_or_an_error(
        all in records(0..5),
        end in line_end(),
        places in places(),
    ) {
        let (folder, text) = (Folder::new(), Text::csv(&all, end));
        for cut in 0..=text.text.len() {
            let file = folder.file("a.csv", &text.text.as_bytes()[..cut]);
            check_csv(&text, cut, &all, read_csv(&csv_pieces(&file, &places)))?;
        }
    }

    #[test]
    fn a_quote_too_many_anywhere_is_an_error_or_a_character_and_swallows_no_record(
        all in records(1..5),
        places in places(),
    ) {
        let (folder, text) = (Folder::new(), Text::csv(&all, "\n").text);
        // In the header, an extra quote only makes a different header.
        let records = text.find('\n').map_or(0, |end| end + 1);
        for at in (records..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let text = [&text[..at], &text[at..]].join("\"");
            let file = folder.file("a.csv", text.as_bytes());
            if let Some(found) = checked(read_csv(&csv_pieces(&file, &places)))? {
                let ids = [&found, &all].map(|rows| rows.iter().map(|row| row.0).collect::<Vec<_>>());
                prop_assert_eq!(&ids[0], &ids[1], "a quote at byte {} of {:?}", at, text);
            }
        }
    }

    #[test]
    fn json_that_is_cut_anywhere_gives_its_whole_objects_or_an_error(
        all in records(0..5),
        end in line_end(),
        places in places(),
    ) {
        let (folder, text) = (Folder::new(), Text::json(&all, end));
        for cut in 0..=text.text.len() {
            let file = folder.file("a.json", &text.text.as_bytes()[..cut]);
            check_json(&text, cut, &all, read_json(&pieces(&file, &places)))?;
        }
    }

    #[test]
    fn a_compressed_file_that_is_cut_anywhere_is_an_error_except_between_members(
        all in records(0..5),
        members in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        ends_empty in any::<bool>(),
    ) {
        let folder = Folder::new();
        for (ending, encode) in [("gz", gzip as fn(&[u8]) -> Vec<u8>), ("zst", zstd)] {
            for (name, text) in
                [("txt", Text::lines(&all, "\n")), ("csv", Text::csv(&all, "\n")), ("json", Text::json(&all, "\n"))]
            {
                let mut cuts: Vec<usize> = members.iter().map(|at| at.index(text.text.len() + 1)).collect();
                cuts.extend(ends_empty.then_some(text.text.len()));
                cuts.sort_unstable();
                let (bytes, ends) = compressed(&text.text, &cuts, encode);
                for cut in 0..=bytes.len() {
                    let file = folder.file(&format!("a.{name}.{ending}"), &bytes[..cut]);
                    let whole = pieces(&file, &[]);
                    let held = ends.iter().find(|(end, _)| *end == cut).map(|(_, held)| *held);
                    match (name, held) {
                        ("txt", Some(held)) => check_text(&text, held, read_lines(&whole))?,
                        ("csv", Some(held)) => check_csv(&text, held, &all, read_csv(&whole))?,
                        (_, Some(held)) => check_json(&text, held, &all, read_json(&whole))?,
                        ("txt", None) => prop_assert!(checked(read_lines(&whole))?.is_none(), "{cut}"),
                        ("csv", None) => prop_assert!(checked(read_csv(&whole))?.is_none(), "{cut}"),
                        (_, None) => prop_assert!(checked(read_json(&whole))?.is_none(), "{cut}"),
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn a_parquet_or_arrow_file_that_is_cut_anywhere_is_an_error(
        all in records(0..6),
        places in prop::collection::btree_set(1..1500_u64, 0..4),
    ) {
        let (folder, places) = (Folder::new(), places.into_iter().collect::<Vec<u64>>());
        for (what, bytes, read) in [
            ("Parquet", parquet(&all), read_parquet as Reading),
            ("Arrow file", arrow_file(&all), read_arrow),
            ("Arrow stream", arrow_stream(&all), read_arrow),
        ] {
            let whole = folder.file("whole", &bytes);
            prop_assert_eq!(&read(&pieces(&whole, &places)).unwrap(), &all, "{}", what);
            for cut in 0..bytes.len() {
                let file = folder.file("cut", &bytes[..cut]);
                let found = checked(read(&pieces(&file, &places)))?;
                prop_assert!(found.is_none(), "{what} of {} bytes, cut at {cut}: {found:?}", bytes.len());
            }
        }
    }
}

#[test]
fn a_file_without_a_record_has_no_rows_unless_its_format_marks_the_end() {
    let folder = Folder::new();
    let mark = "\u{feff}".as_bytes();
    for bytes in [&b""[..], mark, b"\n\r\n"] {
        let whole = |name: &str, bytes: &[u8]| pieces(&folder.file(name, bytes), &[]);
        for (ending, encode) in [("", <[u8]>::to_vec as fn(&[u8]) -> Vec<u8>), (".gz", gzip), (".zst", zstd)]
        {
            let csv = read_csv(&whole(&format!("a.csv{ending}"), &encode(bytes)));
            let json = read_json(&whole(&format!("a.json{ending}"), &encode(bytes)));
            assert_eq!((csv.unwrap(), json.unwrap()), (vec![], vec![]), "{bytes:?}{ending}");
        }
    }
    let header = read_csv(&pieces(&folder.file("a.csv", b"id,name"), &[]));
    assert_eq!(header.unwrap(), []);
    for (name, read) in [
        ("a.csv.gz", read_csv as Reading),
        ("a.json.zst", read_json),
        ("a.parquet", read_parquet),
        ("a.arrow", read_arrow),
    ] {
        assert_eq!(read(&pieces(&folder.file(name, b""), &[])).unwrap_err().class(), Class::Data, "{name}");
    }
    for (name, bytes) in [("a.txt.gz", &b""[..]), ("a.txt.zst", b"")] {
        let file = &pieces(&folder.file(name, bytes), &[])[0];
        assert!(read_lines(std::slice::from_ref(file)).is_err() && read_whole(file, true).is_err(), "{name}");
        assert_eq!(read_whole(file, false).unwrap(), b"");
    }
}
