//! A filter that is given as an expression, so that a source can act on it before it reads.
//!
//! An expression of DataFusion's enters on the driver; what travels is the small tree of this file,
//! because an expression itself has no form on the wire here. In the task the tree meets the columns of
//! one file and leaves as a physical expression with both sides of each comparison of one type. An
//! expression that is more than comparisons of columns and values is refused when the dataset is made.

mod on_file;
mod shape;

pub use shape::balanced;

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use datafusion_common::ScalarValue;
use datafusion_expr::expr::{InList, Like};
use datafusion_expr::{BinaryExpr, Expr, Operator};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::row::ipc;

/// Which rows are read: those for which it is true.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predicate {
    root: Node,
    /// The expression as it was given, for explain.
    text: String,
    /// How many filters it is made of.
    filters: usize,
}

/// Filters of one read at most: each is a level of the tree.
const MAX_FILTERS: usize = 100;

/// One node of the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Node {
    Column(String),
    /// A value, as a batch of one row in the IPC format.
    Value(Vec<u8>),
    Compare(Box<Node>, Comparison, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    In {
        item: Box<Node>,
        list: Vec<Node>,
        negated: bool,
    },
    Like {
        item: Box<Node>,
        pattern: Box<Node>,
        negated: bool,
        any_case: bool,
    },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

impl Predicate {
    /// The filter that `expr` states.
    ///
    /// # Errors
    /// Of class config for an expression that a source cannot act on.
    pub fn new(expr: &Expr) -> Result<Predicate> {
        let text = expr.human_display().to_string();
        let root = node(expr).map_err(|e| e.at("filter", &text))?;
        Ok(Predicate { root, text, filters: 1 })
    }

    /// Both this and the filter that `expr` states.
    ///
    /// # Errors
    /// As [`Predicate::new`].
    pub fn and(self, expr: &Expr) -> Result<Predicate> {
        if self.filters == MAX_FILTERS {
            let text = format!("one read has more than {MAX_FILTERS} filters");
            return Err(Error::config(text).help("combine them by `and` into one"));
        }
        let other = Predicate::new(expr)?;
        let text = format!("{} AND {}", self.text, other.text);
        Ok(Predicate {
            root: Node::And(Box::new(self.root), Box::new(other.root)),
            text,
            filters: self.filters + 1,
        })
    }

    /// The expression as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns that it looks at.
    pub(super) fn columns(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.root.columns(&mut names);
        names
    }
}

impl Node {
    fn columns<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Node::Column(name) => {
                names.insert(name);
            }
            Node::Value(_) => {}
            Node::Compare(a, _, b) | Node::And(a, b) | Node::Or(a, b) => {
                a.columns(names);
                b.columns(names);
            }
            Node::Not(node) | Node::IsNull(node) => node.columns(names),
            Node::In { item, list, .. } => {
                item.columns(names);
                list.iter().for_each(|node| node.columns(names));
            }
            Node::Like { item, pattern, .. } => {
                item.columns(names);
                pattern.columns(names);
            }
        }
    }
}

fn node(expr: &Expr) -> Result<Node> {
    let boxed = |expr: &Expr| node(expr).map(Box::new);
    Ok(match expr {
        Expr::Alias(alias) => node(&alias.expr)?,
        Expr::Column(column) => Node::Column(column.name.clone()),
        Expr::Literal(value, _) => Node::Value(value_bytes(value)?),
        Expr::BinaryExpr(binary) => binary_node(binary)?,
        Expr::Not(inner) => Node::Not(boxed(inner)?),
        Expr::IsNull(inner) => Node::IsNull(boxed(inner)?),
        Expr::IsNotNull(inner) => Node::Not(Box::new(Node::IsNull(boxed(inner)?))),
        Expr::Between(between) => {
            let low = Node::Compare(boxed(&between.expr)?, Comparison::GtEq, boxed(&between.low)?);
            let high = Node::Compare(boxed(&between.expr)?, Comparison::LtEq, boxed(&between.high)?);
            let both = Node::And(Box::new(low), Box::new(high));
            if between.negated { Node::Not(Box::new(both)) } else { both }
        }
        Expr::InList(InList { expr, list, negated }) => {
            let list = list.iter().map(node).collect::<Result<_>>()?;
            Node::In { item: boxed(expr)?, list, negated: *negated }
        }
        Expr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive }) => Node::Like {
            item: boxed(expr)?,
            pattern: boxed(pattern)?,
            negated: *negated,
            any_case: *case_insensitive,
        },
        other => return Err(refused(&other.to_string())),
    })
}

fn binary_node(BinaryExpr { left, op, right }: &BinaryExpr) -> Result<Node> {
    let comparison = match op {
        Operator::And => return Ok(Node::And(Box::new(node(left)?), Box::new(node(right)?))),
        Operator::Or => return Ok(Node::Or(Box::new(node(left)?), Box::new(node(right)?))),
        Operator::Eq => Comparison::Eq,
        Operator::NotEq => Comparison::NotEq,
        Operator::Lt => Comparison::Lt,
        Operator::LtEq => Comparison::LtEq,
        Operator::Gt => Comparison::Gt,
        Operator::GtEq => Comparison::GtEq,
        other => return Err(refused(&other.to_string())),
    };
    Ok(Node::Compare(Box::new(node(left)?), comparison, Box::new(node(right)?)))
}

fn refused(part: &str) -> Error {
    Error::config(format!("a source cannot filter by `{part}`")).help(
        "it can compare columns with values, combined by and, or, not, is_null, in_list, between and like; \
         use `Dataset::filter` for the rest",
    )
}

fn value_bytes(value: &ScalarValue) -> Result<Vec<u8>> {
    let column = value.to_array()?;
    ipc::to_bytes(&RecordBatch::try_from_iter_with_nullable([("value", column, true)])?)
}
