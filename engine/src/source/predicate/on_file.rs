//! The filter meets the columns of one file.
//!
//! A column of the file stays a column; one that the folders give, or that the file lacks, becomes
//! its constant value. Where a column is compared with a value of another type, the value is
//! converted if that loses nothing, as only then statistics of the column can be compared with it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use datafusion_expr::Operator;
use datafusion_expr::type_coercion::binary::comparison_coercion;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{
    self as physical, BinaryExpr, Column, IsNullExpr, Literal, NotExpr,
};

use super::shape::combined;
use super::{Comparison, Node, Predicate};
use crate::error::{Error, Result};
use crate::row::ipc;

type Expr = Arc<dyn PhysicalExpr>;

impl Predicate {
    /// The expression over columns of `schema`; `constant` gives the value of a column that is not in it.
    ///
    /// # Errors
    /// Of class config when a column is in neither, or two sides cannot be compared.
    pub(in crate::source) fn on_file(
        &self,
        schema: &Schema,
        constant: &dyn Fn(&str) -> Option<ScalarValue>,
    ) -> Result<Expr> {
        let expr = File { schema, constant }.expr(&self.root).map_err(|e| e.at("filter", &self.text))?;
        match expr.data_type(schema)? {
            DataType::Boolean => Ok(expr),
            other => {
                Err(Error::config(format!("the filter is {other}, expected Boolean"))
                    .at("filter", &self.text))
            }
        }
    }
}

struct File<'a> {
    schema: &'a Schema,
    constant: &'a dyn Fn(&str) -> Option<ScalarValue>,
}

impl File<'_> {
    fn expr(&self, node: &Node) -> Result<Expr> {
        Ok(match node {
            Node::Column(name) => self.column(name)?,
            Node::Value(bytes) => Arc::new(Literal::new(value(bytes)?)),
            Node::Compare(left, op, right) => {
                let (left, right) = self.same_type(self.expr(left)?, self.expr(right)?)?;
                Arc::new(BinaryExpr::new(left, op.operator(), right))
            }
            Node::And(a, b) => Arc::new(BinaryExpr::new(self.expr(a)?, Operator::And, self.expr(b)?)),
            Node::Or(a, b) => Arc::new(BinaryExpr::new(self.expr(a)?, Operator::Or, self.expr(b)?)),
            Node::Not(inner) => Arc::new(NotExpr::new(self.expr(inner)?)),
            Node::IsNull(inner) => Arc::new(IsNullExpr::new(self.expr(inner)?)),
            Node::In { item, list, negated } => self.one_of(item, list, *negated)?,
            Node::Like { item, pattern, negated, any_case } => {
                let (item, pattern) = self.same_type(self.expr(item)?, self.expr(pattern)?)?;
                physical::like(*negated, *any_case, item, pattern, self.schema)?
            }
        })
    }

    fn column(&self, name: &str) -> Result<Expr> {
        if let Some((at, _)) = self.schema.column_with_name(name) {
            return Ok(Arc::new(Column::new(name, at)));
        }
        match (self.constant)(name) {
            Some(value) => Ok(Arc::new(Literal::new(value))),
            None => Err(Error::config(format!("the filter names `{name}`, which is no column of the file"))),
        }
    }

    /// `item IN (a, b)` as `item = a OR item = b`, for which statistics of the item can be used.
    fn one_of(&self, item: &Node, list: &[Node], negated: bool) -> Result<Expr> {
        let equal = |node| {
            let (left, right) = self.same_type(self.expr(item)?, self.expr(node)?)?;
            Ok(Arc::new(BinaryExpr::new(left, Operator::Eq, right)) as Expr)
        };
        let equals = list.iter().map(equal).collect::<Result<Vec<Expr>>>()?;
        // Balanced, as a list may be long and whoever walks the expression recurses.
        let any = combined(equals, |a, b| Arc::new(BinaryExpr::new(a, Operator::Or, b)));
        let any = any.unwrap_or_else(|| Arc::new(Literal::new(ScalarValue::Boolean(Some(false)))));
        Ok(if negated { Arc::new(NotExpr::new(any)) } else { any })
    }

    /// Both sides as one type.
    fn same_type(&self, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
        let (from, to) = (left.data_type(self.schema)?, right.data_type(self.schema)?);
        if from == to {
            return Ok((left, right));
        }
        if let Some(right) = converted(&right, &from) {
            return Ok((left, right));
        }
        if let Some(left) = converted(&left, &to) {
            return Ok((left, right));
        }
        let common = comparison_coercion(&from, &to)
            .ok_or_else(|| Error::config(format!("the filter compares {from} with {to}")))?;
        let cast = |side: Expr| physical::cast(side, self.schema, common.clone());
        Ok((cast(left)?, cast(right)?))
    }
}

/// A literal as a value of `to`, if that loses nothing.
fn converted(expr: &Expr, to: &DataType) -> Option<Expr> {
    let value = expr.downcast_ref::<Literal>()?.value();
    let there = value.cast_to(to).ok()?;
    let back = there.cast_to(&value.data_type()).ok()?;
    // Text that looks like a number is not a number: "007" and 7 differ.
    let is_text = |of: &DataType| of.is_string() || matches!(of, DataType::Dictionary(..));
    (back == *value && is_text(to) == is_text(&value.data_type()))
        .then(|| Arc::new(Literal::new(there)) as Expr)
}

fn value(bytes: &[u8]) -> Result<ScalarValue> {
    let batch = ipc::from_bytes(bytes)?.pop().ok_or_else(|| Error::bug("a filter has lost its value"))?;
    Ok(ScalarValue::try_from_array(batch.column(0), 0)?)
}

impl Comparison {
    fn operator(self) -> Operator {
        match self {
            Comparison::Eq => Operator::Eq,
            Comparison::NotEq => Operator::NotEq,
            Comparison::Lt => Operator::Lt,
            Comparison::LtEq => Operator::LtEq,
            Comparison::Gt => Operator::Gt,
            Comparison::GtEq => Operator::GtEq,
        }
    }
}
