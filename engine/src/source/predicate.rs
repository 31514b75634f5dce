//! Filters given as expressions, so that a source can apply them before it reads.
//!
//! The driver converts a DataFusion expression to the small tree of this file, which is sent to the tasks,
//! because the expression itself has no serialized form here. The literals are checked against the row type
//! (`literal`) before any file is opened. The task binds the tree to the columns of one file (`on_file`),
//! which yields a [`Check`] for batches of rows and for the statistics of row groups. An expression that is
//! more than comparisons of columns and values is refused when the dataset is created.
//!
//! # Which rows pass
//!
//! There is one rule, for columns of files, for folders named `key=value`, and for row groups that are
//! skipped by statistics:
//!
//! - **A filter keeps what a closure with the same comparison keeps.** Floats compare as in Rust (IEEE 754):
//!   −0.0 equals 0.0, and NaN equals nothing and is neither less nor greater than anything. So for NaN
//!   `x > 2` is false, `NOT x > 2` is true, `x = NaN` is never true, and `x != 1` is true. Texts and bytes
//!   compare byte by byte, numbers and times by their value, whatever type, unit or zone a file stores them
//!   in.
//! - **A null is unknown, as in SQL.** A comparison with a null is neither true nor false, and neither is its
//!   `NOT`; `AND` and `OR` use three-valued logic; `IN` is an `OR` of equalities and `BETWEEN` an `AND` of
//!   two comparisons. Only rows for which the whole filter is true pass. `IS NULL` and `IS NOT NULL` are true
//!   or false.
//!
//! The kernels of `arrow` and the pruning of DataFusion order floats differently (NaN above all, −0.0 below
//! 0.0), so neither is used to compare floats here.

mod check;
mod kind;
mod lit;
mod literal;
mod on_file;
mod shape;

pub use shape::balanced;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use datafusion_expr::expr::{InList, Like};
use datafusion_expr::{BinaryExpr, Expr, Operator};
use serde::{Deserialize, Serialize};

pub(super) use self::check::{Check, Operand};
pub(super) use self::kind::Kind;
pub use self::lit::{IntoLiteral, lit};
pub(super) use self::literal::Bound;
use self::literal::Literal;
pub(super) use self::on_file::OnFile;
pub use self::on_file::{RowCondition, no_column};
use crate::error::{Error, Result};

/// Decides which rows are read: those for which it is true.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Predicate {
    root: Node,
}

/// One node of the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Node {
    Column(String),
    Literal(Literal),
    Compare(Box<Node>, Comparison, Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    IsNull(Box<Node>),
    In(Box<Node>, Vec<Node>),
    Like { item: Box<Node>, pattern: Box<Node>, any_case: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

impl Comparison {
    /// Whether the comparison is true for a value with this order to the other side; NaN has no order.
    pub(super) fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Comparison::Eq => order == Some(Ordering::Equal),
            Comparison::NotEq => order != Some(Ordering::Equal),
            Comparison::Lt => order == Some(Ordering::Less),
            Comparison::LtEq => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Gt => order == Some(Ordering::Greater),
            Comparison::GtEq => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    /// The comparison with its sides swapped.
    fn swapped(self) -> Comparison {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::LtEq => Comparison::GtEq,
            Comparison::Gt => Comparison::Lt,
            Comparison::GtEq => Comparison::LtEq,
            same => same,
        }
    }

    fn is_order(self) -> bool {
        !matches!(self, Comparison::Eq | Comparison::NotEq)
    }
}

impl Predicate {
    /// The filter for `expr`.
    ///
    /// # Errors
    /// Of class config for an expression that a source cannot apply.
    pub fn new(expr: &Expr) -> Result<Predicate> {
        Ok(Predicate { root: node(expr)? })
    }

    /// This filter combined with the one for `expr` by AND.
    ///
    /// # Errors
    /// As [`Predicate::new`].
    pub fn and(self, expr: &Expr) -> Result<Predicate> {
        // The tree has one level for any number of filters.
        let mut parts = match self.root {
            Node::All(parts) => parts,
            root => vec![root],
        };
        parts.push(node(expr)?);
        Ok(Predicate { root: Node::All(parts) })
    }

    /// The columns that it looks at.
    pub fn columns(&self) -> BTreeSet<&str> {
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
            Node::Literal(_) => {}
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().for_each(|node| node.columns(names)),
            Node::Not(node) | Node::IsNull(node) => node.columns(names),
            Node::In(item, list) => {
                item.columns(names);
                list.iter().for_each(|node| node.columns(names));
            }
            Node::Compare(a, _, b) | Node::Like { item: a, pattern: b, .. } => {
                a.columns(names);
                b.columns(names);
            }
        }
    }
}

