//! `read_text`: the lines of text files.

use std::borrow::Cow;
use std::sync::Arc;

use kiln_planner::Site;

use super::files;
use super::read::{Allowed, Read};
use super::skipped::Skipped;
use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::{Error, Result};
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::source::{
    Lead, Piece, Split, TextBlocks, estimated_bytes, lines, plan_splits, read_ahead, skim_pieces,
};
use crate::task::Task;

impl Context {
    /// The lines of text files, without their ends: a path, a folder, a glob or a URL.
    ///
    /// `\n` and `\r\n` end a line, as for [`str::lines`]. A `\r` anywhere else is part of its line, unlike in Spark,
    /// where it ends one: in logs and terminal output it is mostly an overwritten line.
    /// `flat_map_emit::<String>(|line, emit| line.split('\r').for_each(|part| emit(part)))` makes lines of it. What
    /// follows the last line end is a line, too, if it is not empty.
    ///
    /// Files ending in `.gz` and `.zst` are decompressed. Large files are cut into byte ranges and
    /// small ones packed together; how depends on the files alone, never on slots or executors.
    /// The files are listed now and read when an action asks; what is wrong with the address is
    /// said by that action.
    ///
    /// [`Context::read`] has options: only new files, and none that is gone.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("a.txt").display().to_string();
    /// # std::fs::write(&path, "one\ntwo\n").unwrap();
    /// let cx = kiln::Context::local(1);
    /// assert_eq!(cx.read_text(&path).collect()?, ["one", "two"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data
    /// for text that is not UTF-8, a broken archive, or a line longer than 64 MiB.
    #[track_caller]
    pub fn read_text(&self, address: &str) -> Dataset<String, TextLines> {
        self.read().text(address)
    }
}

impl Read {
    /// [`Context::read_text`] with these options; a line has no columns, and so none from folders.
    #[track_caller]
    pub fn text(self, address: &str) -> Dataset<String, TextLines> {
        let (cx, site, skipped) = (&self.cx, Site::caller(), Skipped::new(&self.cx, &self.choice));
        let listed = self.check_text().and_then(|()| files::list(cx, address, &self.choice, &skipped));
        let (splits, origin): (Arc<[Split]>, Origin) = match listed {
            Ok(files) => {
                let splits = plan_splits(&files);
                let origin = Origin::source(cx, splits.len().max(1), estimated_bytes(&files));
                (splits.into(), origin)
            }
            Err(error) => (Arc::default(), Origin::broken(cx, error)),
        };
        Dataset::over(TextLines { splits, skipped, label: address.into(), site }, origin)
    }

    fn check_text(&self) -> Result<()> {
        self.check("text", Allowed::default())?;
        if self.choice.hive {
            return Err(Error::config("`hive_partitions` is no option of `text`")
                .help("a line has no columns; `read_text_files` gives each file's address with its text"));
        }
        Ok(())
    }
}

/// A chain that starts with the lines of text files.
#[derive(Clone)]
pub struct TextLines {
    splits: Arc<[Split]>,
    skipped: Skipped,
    label: Arc<str>,
    site: Site,
}

impl Ship for TextLines {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&*self.splits, &self.skipped, &*self.label, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (splits, skipped, label, site): (Vec<Split>, _, String, Site) = params.take()?;
        Ok(TextLines { splits: splits.into(), skipped, label: label.into(), site })
    }
}

/// The pieces, or those parts of them that are enough for a sample.
fn some_or_all<'p>(pieces: &'p [Piece], task: &Task<'_>) -> Cow<'p, [Piece]> {
    if !task.skims() {
        return Cow::Borrowed(pieces);
    }
    let parts = pieces.iter().flat_map(|piece| {
        let (parts, skimmed) = skim_pieces(piece);
        task.has_skimmed(skimmed);
        parts
    });
    Cow::Owned(parts.collect())
}

impl Chain for TextLines {
    type Out = String;

    #[inline]
    fn drive<S: RowConsumer<String>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let pieces = self.splits.get(task.partition).map_or(&[][..], |split| &split.pieces);
        for piece in read_ahead(&some_or_all(pieces, task), Lead::Start) {
            let mut text = match TextBlocks::open(&piece) {
                Err(_) if self.skipped.is_gone(&piece)? => continue,
                opened => opened?,
            };
            let mut counted = 0;
            task.place.enter(&piece.address, text.byte());
            loop {
                let start = text.position();
                let Some(block) = text.next_block()? else { break };
                for line in lines(block) {
                    task.place.at(start + (line.as_ptr().addr() - block.as_ptr().addr()) as u64);
                    sink.push(line);
                }
                task.check()?;
                let read = text.bytes_read();
                task.count_bytes(read - counted);
                counted = read;
                if sink.is_full() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn source_bytes(&self) -> u64 {
        self.splits.iter().flat_map(|split| &split.pieces).map(|piece| piece.end - piece.start).sum()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(format!("read_text {}", self.label), &self.site));
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}
