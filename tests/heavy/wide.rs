//! Files with very many columns, of which a job reads two.

use std::fs;

use super::{heavy, run_bounded, table};

const COLUMNS: usize = 20_000;
const ROWS: u64 = 3;

#[test]
fn two_of_twenty_thousand_columns_cost_two_columns() {
    let names: Vec<String> = (0..COLUMNS).map(|at| format!("c{at}")).collect();
    let value = |at: usize, row: u64| match at {
        1 => row.to_string(),
        at if at == COLUMNS - 1 => "last".to_owned(),
        _ => "7".to_owned(),
    };
    let record = |row| (0..COLUMNS).map(|at| value(at, row)).collect::<Vec<_>>().join(",");
    let records = (0..ROWS).map(record).collect::<Vec<_>>().join("\n");
    let object = |row| {
        let field = |(at, name): (usize, &String)| format!("\"{name}\":\"{}\"", value(at, row));
        format!("{{{}}}\n", names.iter().enumerate().map(field).collect::<Vec<_>>().join(","))
    };
    for (name, text) in [
        ("wide.csv", format!("{}\n{records}\n", names.join(","))),
        ("wide.json", (0..ROWS).map(object).collect()),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (input, output) = (place.path().join(name), place.path().join("n"));
        fs::write(&input, text).unwrap();
        let job = heavy("local[2]", "two-columns", "text").option("--input", &input);
        run_bounded(job.option("--output", &output), 0, name).ok();
        assert_eq!(table::numbers(&output), (0..ROWS).collect::<Vec<_>>(), "{name}");
    }
}
