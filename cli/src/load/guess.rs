//! `kiln load FILE guess`: writes the load file from a source.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use kiln::connect::Scan;
use kiln::{Context, Copied, Error, Result};

use super::checks::Checks;
use super::file::{LoadFile, Target};
use super::sources::{LoadSource, Source, with_source};
use crate::print;

#[derive(clap::Args)]
pub struct Args {
    /// Where the rows are: postgres://user@host/database, mysql://user@host/database or a file such as shop.db.
    #[arg(long)]
    url: String,
    /// The table or view.
    #[arg(long)]
    table: String,
    /// Where the rows go; without it, a folder beside the load file.
    #[arg(long)]
    to: Option<String>,
}

/// Looks at the source and writes a load file, which must not exist.
///
/// # Errors
/// Those of the source; config when the file exists.
pub fn run(path: &Path, args: &Args, cx: &Context) -> Result<()> {
    let source = Source::guess(&args.url, &args.table)?;
    let beside = path.with_extension("").display().to_string();
    let target = Target { uri: args.to.clone().unwrap_or(beside), ..Target::default() };
    let load = LoadFile { source, target, checks: Checks::default(), rejects: None, drift: None };
    let text = with_source!(&load.source, source => text(&load, &cx.copy(source.scan(cx)?)))?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file
        .as_mut()
        .map_err(|e| std::io::Error::from(e.kind()))
        .and_then(|file| file.write_all(text.as_bytes()));
    written.map_err(|e| Error::io("cannot write the load file", e).at("file", path.display()))?;
    print(&text);
    Ok(())
}

/// The file, with the columns as comments.
fn text<S: Scan>(load: &LoadFile, rows: &Copied<S>) -> Result<String> {
    let mut text = toml::to_string(load).map_err(|e| Error::bug("a load cannot be written").because(e))?;
    text.push_str(
        "\n# mode = \"overwrite\"    # or error, append, append-once, ignore, replace-partitions\n",
    );
    text.push_str("# partition_by = [\"day\"]\n\n# The columns:\n");
    for field in rows.schema()?.fields() {
        let nulls = if field.is_nullable() { ", may be null" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "#   {}: {}{nulls}", field.name(), field.data_type());
    }
    Ok(text)
}
