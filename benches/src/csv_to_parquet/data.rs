//! A CSV file of orders.
//!
//! No field contains a line break. The hand-written program relies on that, while a general reader
//! cannot.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use kiln::{Error, Result};

use super::schema;
use crate::data::DEFAULT_SEED;
use crate::data::random::Random;

/// Percentage of orders without a discount, and of products whose name needs quotes.
const NO_DISCOUNT_PERCENT: u64 = 40;
const QUOTED_PERCENT: u64 = 20;
/// Percentage of paid orders.
const PAID_PERCENT: u64 = 80;

const COUNTRIES: [&str; 8] = ["KR", "DE", "US", "FR", "BR", "JP", "IN", "KE"];
const MATERIALS: [&str; 8] = ["oak", "steel", "cotton", "glass", "paper", "clay", "wool", "stone"];
const THINGS: [&str; 8] = ["chair", "kettle", "shirt", "bottle", "notebook", "bowl", "blanket", "mill"];

const WRITE_BUFFER_BYTES: usize = 1 << 20;

/// Writes a file of `rows` orders to `folder`.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn file(folder: &Path, rows: u64) -> Result<()> {
    let failed = |e| Error::io("the orders cannot be written", e).at("folder", folder.display());
    write(&folder.join("orders.csv"), rows).map_err(failed)
}

fn write(path: &Path, rows: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(WRITE_BUFFER_BYTES, File::create(path)?);
    let mut random = Random::new(DEFAULT_SEED);
    let names: Vec<String> = schema().fields().iter().map(|field| field.name().clone()).collect();
    writeln!(out, "{}", names.join(","))?;
    for id in 0..rows {
        write_order(id, &mut random, &mut out)?;
    }
    out.flush()
}

fn write_order(id: u64, random: &mut Random, out: &mut impl Write) -> io::Result<()> {
    let customer = random.below(1_000_000_000);
    write!(out, "{id},{customer},{},", COUNTRIES[random.below(8) as usize])?;
    let [material, thing] = [MATERIALS, THINGS].map(|words| words[random.below(8) as usize]);
    match random.percent(QUOTED_PERCENT) {
        true => write!(out, "\"{thing}, \"\"{material}\"\" no. {}\",", random.below(1000))?,
        false => write!(out, "{material} {thing} {},", random.below(100_000))?,
    }
    write!(out, "{}.{:02},{},", random.below(1000), random.below(100), 1 + random.below(20))?;
    if !random.percent(NO_DISCOUNT_PERCENT) {
        write!(out, "0.{:02}", 1 + random.below(30))?;
    }
    writeln!(out, ",{}", random.percent(PAID_PERCENT))
}
