//! A job with heavy rows: long texts, long lists, or structs of many fields.
//!
//! Every row is generated from its number and verified wherever it arrives. The numbers are published.

use kiln::chain::Chain;
use kiln::{Compression, Context, Dataset, Level, OnError, Row};

#[derive(clap::Parser)]
struct Args {
    /// What to do with the rows.
    #[arg(long, value_enum)]
    work: Work,
    #[arg(long, value_enum, default_value = "text")]
    shape: Shape,
    /// Number of rows.
    #[arg(long, default_value_t = 0)]
    rows: u64,
    /// Size of a heavy row.
    #[arg(long, default_value_t = 0)]
    bytes: usize,
    /// One in this many rows is heavy, the others are nearly empty.
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// What to read; the extension determines the format.
    #[arg(long, default_value = "")]
    input: String,
    /// Where to publish; for `write` the extension determines the format.
    #[arg(long)]
    output: String,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Work {
    Write,
    Read,
    /// Reads, maps, exchanges and writes heavy rows.
    Copy,
    Exchange,
    Sort,
    /// Sorts by the heavy value.
    SortTexts,
    Reduce,
    Group,
    Join,
    Persist,
    /// Reads two columns of a file that has more.
    TwoColumns,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Shape {
    Text,
    List,
    Fields,
}

/// The size from which rows of every shape are generated.
type Size = (usize, u64);

#[derive(Row, Clone)]
struct Text {
    n: u64,
    value: String,
}

#[derive(Row, Clone)]
struct Numbers {
    n: u64,
    value: Vec<u64>,
}

#[derive(Row, Clone)]
struct Fields {
    n: u64,
    value: Many,
}

/// The second and the last of 20,000 columns.
#[derive(Row, Clone)]
struct Two {
    c1: u64,
    c19999: String,
}

macro_rules! many {
    ($name:ident of $field:ty: $($f:ident)*) => {
        #[derive(Row, Clone)]
        struct $name { $($f: $field),* }
    };
}
many!(Eight of String: a b c d e f g h);
many!(Many of Eight: a b c d e f g h i j k l m n o p);

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let numbers = match (args.work, args.shape) {
        (Work::Write, Shape::Text) => {
            return write(texts(&cx, &args).map_to::<Text>(named_text), &args.output);
        }
        (Work::Write, Shape::List) => return write(lists(&cx, &args), &args.output),
        (Work::Write, Shape::Fields) => return write(fields(&cx, &args), &args.output),
        (Work::Copy, _) => {
            let rows = read::<Text>(&cx, &args.input).map_to::<(u64, String)>(|row| (row.n, row.value));
            let rows = rows.reduce_by_key(|a, _| a).repartition(4);
            return write(rows.map_to::<Text>(named_text), &args.output);
        }
        (Work::Read, Shape::Text) => {
            let read = read::<Text>(&cx, &args.input).map_to::<(u64, String)>(|row| (row.n, row.value));
            checked(&cx, &args, read.erase())
        }
        (Work::Read, Shape::List) => read::<Numbers>(&cx, &args.input)
            .try_map_with(&size(&cx, &args), check_list, OnError::Fail)
            .erase(),
        (Work::Read, Shape::Fields) => {
            let read = read::<Fields>(&cx, &args.input);
            read.try_map_with(&size(&cx, &args), check_fields, OnError::Fail).erase()
        }
        (Work::TwoColumns, _) => {
            let right = |row: TwoView<'_>| {
                if row.c19999 == "last" { Ok(row.c1) } else { Err("this is another column") }
            };
            read::<Two>(&cx, &args.input).try_map(right, OnError::Fail).erase()
        }
        (work, _) => checked(&cx, &args, worked(work, texts(&cx, &args))),
    };
    numbers.write_parquet_as(&args.output, ["n"])
}

fn named_text<'a>((n, value): (u64, &'a str)) -> TextView<'a> {
    TextView { n, value }
}

fn worked(work: Work, rows: Dataset<(u64, String)>) -> Dataset<(u64, String)> {
    match work {
        Work::Exchange => rows.repartition(4).erase(),
        Work::Sort => rows.sort_by_key(),
        Work::SortTexts => {
            let turned = rows.map_to::<(String, u64)>(|(n, text)| (text, n)).sort_by_key();
            turned.map_to::<(u64, String)>(|(text, n)| (n, text)).erase()
        }
        Work::Reduce => rows.reduce_by_key(|a, _| a),
        // Each key has one value.
        Work::Group => rows.group_by_key().map_values(only).erase(),
        Work::Join => {
            let joined = rows.clone().join(rows);
            joined.map_to::<(u64, String)>(|(n, (left, _))| (n, left)).erase()
        }
        _ => rows.persist(Level::Disk),
    }
}

