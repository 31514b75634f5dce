//! A fused chain and its terminal: the typed body of a stage.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_physical_plan::ExecutionPlan;

use super::{Operator, OperatorExec};
use crate::chain::{Chain, Step};
use crate::context::Context;
use crate::error::Result;
use crate::row::Row;
use crate::ship::closure::Closure;
use crate::ship::params::{ParamReader, ParamWriter, Ship};
use crate::ship::table;
use crate::task::{Output, Task};

/// Consumes the rows of a chain at the end of its stage: as columns, in a combine table, in a file …
pub trait Terminal<T: Row>: Ship + Send + Sync + 'static {
    /// Runs the chain and outputs the result.
    fn run<C: Chain<Out = T>>(&self, chain: &C, task: &Task<'_>, out: &mut dyn Output) -> Result<()>;

    /// The output columns.
    fn schema(&self) -> SchemaRef;

    /// Adds its steps, for explain.
    fn steps(&self, steps: &mut Vec<Step>);

    /// Lists its closures.
    fn closures(&self, _: &mut Vec<Closure>) {}

    /// Determines, before the job, what it must know about the chain's rows.
    fn prepare<C: Chain<Out = T>>(
        &self,
        _: &C,
        _: &[Arc<dyn ExecutionPlan>],
        _partitions: usize,
        _: &Context,
    ) -> Result<()> {
        Ok(())
    }
}

/// `chain` followed by `end`, compiled to one loop.
pub struct Fused<C, E> {
    chain: C,
    end: E,
}

impl<C: Chain, E: Terminal<C::Out>> Fused<C, E> {
    /// The operator, registered in the link-time table.
    pub fn operator(chain: C, end: E) -> Arc<dyn Operator> {
        table::anchor::<Self>();
        Arc::new(Fused { chain, end })
    }
}

impl<C: Chain, E: Terminal<C::Out>> Operator for Fused<C, E> {
    fn run(&self, task: &Task<'_>, out: &mut dyn Output) -> Result<()> {
        self.end.run(&self.chain, task, out)
    }

    fn schema(&self) -> SchemaRef {
        self.end.schema()
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        self.chain.steps(&mut steps);
        self.end.steps(&mut steps);
        steps
    }

    fn closures(&self) -> Vec<Closure> {
        let mut closures = Vec::new();
        self.chain.closures(&mut closures);
        self.end.closures(&mut closures);
        closures
    }

    fn source_bytes(&self) -> u64 {
        self.chain.source_bytes()
    }

    fn ship(&self, params: &mut ParamWriter) -> Result<()> {
        self.chain.ship(params)?;
        self.end.ship(params)
    }

    fn rebuild(params: &mut ParamReader<'_>) -> Result<Self> {
        let chain = C::rebuild(params)?;
        Ok(Fused { chain, end: E::rebuild(params)? })
    }

    fn prepare(&self, node: &OperatorExec, cx: &Context) -> Result<()> {
        let partitions = node.properties().partitioning.partition_count();
        self.end.prepare(&self.chain, &node.inputs, partitions, cx)
    }
}
