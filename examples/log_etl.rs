//! Converts web server logs in Apache's combined format to typed rows, as Parquet partitioned by day.
//!
//! Lines that are no requests are not lost: they are written as JSON to a separate folder, with file,
//! byte offset and reason, and are counted. A run replaces only the days for which it has requests, so
//! a day can be processed again. Around midnight a log contains lines of two days in UTC: `--day`
//! selects one of them, leaves the other unchanged, and empties the day if the log has no requests for
//! it any more.

use kiln::chrono::{DateTime, Datelike, NaiveDate, Utc};
use kiln::{Context, Mode, Row};

/// Four days of a small shop's logs, in whichever folder the example is started.
const OWN_LOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/access_log/*.log");
/// Format of a request's time in Apache's logs.
const TIME: &str = "%d/%b/%Y:%H:%M:%S %z";

#[derive(clap::Parser)]
#[command(about = "Turns access logs into Parquet by day")]
struct Args {
    /// Logs in the combined format: a path, a folder, a glob or a URL.
    #[arg(long, default_value = OWN_LOGS)]
    input: String,
    /// Where to publish requests, as Parquet in folders `day=…`.
    #[arg(long, default_value = "out/log_etl/requests")]
    output: String,
    /// Where to publish lines that are no requests, as JSON lines; those of the last run are replaced.
    #[arg(long, default_value = "out/log_etl/rejects")]
    rejects: String,
    /// Publishes only the requests of this day, such as 2026-03-02.
    #[arg(long)]
    day: Option<NaiveDate>,
}

#[derive(Row)]
struct Request {
    /// The day in UTC, by which the output is partitioned.
    day: NaiveDate,
    at: DateTime<Utc>,
    host: String,
    user: Option<String>,
    method: Method,
    path: String,
    status: u16,
    bytes: Option<u64>,
    referrer: Option<String>,
    agent: Option<String>,
}

#[derive(Row, Clone, Copy, Debug)]
#[rustfmt::skip]
enum Method {
    #[row(rename = "GET")] Get,
    #[row(rename = "HEAD")] Head,
    #[row(rename = "POST")] Post,
    #[row(rename = "PUT")] Put,
    #[row(rename = "DELETE")] Delete,
    #[row(rename = "OPTIONS")] Options,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let (requests, rejects) = cx.read_text(&args.input).try_map_or_reject(parse);

    // Every action processes the lines again, so each counter is used in one action only.
    let rejected = cx.counter("rejected lines");
    let rejects = rejects.inspect_with(&rejected, |rejected, _| rejected.add(1));
    rejects.write().mode(Mode::Overwrite).json(&args.rejects)?;

    let published = cx.counter("published requests");
    let expected = args.day.map(|day| format!("day={day}"));
    let day = cx.share(args.day.map(|day| day.num_days_from_ce()));
    requests
        .filter_with(&day, |day, request| day.is_none_or(|day| request.day.num_days_from_ce() == day))
        .inspect_with(&published, |published, _| published.add(1))
        .write()
        .partition_by(["day"])
        .mode(Mode::ReplacePartitions)
        .expect_partitions(expected.as_deref())
        .parquet(&args.output)?;

    println!("{} requests in {}", published.value(), args.output);
    println!("{} rejected lines in {}", rejected.value(), args.rejects);
    Ok(())
}

/// Parses a line such as
/// `203.0.113.9 - ann [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326 "-" "curl"`.
fn parse(line: &str) -> Result<Request, String> {
    let mut fields = Fields(line);
    let host = fields.next("host")?.to_owned();
    fields.next("identity")?;
    let user = given(fields.next("user")?);
    let at = fields.next("time")?;
    let at = DateTime::parse_from_str(at, TIME).map_err(|e| format!("time: {e}"))?.to_utc();
    let request = fields.next("request")?;
    let (method, rest) = request.split_once(' ').ok_or("the request has no path")?;
    let path = rest.rsplit_once(' ').ok_or("the request has no protocol")?.0.to_owned();
    let status = fields.next("status")?.parse().map_err(|e| format!("status: {e}"))?;
    if !(100..600).contains(&status) {
        return Err(format!("status: there is no {status}"));
    }
    let bytes = given(fields.next("bytes")?).map(|bytes| bytes.parse()).transpose();
    Ok(Request {
        day: at.date_naive(),
        at,
        host,
        user,
        method: method_of(method)?,
        path,
        status,
        bytes: bytes.map_err(|e| format!("bytes: {e}"))?,
        referrer: given(fields.next("referrer")?),
        agent: given(fields.next("agent")?),
    })
}

fn method_of(name: &str) -> Result<Method, String> {
    Ok(match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        _ => return Err(format!("method: there is no {name}")),
    })
}

/// A missing field is written as `-`.
fn given(field: &str) -> Option<String> {
    (field != "-").then(|| field.to_owned())
}

/// The rest of a line.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    /// The next field: a word, or the text in brackets or quotes.
    fn next(&mut self, name: &str) -> Result<&'a str, String> {
        let text = self.0.trim_start_matches(' ');
        let parts = match text.as_bytes().first() {
            Some(b'[') => text[1..].split_once(']'),
            Some(b'"') => quoted(&text[1..]),
            Some(_) => Some(text.split_once(' ').unwrap_or((text, ""))),
            None => None,
        };
        let (field, rest) = parts.ok_or_else(|| format!("the line ends before its {name}"))?;
        self.0 = rest;
        Ok(field)
    }
}

/// Splits at the quote that ends a field, which `\"` does not.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}
