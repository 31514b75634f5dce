//! A job that prints to both streams after it has published, and whose commits take a given time.

use std::path::PathBuf;
use std::time::Duration;

use kiln::Context;
use kiln::job::Output;

#[derive(clap::Parser)]
struct Args {
    /// Where to publish.
    #[arg(long)]
    output: Option<String>,
    /// Number of lines on both streams.
    #[arg(long, default_value_t = 0)]
    lines: u64,
    /// A file to write after the last line.
    #[arg(long)]
    after: Option<PathBuf>,
    /// Duration of a commit that publishes nothing but its name.
    #[arg(long)]
    commit_millis: Option<u64>,
    /// A folder for a file that shows that the commit has begun.
    #[arg(long)]
    signs: Option<PathBuf>,
    /// Fails after the commit.
    #[arg(long)]
    fail: bool,
    /// Exits with this code in the middle of the job.
    #[arg(long)]
    exit: Option<i32>,
    /// Aborts the process after the last line.
    #[arg(long)]
    abort: bool,
}

#[kiln::main]
fn main(cx: Context, args: Args) -> kiln::Result<()> {
    if let Some(output) = &args.output {
        cx.range(0..10).write_parquet_as(output, ["n"])?;
    }
    for n in 0..args.lines {
        println!("line {n}");
        eprintln!("note {n}");
    }
    if let Some(after) = &args.after {
        std::fs::write(after, "").map_err(|e| kiln::Error::io("no sign", e))?;
    }
    if let Some(code) = args.exit {
        print!("no line end");
        std::process::exit(code);
    }
    if args.abort {
        eprintln!("last words");
        std::process::abort();
    }
    if let Some(millis) = args.commit_millis {
        let commit = cx.job_run().committing()?;
        if let Some(signs) = &args.signs {
            let _ = std::fs::write(signs.join("committing"), "");
        }
        std::thread::sleep(Duration::from_millis(millis));
        cx.job_run().published(Output { uri: "memory:///c".to_owned(), rows: 1, ..Output::default() });
        drop(commit);
        if args.fail {
            return Err(kiln::Error::cancelled("the job was stopped"));
        }
    }
    Ok(())
}
