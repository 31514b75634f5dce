//! Packs many small files into few Parquet files with the columns `address` and `content`.
//!
//! Opening a small file costs more than reading it, and a task or an output file costs more than both.
//! The source therefore gives each task several small files, `coalesce` gives it even more, and a
//! Parquet file is closed at a given size. `--compare` shows the gain: it also packs the same files
//! with one task and one output file each.

use std::fs;
use std::time::Instant;

use kiln::{Bytes, Context, Error, Mode, OnError};

/// Folder of the small files that a run without `--input` generates.
const OWN_INPUT: &str = "out/file_packer/small";

#[derive(clap::Parser)]
#[command(about = "Packs small files into Parquet")]
struct Args {
    /// Folder of the files; by default they are generated in `out/file_packer/small`.
    #[arg(long)]
    input: Option<String>,
    /// Where to publish Parquet files; the output of the last run is replaced.
    #[arg(long, default_value = "out/file_packer/packed")]
    output: String,
    /// Approximate size of a Parquet file.
    #[arg(long, default_value_t = 64 << 20)]
    file_bytes: u64,
    /// Tasks, each with at least one Parquet file.
    #[arg(long, default_value_t = 4)]
    tasks: usize,
    /// Generates this many files of 1 to 8 KiB in the input folder first; 1000 by default without
    /// `--input`.
    #[arg(long)]
    generate: Option<u64>,
    /// Packs with a separate task for every file instead.
    #[arg(long)]
    one_task_per_file: bool,
    /// Packs in both ways and prints their times.
    #[arg(long)]
    compare: bool,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    let input = args.input.as_deref().unwrap_or(OWN_INPUT);
    if let Some(files) = args.generate.or(args.input.is_none().then_some(1000)) {
        generate(input, files)?;
    }
    if args.one_task_per_file {
        return pack_one_by_one(&cx, input, &args.output);
    }
    let packing = seconds(|| pack(&cx, input, &args))?;
    if args.compare {
        let one_by_one = seconds(|| pack_one_by_one(&cx, input, &format!("{}_one_by_one", args.output)))?;
        println!("packed:            {packing:>8.3} s");
        println!("one task per file: {one_by_one:>8.3} s, {:.1} times as long", one_by_one / packing);
    }
    println!("published to {}", args.output);
    Ok(())
}

fn pack(cx: &Context, input: &str, args: &Args) -> kiln::Result<()> {
    cx.read_binary_files(input)
        .coalesce(args.tasks)
        .write()
        .names(["address", "content"])
        .target_file_bytes(args.file_bytes)
        .mode(Mode::Overwrite)
        .parquet(&args.output)
}

/// Packs with a separate task for each file: as many tasks and Parquet files as there are files.
fn pack_one_by_one(cx: &Context, input: &str, output: &str) -> kiln::Result<()> {
    let paths = paths_in(input).map_err(|e| Error::io("cannot list the folder", e).at("folder", input))?;
    cx.parallelize_in(paths.len(), paths)
        .try_map(|path| fs::read(path).map(|content| (path.to_owned(), Bytes::from(content))), OnError::Fail)
        .write()
        .names(["address", "content"])
        .mode(Mode::Overwrite)
        .parquet(output)
}

/// The paths of the files in a folder, in order.
fn paths_in(folder: &str) -> std::io::Result<Vec<String>> {
    let paths = fs::read_dir(fs::canonicalize(folder)?)?.map(|entry| Ok(entry?.path().display().to_string()));
    let mut paths = paths.collect::<std::io::Result<Vec<String>>>()?;
    paths.sort();
    Ok(paths)
}

/// Generates files of 1 to 8 KiB, the same in every run.
fn generate(folder: &str, files: u64) -> kiln::Result<()> {
    let make = || {
        fs::create_dir_all(folder)?;
        (0..files).try_for_each(|file| {
            let mixed = (file + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let line = format!("reading {file} of sensor {}: {mixed:016x}\n", mixed % 97);
            let content = line.repeat(((1 + mixed % 8) * 1024) as usize / line.len() + 1);
            fs::write(format!("{folder}/{file:06}.txt"), content)
        })
    };
    make().map_err(|e| Error::io("cannot make files", e).at("folder", folder))
}

fn seconds(work: impl FnOnce() -> kiln::Result<()>) -> kiln::Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}