/// The condition for `expr`; [`balanced`] has limited its nesting.
fn node(expr: &Expr) -> Result<Node> {
    let boxed = |expr: &Expr| node(expr).map(Box::new);
    Ok(match expr {
        Expr::Alias(alias) => node(&alias.expr)?,
        Expr::Column(column) => Node::Column(column.name.clone()),
        Expr::Literal(value, _) => Node::Literal(Literal::new(value)?),
        Expr::BinaryExpr(binary) => binary_node(expr, binary)?,
        Expr::Not(inner) => Node::Not(boxed(inner)?),
        Expr::IsNull(inner) => Node::IsNull(boxed(inner)?),
        Expr::IsNotNull(inner) => Node::Not(Box::new(Node::IsNull(boxed(inner)?))),
        Expr::Between(between) => {
            let low = Node::Compare(boxed(&between.expr)?, Comparison::GtEq, boxed(&between.low)?);
            let high = Node::Compare(boxed(&between.expr)?, Comparison::LtEq, boxed(&between.high)?);
            negated_if(between.negated, Node::All(vec![low, high]))
        }
        Expr::InList(InList { expr, list, negated }) => {
            let list = list.iter().map(node).collect::<Result<_>>()?;
            negated_if(*negated, Node::In(boxed(expr)?, list))
        }
        Expr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive }) => {
            let (item, pattern) = (boxed(expr)?, boxed(pattern)?);
            negated_if(*negated, Node::Like { item, pattern, any_case: *case_insensitive })
        }
        other => return Err(refused(&other.to_string())),
    })
}

fn negated_if(is_negated: bool, node: Node) -> Node {
    if is_negated { Node::Not(Box::new(node)) } else { node }
}

fn binary_node(expr: &Expr, binary: &BinaryExpr) -> Result<Node> {
    let comparison = match binary.op {
        Operator::And | Operator::Or => {
            let parts = chained(expr, binary.op).into_iter().map(node);
            let parts = parts.collect::<Result<_>>()?;
            return Ok(if binary.op == Operator::And { Node::All(parts) } else { Node::Any(parts) });
        }
        Operator::Eq => Comparison::Eq,
        Operator::NotEq => Comparison::NotEq,
        Operator::Lt => Comparison::Lt,
        Operator::LtEq => Comparison::LtEq,
        Operator::Gt => Comparison::Gt,
        Operator::GtEq => Comparison::GtEq,
        other => return Err(refused(&other.to_string())),
    };
    let side = |expr| node(expr).map(Box::new);
    Ok(Node::Compare(side(&binary.left)?, comparison, side(&binary.right)?))
}

/// The conditions of `a AND b AND c`, which the expression nests, as a list: a long chain must not become a
/// deep tree.
fn chained(expr: &Expr, op: Operator) -> Vec<&Expr> {
    let (mut parts, mut open) = (Vec::new(), vec![expr]);
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryExpr(binary) if binary.op == op => open.extend([&*binary.right, &*binary.left]),
            part => parts.push(part),
        }
    }
    parts
}

fn refused(part: &str) -> Error {
    Error::config(format!("a source cannot filter by `{part}`")).help(
        "it can compare columns with values, combined by and, or, not, is_null, in_list, between and like; \
         use `Dataset::filter` for the rest",
    )
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined =
            |nodes: &[Node], word: &str| nodes.iter().map(Node::in_brackets).collect::<Vec<_>>().join(word);
        match self {
            Node::Column(name) => f.write_str(name),
            Node::Literal(literal) => literal.fmt(f),
            Node::Compare(a, op, b) => write!(f, "{} {op} {}", a.in_brackets(), b.in_brackets()),
            Node::All(nodes) => f.write_str(&joined(nodes, " AND ")),
            Node::Any(nodes) => f.write_str(&joined(nodes, " OR ")),
            Node::Not(inner) => match &**inner {
                Node::IsNull(item) => write!(f, "{} IS NOT NULL", item.in_brackets()),
                inner => write!(f, "NOT {}", inner.in_brackets()),
            },
            Node::IsNull(item) => write!(f, "{} IS NULL", item.in_brackets()),
            Node::In(item, list) => write!(f, "{} IN ({})", item.in_brackets(), joined(list, ", ")),
            Node::Like { item, pattern, any_case } => {
                let word = if *any_case { "ILIKE" } else { "LIKE" };
                write!(f, "{} {word} {}", item.in_brackets(), pattern.in_brackets())
            }
        }
    }
}

impl Node {
    fn in_brackets(&self) -> String {
        match self {
            Node::All(_) | Node::Any(_) => format!("({self})"),
            simple => simple.to_string(),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Eq => "=",
            Comparison::NotEq => "!=",
            Comparison::Lt => "<",
            Comparison::LtEq => "<=",
            Comparison::Gt => ">",
            Comparison::GtEq => ">=",
        })
    }
}
