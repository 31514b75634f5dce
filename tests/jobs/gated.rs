//! A job that loads the orders of a file, by the checks that are named, and prints what it reads back.

use std::path::PathBuf;

use kiln::{Check, Context, Drift, Mode, OnFail, Rejects, Result};

#[path = "../support/orders.rs"]
mod orders;

use orders::{Order, Orders};

#[derive(clap::Parser)]
struct Args {
    /// A file with the source as JSON.
    #[arg(long)]
    orders: PathBuf,
    #[arg(long)]
    output: String,
    #[arg(long, default_value = "overwrite", value_parser = mode)]
    mode: Mode,
    #[arg(long)]
    delta: bool,
    /// `source`, `not_null`, `unique`, `amount`, `state`, `change`; may be repeated.
    #[arg(long = "check")]
    checks: Vec<String>,
    /// What the checks of rows do: `fail`, `warn` or `reject`.
    #[arg(long, default_value = "fail")]
    on_fail: String,
    /// Keeps rows that cannot be converted, so many at most.
    #[arg(long)]
    rejects: Option<u64>,
    #[arg(long)]
    evolve: bool,
}

fn mode(text: &str) -> std::result::Result<Mode, String> {
    clap::ValueEnum::from_str(text, true)
}

fn check(name: &str, on_fail: OnFail) -> Check {
    match name {
        "source" => Check::rows_of_source(),
        "not_null" => Check::not_null("id").on_fail(on_fail),
        "amount" => Check::between("amount", 0, 1000).on_fail(on_fail),
        "state" => Check::one_of("state", ["new", "paid"]).on_fail(on_fail),
        "change" => Check::rows_change("-20%..+50%"),
        _ => Check::unique(["id"]),
    }
}

#[kiln::main]
fn main(cx: Context, args: Args) -> Result<()> {
    let text = std::fs::read_to_string(&args.orders).map_err(|e| kiln::Error::io("no orders", e))?;
    let orders: Orders =
        serde_json::from_str(&text).map_err(|e| kiln::Error::config("no orders").because(e))?;
    let on_fail = match args.on_fail.as_str() {
        "warn" => OnFail::Warn,
        "reject" => OnFail::Reject,
        _ => OnFail::Fail,
    };
    let rows = cx.copy(orders);
    let mut write = rows.write().mode(args.mode);
    for name in &args.checks {
        write = write.check(check(name, on_fail));
    }
    if let Some(rows) = args.rejects {
        write = write.rejects(Rejects::new().max_rows(rows));
    }
    if args.evolve {
        write = write.drift(Drift::Evolve);
    }
    if args.delta { write.delta(&args.output) } else { write.parquet(&args.output) }?;
    println!("{} rows", cx.read_parquet::<Order>(&args.output).count()?);
    Ok(())
}
