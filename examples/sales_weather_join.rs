//! Sales by weather: joins a CSV file of sales with daily weather in JSON lines.
//!
//! The join is by city and day and keeps sales without a report, whose weather is unknown. Money is a
//! decimal throughout, so the sums are exact to the cent.

use kiln::chrono::NaiveDate;
use kiln::{Context, Decimal, OnError, Row};

/// Three months of a small shop's sales, in whichever folder the example is started.
const OWN_SALES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/shop/sales.csv");
const OWN_WEATHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/shop/weather.jsonl");

#[derive(clap::Parser)]
#[command(about = "Sums sales by the weather of their city and day")]
struct Args {
    /// CSV with the columns `day`, `city`, `product`, `quantity` and `price`.
    #[arg(long, default_value = OWN_SALES)]
    sales: String,
    /// JSON lines with `day`, `city`, `kind` and `temperature` in degrees Celsius, one per city and
    /// day.
    #[arg(long, default_value = OWN_WEATHER)]
    weather: String,
    /// Number of kinds of weather to print, those with the most revenue first.
    #[arg(long, default_value_t = 20)]
    top: usize,
    /// Where to publish the sums as CSV.
    #[arg(long)]
    output: Option<String>,
}

/// Sums of francs and centimes.
type Money = Decimal<18, 2>;

/// Columns of the file without a field here, such as `product`, are not read.
#[derive(Row)]
struct Sale {
    day: NaiveDate,
    city: String,
    quantity: u32,
    price: Decimal<10, 2>,
}

#[derive(Row)]
struct Report {
    day: NaiveDate,
    city: String,
    #[row(rename = "kind")]
    sky: Sky,
    temperature: f64,
}

#[derive(Row, Clone, Copy, Debug)]
#[rustfmt::skip]
enum Sky {
    #[row(rename = "sun")] Sun,
    #[row(rename = "cloud")] Cloud,
    #[row(rename = "rain")] Rain,
    #[row(rename = "snow")] Snow,
}

/// Ranges of degrees Celsius that feel alike to a customer.
#[derive(Row, Clone, Copy, Debug)]
#[rustfmt::skip]
enum Band {
    #[row(rename = "below 0")] Frost,
    #[row(rename = "0 to 10")] Cool,
    #[row(rename = "10 and above")] Mild,
}

/// Sums for one kind of weather; both parts of the weather are missing for sales without a report.
#[derive(Row)]
struct Takings {
    sky: Option<Sky>,
    band: Option<Band>,
    sales: u64,
    revenue: Money,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let revenue = cx.read_csv::<Sale>(&args.sales).try_map(priced, OnError::Fail);
    let weather = cx
        .read_json::<Report>(&args.weather)
        .map_to::<((String, NaiveDate), (Sky, Band))>(|r| ((r.city, r.day), (r.sky, band(r.temperature))));

    let takings = revenue
        .left_outer_join(weather)
        .values()
        .map(|(revenue, weather)| (weather.unzip(), (1u64, revenue)))
        .reduce_by_key(|(n, a), (m, b)| (n + m, a + b))
        .sort_by_key()
        .map(|((sky, band), (sales, revenue))| Takings { sky, band, sales, revenue })
        .cache();

    for row in takings.top(args.top, |row| row.revenue)? {
        let (sky, band) = (name(row.sky), name(row.band));
        println!("{:>12}  {:>5} sales  {sky:<8} {band}", row.revenue, row.sales);
    }
    match args.output {
        Some(output) => takings.coalesce(1).write().csv(&output),
        None => Ok(()),
    }
}

/// City and day of a sale, and its revenue.
fn priced(sale: SaleView<'_>) -> kiln::Result<((String, NaiveDate), Money)> {
    let total = Money::from_units(sale.price.units() * i128::from(sale.quantity))?;
    Ok(((sale.city.to_owned(), sale.day), total))
}

fn band(temperature: f64) -> Band {
    match temperature {
        t if t < 0.0 => Band::Frost,
        t if t < 10.0 => Band::Cool,
        _ => Band::Mild,
    }
}

fn name<T: std::fmt::Debug>(part: Option<T>) -> String {
    part.map_or("unknown".to_owned(), |part| format!("{part:?}").to_lowercase())
}
