//! The job of `docs/from-spark.md`: units sold per city, joined with the city's mean temperature.

use kiln::Context;

#[derive(clap::Parser)]
struct Args {
    /// CSV with the columns `city` and `quantity`, among others.
    #[arg(long)]
    sales: String,
    /// JSON lines with `city` and `temperature`.
    #[arg(long)]
    weather: String,
    /// The folder to publish as Parquet.
    #[arg(long)]
    output: String,
}

#[derive(kiln::Row)]
struct Sale {
    city: String,
    quantity: u32,
}

#[derive(kiln::Row)]
struct Report {
    city: String,
    temperature: f64,
}

#[derive(kiln::Row)]
struct City {
    city: String,
    units: u64,
    temperature: f64,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let units = cx
        .read_csv::<Sale>(&args.sales)
        .map_to::<(String, u64)>(|sale| (sale.city, sale.quantity.into()))
        .reduce_by_key(|a, b| a + b);

    let temperatures = cx
        .read_json::<Report>(&args.weather)
        .map_to::<(String, f64)>(|report| (report.city, report.temperature))
        .aggregate_by_key((0.0, 0), |(sum, n), t| (sum + t, n + 1), |a, b| (a.0 + b.0, a.1 + b.1))
        .map_values(|(sum, n)| sum / f64::from(n));

    units
        .join(temperatures)
        .map(|(city, (units, temperature))| City { city: city.to_owned(), units, temperature })
        .write_parquet(&args.output)
}
