//! `read_text`: the lines of text files.

use std::borrow::Cow;
use std::sync::Arc;

use kiln_planner::Site;

use crate::chain::{Chain, Sink, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::Result;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::source::{Piece, Split, TextBlocks, estimated_bytes, lines, list, plan_splits, skim_pieces};
use crate::task::Task;

impl Context {
    /// The lines of text files, without their ends: a path, a folder, a glob or a URL.
    ///
    /// Files ending in `.gz` and `.zst` are decompressed. Large files are cut into byte ranges and
    /// small ones packed together; how depends on the files alone, never on slots or executors.
    /// The files are listed now and read when an action asks; what is wrong with the address is
    /// said by that action.
    ///
    /// # Errors
    /// Given by the action: config for what cannot be found, auth for what may not be read, data
    /// for text that is not UTF-8, a broken archive, or a line longer than 64 MiB.
    #[track_caller]
    pub fn read_text(&self, address: &str) -> Dataset<String, TextLines> {
        let site = Site::caller();
        let files = match list(address) {
            Ok(files) => files,
            Err(error) => {
                let chain = TextLines { splits: Arc::default(), label: address.into(), site };
                return Dataset::over(chain, Origin::broken(self, error));
            }
        };
        let splits: Arc<[Split]> = plan_splits(&files).into();
        let origin = Origin::source(self, splits.len().max(1), estimated_bytes(&files));
        Dataset::over(TextLines { splits, label: address.into(), site }, origin)
    }
}

/// A chain that starts with the lines of text files.
#[derive(Clone)]
pub struct TextLines {
    splits: Arc<[Split]>,
    label: Arc<str>,
    site: Site,
}

impl Ship for TextLines {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&*self.splits, &*self.label, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (splits, label, site): (Vec<Split>, String, Site) = params.take()?;
        Ok(TextLines { splits: splits.into(), label: label.into(), site })
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
    fn drive<S: Sink<String>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let pieces = self.splits.get(task.partition).map_or(&[][..], |split| &split.pieces);
        for piece in &*some_or_all(pieces, task) {
            let mut text = TextBlocks::open(piece)?;
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
