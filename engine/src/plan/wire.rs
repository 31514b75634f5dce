//! A stage's plan as bytes and back: table positions, parameters, and the shape of the tree.
//!
//! There is no list of operators here: each is named by its position in the link-time table, which
//! is the same in every process of one binary.

use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::ipc::convert::IpcSchemaEncoder;
use arrow::ipc::writer::DictionaryTracker;
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::union::UnionExec;
use kiln_planner::{ExchangeId, ExchangeReadExec};
use serde::{Deserialize, Serialize};

use super::{Operator, OperatorExec, PartitionsExec};
use crate::error::{Error, Result};
use crate::ship::params::ParamWriter;
use crate::ship::table;

/// One node of a shipped plan.
#[derive(Serialize, Deserialize)]
enum Node {
    Operator { entry: u32, params: Vec<u8>, partitions: u64, inputs: Vec<Node> },
    Read { exchange: ExchangeId, schema: Vec<u8>, partitions: u64 },
    Union { inputs: Vec<Node> },
    Partitions { first: u64, end: u64, input: Box<Node> },
}

/// `plan` as bytes for an executor.
pub fn encode(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
    postcard::to_stdvec(&to_node(plan)?).map_err(|e| Error::bug("a plan cannot be encoded").because(e))
}

/// The plan that [`encode`] wrote in another process of the same binary.
pub fn decode(bytes: &[u8]) -> Result<Arc<dyn ExecutionPlan>> {
    let node = postcard::from_bytes(bytes).map_err(|e| Error::bug("a plan cannot be decoded").because(e))?;
    from_node(node)
}

fn to_node(plan: &Arc<dyn ExecutionPlan>) -> Result<Node> {
    let partitions = plan.properties().partitioning.partition_count() as u64;
    if let Some(node) = plan.downcast_ref::<OperatorExec>() {
        let mut params = ParamWriter::default();
        node.operator.ship(&mut params)?;
        let entry = node.operator.entry().ok_or_else(no_table)?;
        let inputs = node.inputs.iter().map(to_node).collect::<Result<_>>()?;
        return Ok(Node::Operator { entry, params: params.finish(), partitions, inputs });
    }
    if let Some(node) = plan.downcast_ref::<ExchangeReadExec>() {
        // Numbers the dictionaries of columns that have one; without it such a schema has no bytes.
        let mut dictionaries = DictionaryTracker::new(false);
        let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut dictionaries);
        let schema = encoder.schema_to_fb(&plan.schema()).finished_data().to_vec();
        return Ok(Node::Read { exchange: node.id, schema, partitions });
    }
    if let Some(node) = plan.downcast_ref::<UnionExec>() {
        return Ok(Node::Union { inputs: node.inputs().iter().map(to_node).collect::<Result<_>>()? });
    }
    if let Some(node) = plan.downcast_ref::<PartitionsExec>() {
        let (first, end) = (node.range.start as u64, node.range.end as u64);
        return Ok(Node::Partitions { first, end, input: Box::new(to_node(&node.input)?) });
    }
    Err(Error::bug(format!("{} cannot run on executors yet", plan.name())))
}

fn no_table() -> Error {
    Error::config("executors need Linux on x86-64 or aarch64").help("run with KILN_CLUSTER=local")
}

fn from_node(node: Node) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(match node {
        Node::Operator { entry, params, partitions, inputs } => {
            let inputs = inputs.into_iter().map(from_node).collect::<Result<_>>()?;
            Arc::new(OperatorExec::new(rebuild(entry, &params)?, inputs, partitions as usize))
        }
        Node::Read { exchange, schema, partitions } => {
            let schema = arrow::ipc::root_as_schema(&schema)
                .map_err(|e| Error::bug(format!("a schema cannot be decoded: {e}")))?;
            let schema: Schema = arrow::ipc::convert::fb_to_schema(schema);
            Arc::new(ExchangeReadExec::new(exchange, Arc::new(schema), partitions as usize))
        }
        Node::Partitions { first, end, input } => {
            Arc::new(PartitionsExec::new(from_node(*input)?, first as usize..end as usize))
        }
        Node::Union { inputs } => {
            UnionExec::try_new(inputs.into_iter().map(from_node).collect::<Result<_>>()?)?
        }
    })
}

fn rebuild(entry: u32, params: &[u8]) -> Result<Arc<dyn Operator>> {
    let entry = table::table()
        .get(entry as usize)
        .ok_or_else(|| Error::bug(format!("the stage table has no entry {entry}")))?;
    match (entry.rebuild)(params).downcast::<Result<Arc<dyn Operator>>>() {
        Ok(operator) => *operator,
        Err(_) => Err(Error::bug(format!("{} is no operator", entry.name))),
    }
}
