//! Serialises the plan of a stage: table positions, parameters, and the shape of the plan.
//!
//! Operators need no list here: each is identified by its position in the link-time table, which is the same
//! in every process of one binary.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::ipc::convert::IpcSchemaEncoder;
use arrow::ipc::writer::DictionaryTracker;
use datafusion_physical_plan::ExecutionPlan;
use kiln_planner::{ExchangeId, ExchangeReadExec, UnionExec, identity, post_order};
use serde::{Deserialize, Serialize};

use super::{ContinuedExec, Operator, OperatorExec, PartitionsExec, union};
use crate::error::{Error, Result};
use crate::ship::params::ParamWriter;
use crate::ship::table;

/// One node of a serialised plan. Inputs are positions in the list of nodes, smaller than the node's own. A
/// tree would be as deep as the plan, and would contain a shared node several times.
#[derive(Serialize, Deserialize)]
enum Node {
    Operator { entry: u32, params: Vec<u8>, partitions: u64, inputs: Vec<u32> },
    Read { exchange: ExchangeId, schema: Vec<u8>, partitions: u64 },
    Union { inputs: Vec<u32> },
    Partitions { first: u64, end: u64, input: u32 },
    Continued { input: u32 },
}

/// Serialises `plan` for an executor.
///
/// # Errors
/// Of class config when an operator cannot be sent, bug when a node is not a Kiln node.
pub fn encode(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<u8>> {
    let (mut nodes, mut positions) = (Vec::new(), HashMap::new());
    post_order(plan, &|_| false, &mut |node| {
        let inputs = node.children().into_iter().map(|input| positions.get(&identity(input)).copied());
        let inputs = inputs.collect::<Option<Vec<u32>>>().ok_or_else(|| Error::bug("an input is missing"))?;
        positions.insert(identity(node), nodes.len() as u32);
        nodes.push(to_node(node, inputs)?);
        Ok::<_, Error>(())
    })?;
    postcard::to_stdvec(&nodes).map_err(|e| Error::bug("a plan cannot be encoded").because(e))
}

/// Deserialises a plan that [`encode`] wrote in another process of the same binary.
///
/// # Errors
/// Of class bug when the bytes are not a plan of this binary.
pub fn decode(bytes: &[u8]) -> Result<Arc<dyn ExecutionPlan>> {
    let nodes: Vec<Node> =
        postcard::from_bytes(bytes).map_err(|e| Error::bug("a plan cannot be decoded").because(e))?;
    let mut plans = Vec::with_capacity(nodes.len());
    for node in nodes {
        let plan = from_node(node, &plans)?;
        plans.push(plan);
    }
    plans.pop().ok_or_else(|| Error::bug("a plan without nodes was sent"))
}

fn to_node(plan: &Arc<dyn ExecutionPlan>, inputs: Vec<u32>) -> Result<Node> {
    let partitions = plan.properties().partitioning.partition_count() as u64;
    let only = || inputs.first().copied().ok_or_else(|| Error::bug("an input is missing"));
    if let Some(node) = plan.downcast_ref::<OperatorExec>() {
        let mut params = ParamWriter::default();
        node.operator.ship(&mut params)?;
        let entry = node.operator.entry().ok_or_else(no_table)?;
        return Ok(Node::Operator { entry, params: params.finish(), partitions, inputs });
    }
    if let Some(node) = plan.downcast_ref::<ExchangeReadExec>() {
        // The tracker numbers the columns' dictionaries; without it a schema with dictionaries cannot be
        // encoded.
        let mut dictionaries = DictionaryTracker::new(false);
        let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut dictionaries);
        let schema = encoder.schema_to_fb(&plan.schema()).finished_data().to_vec();
        return Ok(Node::Read { exchange: node.id, schema, partitions });
    }
    if plan.is::<UnionExec>() {
        return Ok(Node::Union { inputs });
    }
    if let Some(node) = plan.downcast_ref::<PartitionsExec>() {
        let (first, end) = (node.range.start as u64, node.range.end as u64);
        return Ok(Node::Partitions { first, end, input: only()? });
    }
    if plan.is::<ContinuedExec>() {
        return Ok(Node::Continued { input: only()? });
    }
    Err(Error::bug(format!("{} cannot run on executors yet", plan.name())))
}

fn no_table() -> Error {
    Error::config("executors need Linux on x86-64 or aarch64").help("run with KILN_CLUSTER=local")
}

/// Creates a node over its inputs, which are among the earlier `plans`.
fn from_node(node: Node, plans: &[Arc<dyn ExecutionPlan>]) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = |at: u32| {
        let plan = plans.get(at as usize).map(Arc::clone);
        plan.ok_or_else(|| Error::bug(format!("a plan has no node {at} before its own")))
    };
    let all = |inputs: Vec<u32>| inputs.into_iter().map(plan).collect::<Result<Vec<_>>>();
    Ok(match node {
        Node::Operator { entry, params, partitions, inputs } => {
            Arc::new(OperatorExec::new(rebuild(entry, &params)?, all(inputs)?, partitions as usize))
        }
        Node::Read { exchange, schema, partitions } => {
            let schema = arrow::ipc::root_as_schema(&schema)
                .map_err(|e| Error::bug(format!("a schema cannot be decoded: {e}")))?;
            let schema: Schema = arrow::ipc::convert::fb_to_schema(schema);
            Arc::new(ExchangeReadExec::new(exchange, Arc::new(schema), partitions as usize))
        }
        Node::Partitions { first, end, input } => {
            Arc::new(PartitionsExec::new(plan(input)?, first as usize..end as usize))
        }
        Node::Union { inputs } => union(all(inputs)?)?,
        Node::Continued { input } => Arc::new(ContinuedExec::new(plan(input)?)),
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