fn only(texts: kiln::row::ListView<'_, String>) -> String {
    texts.iter().collect()
}

fn size(cx: &Context, args: &Args) -> kiln::Shared<Size> {
    cx.share((args.bytes, args.every))
}

fn texts(cx: &Context, args: &Args) -> Dataset<(u64, String)> {
    cx.parallelize(0..args.rows).map_with(&size(cx, args), |size, n| (n, text(size, n))).erase()
}

fn lists(cx: &Context, args: &Args) -> Dataset<Numbers> {
    cx.parallelize(0..args.rows)
        .map_with(&size(cx, args), |size, n| Numbers { n, value: list(size, n) })
        .erase()
}

fn fields(cx: &Context, args: &Args) -> Dataset<Fields> {
    cx.parallelize(0..args.rows)
        .map_with(&size(cx, args), |size, n| Fields { n, value: many(size, n) })
        .erase()
}

fn bytes(&(bytes, every): &Size, n: u64) -> usize {
    if n.is_multiple_of(every) { bytes } else { 8 }
}

/// A text of this size, which starts with a unique word and ends with the number.
fn text(size: &Size, n: u64) -> String {
    let mut text = format!("{:016x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    text.push_str(&"x".repeat(bytes(size, n)));
    text.push_str(&n.to_string());
    text
}

fn list(size: &Size, n: u64) -> Vec<u64> {
    vec![n; bytes(size, n) / size_of::<u64>()]
}

fn many(size: &Size, n: u64) -> Many {
    let value = || {
        let part = || text(&(size.0 / 128, size.1), n);
        Eight { a: part(), b: part(), c: part(), d: part(), e: part(), f: part(), g: part(), h: part() }
    };
    Many {
        a: value(),
        b: value(),
        c: value(),
        d: value(),
        e: value(),
        f: value(),
        g: value(),
        h: value(),
        i: value(),
        j: value(),
        k: value(),
        l: value(),
        m: value(),
        n: value(),
        o: value(),
        p: value(),
    }
}

fn checked(cx: &Context, args: &Args, rows: Dataset<(u64, String)>) -> Dataset<u64> {
    let check = |size: &Size, (n, found): (u64, &str)| {
        if found == text(size, n) { Ok(n) } else { Err(format!("row {n} has another text")) }
    };
    rows.try_map_with(&size(cx, args), check, OnError::Fail).erase()
}

fn check_list(size: &Size, row: NumbersView<'_>) -> Result<u64, String> {
    let is_right = row.value.len() == list(size, row.n).len() && row.value.iter().all(|item| item == row.n);
    if is_right { Ok(row.n) } else { Err(format!("row {} has another list", row.n)) }
}

fn check_fields(size: &Size, row: FieldsView<'_>) -> Result<u64, String> {
    let part = text(&(size.0 / 128, size.1), row.n);
    let ends = [row.value.a.a, row.value.h.d, row.value.p.h];
    if ends.iter().all(|end| *end == part) { Ok(row.n) } else { Err(format!("row {} is another", row.n)) }
}

/// The part of a file's name after the first dot, without the compression.
fn format(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.split('.').nth(1)
}

fn read<T: Row>(cx: &Context, input: &str) -> Dataset<T> {
    let (read, all) = (cx.read(), format!("{input}/*"));
    let folder = std::path::Path::new(input).is_dir();
    let from = if folder { &all } else { input };
    match format(input) {
        Some("csv") => read.csv(from).erase(),
        Some("json") => read.json(from).erase(),
        Some("arrow") => read.arrow(from).erase(),
        _ => read.parquet(from).erase(),
    }
}

fn write<T: Row>(rows: Dataset<T, impl Chain<Out = T>>, output: &str) -> kiln::Result<()> {
    let write = rows.write();
    let write = if output.ends_with(".zst") { write.compression(Compression::Zstd) } else { write };
    match format(output) {
        Some("csv") => write.csv(output),
        Some("json") => write.json(output),
        _ => write.parquet(output),
    }
}
