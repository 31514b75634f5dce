//! `approx_quantiles`: values below which given shares of the rows lie, about.

use arrow::datatypes::SchemaRef;
use datasketches::tdigest::TDigestMut;
use kiln_planner::Site;

use super::number::Number;
use crate::chain::{Chain, RowConsumer, Step};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::plan::Terminal;
use crate::row::{Row, ipc, schema};
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::shuffle::PartitionedWriter;
use crate::task::{Output, Task};

/// How fine the digests are: their ranks are off by about 1 / (4 k), and by less near the ends.
const COMPRESSION: u16 = 200;

impl<T: Number, C: Chain<Out = T>> Dataset<T, C> {
    /// Estimates quantiles: for each rank, from 0 (the smallest number) to 1 (the largest), a number
    /// below which about that share of the rows lies. Empty if there are no numbers; NaN and
    /// infinities are left out, and integers beyond 2^53 are rounded.
    ///
    /// Ranks are off by less than 0.01, and by much less near 0 and 1: each task makes a t-digest
    /// (Dunning, 2019) of a few kilobytes, and only that moves.
    ///
    /// ```
    /// # fn main() -> kiln::Result<()> {
    /// let cx = kiln::Context::local(2);
    /// let quantiles = cx.range(0..1001).approx_quantiles(&[0.0, 0.5, 1.0])?;
    /// assert_eq!((quantiles[0], quantiles[2]), (0.0, 1000.0));
    /// assert!((quantiles[1] - 500.0).abs() < 10.0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Of class config when a rank is not between 0 and 1; else whatever stops the job, with its
    /// class and place.
    #[track_caller]
    pub fn approx_quantiles(&self, ranks: &[f64]) -> Result<Vec<f64>> {
        let site = Site::caller();
        self.origin.check()?;
        if let Some(wrong) = ranks.iter().find(|rank| !(0.0..=1.0).contains(*rank)) {
            return Err(Error::config(format!("{wrong} is no rank of a quantile"))
                .at("line", &site)
                .help("ranks go from 0.0 to 1.0; the median has 0.5"));
        }
        let parts: Vec<Vec<u8>> = ipc::rows_of(&self.origin.cx.act(&self.end_in(Digest { site }))?.batches)?;
        let mut all = digest()?;
        for part in parts {
            let part = TDigestMut::deserialize(&part);
            all.merge(&part.map_err(|e| Error::bug("a digest cannot be read back").because(e))?);
        }
        let quantiles =
            all.quantiles(ranks).map_err(|e| Error::bug("a digest refuses its ranks").because(e))?;
        Ok(quantiles.unwrap_or_default())
    }
}

fn digest() -> Result<TDigestMut> {
    TDigestMut::new(COMPRESSION).map_err(|e| Error::bug("a digest cannot be made").because(e))
}

/// A digest of the numbers of a partition.
struct Digest {
    site: Site,
}

impl Ship for Digest {
    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        params.put(&self.site)
    }
    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        Ok(Digest { site: params.take()? })
    }
}

impl<T: Number> Terminal<T> for Digest {
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        let mut sink = DigestSink(digest()?);
        chain.drive(task, &mut sink)?;
        let mut writer = PartitionedWriter::<Vec<u8>>::new(1, out);
        writer.push(0, sink.0.serialize().view());
        writer.finish()
    }

    fn schema(&self) -> SchemaRef {
        schema::<Vec<u8>>()
    }

    fn steps(&self, steps: &mut Vec<Step>) {
        steps.push(Step::new("approx_quantiles", &self.site));
    }
}

struct DigestSink(TDigestMut);

impl<T: Number> RowConsumer<T> for DigestSink {
    #[inline]
    fn push(&mut self, number: T::View<'_>) {
        self.0.update(T::own(number).float());
    }
}
