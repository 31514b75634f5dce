//! Every reader of files ends its batches at their limits, whatever the sizes of the rows.

use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray, UInt64Array};
use arrow::datatypes::UInt64Type;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::row::{BatchLimits, bytes_of};
use crate::source::{ArrowBatches, CsvBatches, CsvFormat, JsonBatches, ParquetBatches, Piece, Wanted};

/// The bytes that readers of text read at once.
const BLOCK_BYTES: usize = 256 << 10;
/// The bytes of a row besides its text, and of everything that is not a row.
const BESIDE: usize = 64;

/// Lengths of texts: mostly short, some long, and often several long ones in a row.
fn lengths() -> impl Strategy<Value = Vec<usize>> {
    let stretch = prop_oneof![
        4 => prop::collection::vec(0..20usize, 1..80),
        2 => prop::collection::vec(0..3000usize, 1..20),
        1 => prop::collection::vec(30_000..300_000usize, 1..5),
    ];
    prop::collection::vec(stretch, 1..5).prop_map(|stretches| stretches.concat())
}

#[test]
fn batches_of_uneven_rows_hold_their_limit_and_one_row() {
    let seed: [u8; 32] = rand_seed();
    println!("seed {seed:?}");
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let limits = (1..100usize, 100..50_000usize).prop_map(|(rows, bytes)| BatchLimits { rows, bytes });
    let strategy = (lengths(), limits, 1..60usize, any::<bool>());
    runner
        .run(&strategy, |(lengths, limits, chunk, dictionary)| {
            let texts: Vec<String> = lengths.iter().enumerate().map(|(n, length)| text(n, *length)).collect();
            let folder = tempfile::tempdir().unwrap();
            let wanted = Wanted::of::<(u64, String)>(false, limits.rows).with_limits(limits);
            let largest = texts.iter().map(String::len).max().unwrap_or_default() + BESIDE;
            let check = |name: &str, batches: &mut dyn Batches, beyond: usize| {
                check(&texts, limits, limits.bytes + beyond, batches).map_err(|why| {
                    TestCaseError::fail(format!("{name}: {why}; largest row {largest}, {limits:?}"))
                })
            };
            let piece = file(&folder.path().join("a.csv"), &csv(&texts));
            let mut batches = CsvBatches::open(&piece, &wanted, &CsvFormat::default()).unwrap();
            check("CSV", &mut batches, largest + limits.rows * BESIDE)?;
            let piece = file(&folder.path().join("a.json"), &json(&texts));
            let mut batches = JsonBatches::open(&piece, &wanted).unwrap();
            // A batch ends where a block ends, and a block has whole lines.
            check("JSON", &mut batches, largest + BLOCK_BYTES + limits.rows * BESIDE)?;
            let piece = parquet(&folder.path().join("a.parquet"), &texts, chunk, dictionary);
            let mut batches = ParquetBatches::open(&piece, &wanted, None).unwrap();
            // References to a dictionary are counted with its average value.
            let beyond =
                if dictionary { usize::MAX / 2 } else { limits.bytes + 3 * largest + 4 * chunk * BESIDE };
            check("Parquet", &mut batches, beyond)?;
            let piece = arrow(&folder.path().join("a.arrow"), &texts, chunk);
            let mut batches = ArrowBatches::open(&piece, &wanted).unwrap();
            check("Arrow", &mut batches, largest)
        })
        .unwrap();
}

/// Checks that the batches have all rows and at most `most` bytes each; returns what is wrong.
fn check(
    texts: &[String],
    limits: BatchLimits,
    most: usize,
    batches: &mut dyn Batches,
) -> Result<(), String> {
    let mut at = 0;
    while let Some(batch) = batches.next_batch().map_err(|e| e.to_string())? {
        let (rows, bytes) = (batch.num_rows(), bytes_of(&batch));
        if rows > limits.rows || rows > 1 && bytes > most {
            return Err(format!("a batch from row {at} has {rows} rows, {bytes} bytes, at most {most}"));
        }
        let numbers = batch.column(0).as_primitive::<UInt64Type>().values().iter();
        for (number, text) in numbers.zip(batch.column(1).as_string::<i32>()) {
            if *number != at as u64 || text != texts.get(at).map(String::as_str) {
                return Err(format!("row {at} is another: {number}"));
            }
            at += 1;
        }
    }
    if at == texts.len() { Ok(()) } else { Err(format!("{at} rows of {}", texts.len())) }
}

/// A text with quotes, commas and line ends.
fn text(number: usize, length: usize) -> String {
    format!("{number}\"\",\r\n")
        .chars()
        .cycle()
        .take(length % 50)
        .chain(std::iter::repeat_n('x', length - length % 50))
        .collect()
}

fn csv(texts: &[String]) -> String {
    let mut lines = "_1,_2\n".to_owned();
    for (n, text) in texts.iter().enumerate() {
        let _ =
            write!(lines, "{n},\"{}\"{}", text.replace('"', "\"\""), if n % 3 == 0 { "\r\n" } else { "\n" });
    }
    lines
}

fn json(texts: &[String]) -> String {
    let escaped = |text: &str| text.replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n");
    let line = |(n, text): (usize, &String)| format!("{{\"_1\":{n},\"_2\":\"{}\"}}\n\n", escaped(text));
    texts.iter().enumerate().map(line).collect()
}

fn table(texts: &[String]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..texts.len() as u64));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("_1", numbers), ("_2", texts)]).unwrap()
}

/// Writes pages of `page_rows` values, or of one large text.
fn parquet(path: &Path, texts: &[String], page_rows: usize, dictionary: bool) -> Piece {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(dictionary)
        .set_write_batch_size(1)
        .set_data_page_row_count_limit(page_rows)
        .set_data_page_size_limit(1000);
    let rows = table(texts);
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties.build())).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    piece(path)
}

/// Writes batches of `rows` rows.
fn arrow(path: &Path, texts: &[String], rows: usize) -> Piece {
    let table = table(texts);
    let mut writer = FileWriter::try_new(File::create(path).unwrap(), &table.schema()).unwrap();
    for start in (0..table.num_rows()).step_by(rows) {
        writer.write(&table.slice(start, rows.min(table.num_rows() - start))).unwrap();
    }
    writer.finish().unwrap();
    piece(path)
}

fn file(path: &Path, text: &str) -> Piece {
    std::fs::write(path, text).unwrap();
    piece(path)
}

fn piece(path: &Path) -> Piece {
    let size = path.metadata().unwrap().len();
    Piece::whole(path.display().to_string(), size)
}

/// A seed that differs in every run.
fn rand_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    seed[..16].copy_from_slice(&now.to_le_bytes());
    seed
}
