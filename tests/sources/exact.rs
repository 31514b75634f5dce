//! Text in a file is parsed exactly, or gives an error with its location.

use std::collections::BTreeMap;

use kiln::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use kiln::{Context, Decimal, Result, Row};

use crate::files::{cx, file, says};

type Money = Decimal<10, 2>;

/// The rows of a file with `text` in the second field of line 3.
fn second<T: Row>(text: &str) -> Result<Vec<(u8, T)>> {
    let (_folder, _, address) = file("a.csv", format!("_1,_2\n\n1,{text}\n"));
    cx().read_csv(&address).collect()
}

#[test]
fn a_csv_value_of_any_type_that_is_none_is_an_error_with_file_line_column_and_value() {
    let wrong = |error: kiln::Error, value: &str| says(error, &[value, "a.csv", "line 3", "column _2"]);
    wrong(second::<Money>("12.x").unwrap_err(), "`12.x` is no decimal(10, 2)");
    wrong(second::<NaiveDate>("2026-02-30").unwrap_err(), "`2026-02-30` is no Date32");
    wrong(second::<NaiveDateTime>("2026-02-03T25:00:00").unwrap_err(), "`2026-02-03T25:00:00` is no");
    wrong(second::<DateTime<Utc>>("yesterday").unwrap_err(), "`yesterday` is no Timestamp");
    wrong(second::<bool>("perhaps").unwrap_err(), "`perhaps` is no Boolean");
    wrong(second::<f64>("1.2.3").unwrap_err(), "`1.2.3` is no Float64");
    wrong(second::<u8>("256").unwrap_err(), "`256` is no UInt8");
    wrong(second::<Option<Money>>("1e2").unwrap_err(), "`1e2` is no decimal(10, 2)");
}

#[test]
fn the_first_wrong_record_of_many_batches_of_csv_is_the_one_that_is_told() {
    let line = |n: u64| match n {
        30_000 => "30000,\"two\nlines\",1.005\n".to_owned(),
        30_001 => "30001,x,y\n".to_owned(),
        n => format!("{n},\"a\nb\",0.01\n"),
    };
    let text: String = std::iter::once("_1,_2,_3\n".to_owned()).chain((0..40_000).map(line)).collect();
    let (_folder, _, address) = file("a.csv", text);
    let error = cx().read_csv::<(u64, String, Money)>(&address).count().unwrap_err();
    // One line for the header and two for each earlier record.
    says(error, &["`1.005` is no decimal(10, 2): it has more decimals", "line 60002", "column _3"]);
}

#[test]
fn a_decimal_is_never_cut_or_rounded() {
    assert_eq!(second::<Money>("12.340").unwrap()[0].1.to_string(), "12.34");
    for (text, why) in [
        ("12.345", "it has more decimals"),
        ("0.009", "it has more decimals"),
        ("123456789.00", "it has more digits"),
    ] {
        says(second::<Money>(text).unwrap_err(), &[text, why, "line 3", "column _2"]);
        for json in [format!("{{\"value\": {text}}}"), format!("{{\"value\": \"{text}\"}}")] {
            let (_folder, _, address) = file("a.json", format!("{{\"value\": 1}}\n{json}\n"));
            let error = cx().read_json::<Money>(&address).collect().unwrap_err();
            says(error, &[text, why, &address, "line 2", "column value"]);
        }
    }
}

#[test]
fn a_decimal_is_exact_inside_of_lists_structs_and_maps_of_json() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Bill {
        items: Vec<(Money, Option<NaiveDate>)>,
        by_price: BTreeMap<Money, Option<Money>>,
    }
    let read = |text: &str| {
        let (_folder, _, address) = file("a.json", text);
        cx().read_json::<Bill>(&address).collect()
    };
    let text = r#"{"items":[{"_1":0.10,"_2":"2026-11-21"},{"_1":"3"}],"by_price":{"1.50":2.25,"-2":null}}"#;
    let money = |text: &str| text.parse::<Money>().unwrap();
    let bill = Bill {
        items: vec![(money("0.1"), NaiveDate::from_ymd_opt(2026, 11, 21)), (money("3"), None)],
        by_price: BTreeMap::from([(money("1.5"), Some(money("2.25"))), (money("-2"), None)]),
    };
    assert_eq!(read(text).unwrap(), [bill]);
    for (from, to, path) in [
        ("0.10", "0.101", "column items.item._1"),
        ("2.25", "2.255", "column by_price.value"),
        ("1.50", "1.505", "column by_price.key"),
        ("\"3\"", "null", "column items.item._1"),
    ] {
        let error = read(&format!("{text}\n{}\n", text.replace(from, to))).unwrap_err();
        says(error, &[path, "line 2"]);
    }
}

#[test]
fn a_timestamp_is_given_no_zone_and_loses_none_and_loses_no_digits() {
    let clock =
        NaiveDate::from_ymd_opt(2026, 11, 21).and_then(|day| day.and_hms_micro_opt(12, 30, 0, 7)).unwrap();
    let naive = |text: &str| second::<NaiveDateTime>(text);
    let instant = |text: &str| second::<DateTime<Utc>>(text);
    assert_eq!(naive("2026-11-21 12:30:00.000007000").unwrap(), [(1, clock)]);
    assert_eq!(instant("2026-11-21T14:30:00.000007+02:00").unwrap(), [(1, clock.and_utc())]);
    says(
        naive("2026-11-21T12:30:00Z").unwrap_err(),
        &["it has a zone", "DateTime<Utc>", "line 3", "column _2"],
    );
    says(instant("2026-11-21T12:30:00").unwrap_err(), &["it has no zone", "NaiveDateTime", "line 3"]);
    says(naive("2026-11-21T12:30:00.0000071").unwrap_err(), &["finer than a microsecond", "line 3"]);
    let json = |value: &str| file("a.json", format!("{{\"value\": {value}}}"));
    let (_folder, _, address) = json("\"2026-11-21T12:30:00Z\"");
    says(cx().read_json::<NaiveDateTime>(&address).collect().unwrap_err(), &["it has a zone", "line 1"]);
    let (_folder, _, address) = json("1795264200");
    says(cx().read_json::<DateTime<Utc>>(&address).collect().unwrap_err(), &["`1795264200` is no", "line 1"]);
}

#[test]
fn a_date_does_not_lose_the_time_behind_it() {
    says(second::<NaiveDate>("2026-11-21 12:30:00").unwrap_err(), &["is no Date32", "line 3"]);
    let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    assert_eq!(second::<NaiveDate>("2026-11-21T00:00:00").unwrap(), [(1, day)]);
}

#[test]
fn a_value_in_the_name_of_a_folder_is_read_by_the_same_rules() {
    #[derive(Row, Clone, Debug, PartialEq)]
    struct Sale {
        id: u8,
        price: Money,
        at: Option<NaiveDateTime>,
    }
    let read = |cx: &Context, name: &str| {
        let (folder, _, _) = file(&format!("{name}/a.csv"), "id\n1\n");
        cx.read().hive_partitions().csv::<Sale>(&folder.path().display().to_string()).collect()
    };
    let sales = read(&cx(), "price=12.5").unwrap();
    assert_eq!((sales[0].price.to_string().as_str(), sales[0].at), ("12.50", None));
    says(
        read(&cx(), "price=12.345").unwrap_err(),
        &["`12.345` is no decimal(10, 2)", "column price", "a.csv"],
    );
    let error = read(&cx(), "price=1/at=2026-11-21T12%3A30%3A00Z").unwrap_err();
    says(error, &["it has a zone", "column at", "a.csv"]);
}
