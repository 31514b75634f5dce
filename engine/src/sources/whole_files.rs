//! What sources share whose rows are whole files, each with its address.
//!
//! What a file's bytes are as a value is the only thing in which they differ ([`Content`]).

use std::marker::PhantomData;
use std::sync::Arc;

use kiln_planner::Site;

use super::files::{self, Choice};
use super::skipped::Skipped;
use crate::chain::{Chain, RowConsumer, Step};
use crate::context::Context;
use crate::dataset::{Dataset, Origin};
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::source::{Lead, Split, estimated_bytes, plan_splits_at, read_ahead, read_whole};
use crate::task::Task;

/// A row type that a file's bytes can be.
pub trait Content: Row {
    /// Whether files ending in `.gz` and `.zst` are decompressed first.
    const DECOMPRESS: bool;

    /// The bytes as a value.
    ///
    /// # Errors
    /// Of class data when they are none.
    fn read(bytes: &[u8]) -> Result<Self::View<'_>>;
}

/// A chain that starts with whole files: address and content.
pub struct WholeFiles<B> {
    splits: Arc<[Split]>,
    skipped: Skipped,
    label: Arc<str>,
    site: Site,
    _content: PhantomData<fn() -> B>,
}

/// The files at `address`, found now and read when an action asks.
pub(super) fn dataset<B: Content>(
    cx: &Context,
    address: &str,
    choice: Choice,
    label: String,
    site: Site,
) -> Dataset<(String, B), WholeFiles<B>> {
    let skipped = Skipped::new(cx, &choice);
    let found = files::list(cx, address, &choice, &skipped).and_then(|files| {
        // A row cannot be cut.
        Ok((plan_splits_at(&files, |_, _| Ok(Vec::new()))?, estimated_bytes(&files)))
    });
    let (splits, origin): (Arc<[Split]>, Origin) = match found {
        Ok((splits, bytes)) => {
            let origin = Origin::source(cx, splits.len().max(1), bytes);
            (splits.into(), origin)
        }
        Err(error) => (Arc::default(), Origin::broken(cx, error)),
    };
    Dataset::over(WholeFiles { splits, skipped, label: label.into(), site, _content: PhantomData }, origin)
}

impl<B: Content> Chain for WholeFiles<B> {
    type Out = (String, B);

    fn drive<S: RowConsumer<(String, B)>>(&self, task: &Task<'_>, sink: &mut S) -> Result<()> {
        let pieces = self.splits.get(task.partition).map_or(&[][..], |split| &split.pieces);
        for piece in read_ahead(pieces, Lead::Whole) {
            task.check()?;
            let bytes = match read_whole(&piece, B::DECOMPRESS) {
                Err(_) if self.skipped.is_gone(&piece)? => continue,
                bytes => bytes?,
            };
            task.count_bytes(piece.size);
            let content = B::read(&bytes).map_err(|e| e.at("file", &piece.address))?;
            task.place.enter_whole(&piece.address);
            sink.push((&piece.address, content));
            if sink.is_full() {
                break;
            }
        }
        Ok(())
    }

    fn source_bytes(&self) -> u64 {
        self.splits.iter().flat_map(|split| &split.pieces).map(|piece| piece.size).sum()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new(&*self.label, &self.site));
    }

    fn closures(&self, _: &mut Vec<Closure>) {}
}

impl<B> Clone for WholeFiles<B> {
    fn clone(&self) -> Self {
        WholeFiles {
            splits: Arc::clone(&self.splits),
            skipped: self.skipped.clone(),
            label: Arc::clone(&self.label),
            site: self.site.clone(),
            _content: PhantomData,
        }
    }
}

impl<B: Content> Ship for WholeFiles<B> {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&(&*self.splits, &self.skipped, &*self.label, &self.site))
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let (splits, skipped, label, site): (Vec<Split>, _, String, _) = params.take()?;
        let (splits, label) = (splits.into(), label.into());
        Ok(WholeFiles { splits, skipped, label, site, _content: PhantomData })
    }
}
