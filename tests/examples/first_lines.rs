//! `first_lines` and `city_temperatures`, the job of `docs/from-spark.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, UInt64Type};

use crate::job::Job;
use crate::same_files_everywhere;
use crate::table;

const FIRST_LINES: &str = env!("CARGO_BIN_EXE_first_lines");
const CITY_TEMPERATURES: &str = env!("CARGO_BIN_EXE_city_temperatures");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn first_lines_compile_and_give_their_answers_everywhere() {
    let (folder, ended) =
        same_files_everywhere(|folder| Job::new(FIRST_LINES).arg("--output").arg(folder.join("out")));
    let expected = "words: 6
lengths: [(2, 5), (3, 1)]
bytes: [8, 9]
parts: 6
lines: 2
ages: [36]
names: [\"ada\"]
groups: 4
joined: 4
numbers: 6
texts: [\"1\", \"2\"]
ones: 2
swapped: 4
emitted: 6
sorted: [\"be\", \"to\", \"not\", \"or\"]
top: [(\"to\", 2)]
first: [(\"be\", 2)]
trimmed: 4
";
    assert_eq!(ended.stdout, expected);
    let mut lines: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder.path().join("out")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            lines.extend(fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    lines.sort();
    assert_eq!(lines, ["be 2", "not 1", "or 1", "to 2"]);
}

#[test]
fn city_temperatures_adds_up_as_a_loop_does() {
    let shop = Path::new(ROOT).join("examples/data/shop");
    let (folder, _) = same_files_everywhere(|folder| {
        Job::new(CITY_TEMPERATURES)
            .arg("--sales")
            .arg(shop.join("sales.csv"))
            .arg("--weather")
            .arg(shop.join("weather.jsonl"))
            .arg("--output")
            .arg(folder.join("out"))
    });
    let mut units = BTreeMap::<String, u64>::new();
    for line in fs::read_to_string(shop.join("sales.csv")).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        *units.entry(fields[1].to_owned()).or_default() += fields[3].parse::<u64>().unwrap();
    }
    let mut reports = BTreeMap::<String, Vec<f64>>::new();
    for line in fs::read_to_string(shop.join("weather.jsonl")).unwrap().lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        let city = report["city"].as_str().unwrap().to_owned();
        reports.entry(city).or_default().push(report["temperature"].as_f64().unwrap());
    }
    let mut seen = 0;
    for batch in table::batches(&folder.path().join("out")) {
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let (cities, sums) = (column("city"), column("units"));
        let means = column("temperature");
        for row in 0..batch.num_rows() {
            let city = cities.as_string::<i32>().value(row);
            assert_eq!(sums.as_primitive::<UInt64Type>().value(row), units[city], "{city}");
            let expected = reports[city].iter().sum::<f64>() / reports[city].len() as f64;
            crate::assert_near(means.as_primitive::<Float64Type>().value(row), expected, city);
            seen += 1;
        }
    }
    assert_eq!(seen, units.keys().filter(|city| reports.contains_key(*city)).count());
}

#[test]
fn the_job_in_the_docs_is_the_example() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/from-spark.md")).unwrap();
    let example = fs::read_to_string(Path::new(ROOT).join("examples/city_temperatures.rs")).unwrap();
    let (_, block) = page.split_once("```rust,ignore\n").expect("the page has the job as its first block");
    let (block, _) = block.split_once("```").unwrap();
    let (_, code) = example.split_once("\n\n").unwrap();
    assert_eq!(block, code);
}
