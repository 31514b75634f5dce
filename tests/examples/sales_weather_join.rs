//! `sales_weather_join`, compared with a loop that adds cents.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use super::folder;
use super::job::Job;
use super::random::Random;
use super::same_files_everywhere;
use tempfile::TempDir;

const SALES_WEATHER_JOIN: &str = env!("CARGO_BIN_EXE_sales_weather_join");
const CITIES: [&str; 4] = ["Bern", "Genève", "St. Gallen", "Biel, \"Bienne\""];

/// Number of sales and cents by weather and band; both keys are empty for sales without a report.
type Sums = BTreeMap<(String, String), (u64, u64)>;

/// Writes sales and reports for some cities and days, and returns the expected sums.
fn write_shop(folder: &TempDir) -> Sums {
    let mut random = Random::new(11);
    let (mut weather, mut reports) = (HashMap::new(), String::new());
    for (day, city) in (1..=28).flat_map(|day| CITIES.map(|city| (day, city))) {
        let (kind, tenths) = (*random.pick(&["sun", "cloud", "rain", "snow"]), random.around_zero(200));
        if random.below(5) > 0 {
            let temperature = tenths as f64 / 10.0;
            let report = serde_json::json!({"city": city, "kind": kind, "temperature": temperature, "wind": null,
                "day": format!("2026-02-{day:02}")});
            reports += &format!("{report}\n");
            let band = if tenths < 0 {
                "below 0"
            } else if tenths < 100 {
                "0 to 10"
            } else {
                "10 and above"
            };
            weather.insert((day, city), (kind.to_owned(), band.to_owned()));
        }
    }
    let (mut sums, mut sales) = (Sums::new(), "product,day,price,city,quantity\n".to_owned());
    for _ in 0..2000 {
        let (day, city) = (1 + random.below(28), *random.pick(&CITIES));
        let (quantity, cents) = (random.below(4), random.below(1_000_000));
        let field = city.replace('"', "\"\"");
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        sales += &format!("tea,2026-02-{day:02},{price},\"{field}\",{quantity}\n");
        let sum = sums.entry(weather.get(&(day, city)).cloned().unwrap_or_default()).or_default();
        *sum = (sum.0 + 1, sum.1 + quantity * cents);
    }
    fs::write(folder.path().join("sales.csv"), sales).unwrap();
    fs::write(folder.path().join("weather.jsonl"), reports).unwrap();
    sums
}

#[test]
fn sales_weather_join_gives_the_same_files_everywhere_and_is_right_to_the_cent() {
    let shop = TempDir::new().unwrap();
    let sums = write_shop(&shop);
    let [sales, weather] = ["sales.csv", "weather.jsonl"].map(|name| shop.path().join(name));
    let (output, ended) = same_files_everywhere(|folder| {
        let job = Job::new(SALES_WEATHER_JOIN).option("--sales", &sales).option("--weather", &weather);
        job.option("--output", folder.join("sums"))
    });

    let files = folder::files(&output.path().join("sums"));
    let text = files.into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect::<String>();
    let (header, rows) = text.split_once('\n').unwrap();
    assert_eq!(header, "sky,band,sales,revenue");
    let row = |line: &str| {
        let fields: Vec<String> = line.split(',').map(String::from).collect();
        let [sky, band, sales, revenue] = fields.try_into().unwrap();
        ((sky, band), (sales.parse().unwrap(), revenue.replace('.', "").parse().unwrap()))
    };
    assert_eq!(rows.lines().map(row).collect::<Sums>(), sums);
    assert_eq!(rows.lines().count(), 13, "four kinds in three bands, and what nobody reported");

    let revenues = ended.stdout.lines().map(|line| line.split_whitespace().next().unwrap().replace('.', ""));
    let mut expected: Vec<u64> = sums.values().map(|(_, cents)| *cents).collect();
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!(revenues.map(|cents| cents.parse().unwrap()).collect::<Vec<u64>>(), expected);
}
