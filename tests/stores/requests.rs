//! The number of requests, and the time, that reading objects takes.
//!
//! The server delays each reply, as a network does. Time limits are generous, because test builds are
//! slow, and so are machines that run many of them. The number of requests is what matters.

use std::time::{Duration, Instant};

use super::s3::{Request, S3};
use super::versions::{parquet, table};
use super::{printed, reading_key};

const LATENCY: Duration = Duration::from_millis(50);

/// The ranges of an object that were requested, by their first byte.
fn ranges(requests: &[Request]) -> Vec<(u64, u64)> {
    let range = |range: &str| {
        let (first, last) = range.trim_start_matches("bytes=").split_once('-').unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    };
    let mut ranges: Vec<_> =
        requests.iter().filter_map(|request| request.range.as_deref()).map(range).collect();
    ranges.sort_unstable();
    ranges
}

fn bytes(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(first, last)| last + 1 - first).sum()
}

#[test]
fn a_large_parquet_object_takes_few_requests_that_run_at_the_same_time() {
    let s3 = S3::start();
    let content = parquet(0..900_000, 100_000);
    assert!((90 << 20..110 << 20).contains(&content.len()), "{}", content.len());
    s3.put_bytes("in/a.parquet", &content);
    s3.delay(LATENCY);
    let began = Instant::now();
    let ended = reading_key(&s3, "local[2]", "parquet", "in/a.parquet").run().ok();
    let time = began.elapsed();
    assert!(printed(&ended, "rows").starts_with("900000 "));
    let requests = s3.requests();
    println!("{} requests in {time:?}", requests.len());
    assert!(requests.len() <= 30, "{} requests: {requests:#?}", requests.len());
    let ranges = ranges(&requests);
    assert!(bytes(&ranges) < content.len() as u64 * 102 / 100, "{ranges:?}");
    assert!(time < Duration::from_secs(60), "{time:?}");
}

#[test]
fn a_filter_and_a_projection_fetch_nothing_twice() {
    let s3 = S3::start();
    let content = parquet(0..200_000, 50_000);
    s3.put_bytes("in/a.parquet", &content);
    let job = reading_key(&s3, "local[1]", "parquet", "in/a.parquet").option("--from", "120000");
    assert!(printed(&job.run().ok(), "rows").starts_with("80000 "));
    let ranges = ranges(&s3.requests());
    assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
    assert!(bytes(&ranges) < content.len() as u64 * 3 / 4, "{ranges:?}");
}

#[test]
fn tiny_objects_take_one_request_each_and_many_at_once() {
    let s3 = S3::start();
    let tables: Vec<Vec<u8>> = (0..8).map(|n| parquet(n * 10..n * 10 + 10, 10)).collect();
    for (format, count) in [("parquet", 1203), ("text", 1203), ("csv", 200), ("files", 200)] {
        for n in 0..count {
            match format {
                "parquet" => s3.put_bytes(&format!("{format}/{n:04}"), &tables[n % 8]),
                "csv" => s3.put(&format!("{format}/{n:04}"), "n,text\n1,a\n2,b\n"),
                _ => s3.put(&format!("{format}/{n:04}"), "one\ntwo\n"),
            }
        }
        s3.requests();
        s3.delay(LATENCY);
        let began = Instant::now();
        let ended = reading_key(&s3, "local[2]", format, &format!("{format}/")).run().ok();
        let time = began.elapsed();
        s3.delay(Duration::ZERO);
        let rows = match format {
            "parquet" => count * 10,
            "files" => count,
            _ => count * 2,
        };
        assert!(printed(&ended, "rows").starts_with(&format!("{rows} ")), "{}", ended.stdout);
        let read = ranges(&s3.requests()).len();
        println!("{format}: {read} requests for {count} objects in {time:?}");
        assert_eq!(read, count, "{format}");
        assert!(time < Duration::from_secs(60), "{format}: {time:?}");
    }
}

#[test]
fn text_formats_fetch_each_byte_once_and_ahead_of_the_reader() {
    let s3 = S3::start();
    let line = |n: u64| format!("{n},{:>90}\n", "x");
    let csv: String = std::iter::once("n,text\n".to_owned()).chain((0..250_000).map(line)).collect();
    let json: String = (0..200_000).map(|n| format!("{{\"n\": {n}, \"text\": \"{:>90}\"}}\n", "x")).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut gzip, csv.as_bytes()).unwrap();
    let files = [
        ("csv", "a.csv", csv.clone().into_bytes()),
        ("csv", "a.csv.gz", gzip.finish().unwrap()),
        ("json", "a.json", json.into_bytes()),
        ("arrow", "a.arrow", arrow(0..200_000)),
    ];
    for (format, name, content) in files {
        let key = format!("in/{name}");
        s3.put_bytes(&key, &content);
        let ended = reading_key(&s3, "local[2]", format, &key).run().ok();
        assert!(!printed(&ended, "rows").starts_with("0 "), "{}", ended.stdout);
        let ranges = ranges(&s3.requests());
        // At the end of a range, the rest of its last line is read twice.
        let most = content.len() as u64 + 4 * (1 << 20);
        println!("{name}: {} requests, {} of {} bytes", ranges.len(), bytes(&ranges), content.len());
        assert!(bytes(&ranges) <= most && ranges.len() <= 20, "{name}: {ranges:?}");
        if name.starts_with("a.csv") {
            assert_eq!(bytes(&ranges), content.len() as u64, "{name}: {ranges:?}");
        }
    }
}

fn arrow(rows: std::ops::Range<u64>) -> Vec<u8> {
    let table = table(rows);
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &table.schema()).unwrap();
    for start in (0..table.num_rows()).step_by(50_000) {
        writer.write(&table.slice(start, 50_000.min(table.num_rows() - start))).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}
