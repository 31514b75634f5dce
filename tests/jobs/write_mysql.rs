//! A job that writes numbered lines into a table of MySQL or MariaDB.

use std::time::Duration;

use kiln::{Context, Mode, Result};
use kiln_connectors::Retry;
use kiln_connectors::mysql::WriteMysql;

#[derive(clap::Parser)]
struct Args {
    #[arg(long)]
    url: String,
    #[arg(long)]
    table: String,
    /// The first line's number.
    #[arg(long, default_value = "0")]
    first: u64,
    #[arg(long, default_value = "1000")]
    rows: u64,
    /// What every line says.
    #[arg(long, default_value = "new")]
    text: String,
    /// The part of every line; its number modulo 4 without it.
    #[arg(long)]
    part: Option<i32>,
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    #[arg(long)]
    replace_where: Option<String>,
    #[arg(long)]
    upsert_by: Vec<String>,
    #[arg(long)]
    create: bool,
    /// Milliseconds for each line.
    #[arg(long)]
    pause: Option<u64>,
}

#[derive(kiln::Row, Clone)]
struct Line {
    id: i64,
    part: i32,
    text: Option<String>,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> Result<()> {
    let retry = Retry { tries: 3, first_pause: Duration::from_millis(50), ..Retry::default() };
    let mut table = cx.mysql_table(&args.url, &args.table).retry(retry);
    if let Some(mode) = args.mode {
        table = table.mode(mode);
    }
    if let Some(condition) = &args.replace_where {
        table = table.replace_where(condition);
    }
    if !args.upsert_by.is_empty() {
        table = table.upsert_by(args.upsert_by.iter().map(String::as_str));
    }
    if args.create {
        table = table.create();
    }
    let told = cx.share((args.part, args.pause, args.text.clone()));
    let lines = cx.range(args.first..args.first + args.rows).map_with(&told, |(part, pause, text), n| {
        if let Some(pause) = pause {
            std::thread::sleep(Duration::from_millis(*pause));
        }
        let text = if text == "null" { None } else { Some(text.clone()) };
        Line { id: n as i64, part: part.unwrap_or((n % 4) as i32), text }
    });
    lines.write_to(table)
}
