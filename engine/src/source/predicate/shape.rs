//! Limits the depth of a filter's expression, so that recursion over it does not overflow the stack.
//!
//! Users build expressions in loops, and everything later recurses over them: the conversion, the
//! serialization, DataFusion's pruning and the evaluation. So a chain of `and`, or of `or`, is turned into a
//! balanced tree, which has the same result for every row and a depth of the logarithm of the chain's length.
//! Other nesting has a limit.

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::{BinaryExpr, Expr, Operator};

use crate::error::{Error, Result};

/// The most levels of an expression; a chain of `and`, or of `or`, counts as one level.
const MAX_LEVELS: usize = 100;

/// The same filter, as a tree that is safe for recursion.
///
/// # Errors
/// Of class config when it nests too deeply.
pub fn balanced(filter: Expr) -> Result<Expr> {
    if !is_walkable(&filter)? {
        dismantle(filter);
        let text = format!("the filter nests more than {MAX_LEVELS} levels deep");
        return Err(Error::config(text).help(
            "a chain of `and`, or of `or`, is one level and may be long; use `Dataset::filter` for the rest",
        ));
    }
    Ok(balance(filter)?)
}

/// Combines `parts` in pairs, in their order.
fn combined<T>(mut parts: Vec<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    while parts.len() > 1 {
        let mut halves = Vec::with_capacity(parts.len().div_ceil(2));
        let mut left = parts.into_iter();
        while let Some(first) = left.next() {
            halves.push(match left.next() {
                Some(second) => both(first, second),
                None => first,
            });
        }
        parts = halves;
    }
    parts.pop()
}

/// The operator of a chain, whose grouping does not matter.
fn chain(expr: &Expr) -> Option<Operator> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) => Some(*op),
        _ => None,
    }
}

fn is_walkable(filter: &Expr) -> Result<bool> {
    let mut left = vec![(filter, 0)];
    while let Some((expr, level)) = left.pop() {
        if level > MAX_LEVELS {
            return Ok(false);
        }
        let op = chain(expr);
        expr.apply_children(|inner| {
            let is_same_chain = op.is_some() && chain(inner) == op;
            left.push((inner, if is_same_chain { level } else { level + 1 }));
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(true)
}

fn balance(expr: Expr) -> datafusion_common::Result<Expr> {
    let Some(op) = chain(&expr) else {
        return Ok(expr.map_children(|inner| balance(inner).map(Transformed::yes))?.data);
    };
    let (mut parts, mut left) = (Vec::new(), vec![expr]);
    while let Some(expr) = left.pop() {
        match expr {
            Expr::BinaryExpr(binary) if binary.op == op => left.extend([*binary.right, *binary.left]),
            part => parts.push(balance(part)?),
        }
    }
    let both = |a, b| Expr::BinaryExpr(BinaryExpr::new(Box::new(a), op, Box::new(b)));
    Ok(combined(parts, both).unwrap_or_default())
}

/// Drops an expression level by level; DataFusion would drop it recursively.
fn dismantle(filter: Expr) {
    let mut left = vec![filter];
    while let Some(expr) = left.pop() {
        let _ = expr.map_children(|inner| {
            left.push(inner);
            Ok(Transformed::yes(Expr::default()))
        });
    }
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{col, lit, not};

    use super::*;
    use crate::error::Class;
    use crate::source::Predicate;

    const DEEP: usize = 100_000;

    /// The depth of `filter` for a recursive traversal.
    fn levels(filter: &Expr) -> usize {
        let (mut deepest, mut left) = (0, vec![(filter, 1)]);
        while let Some((expr, level)) = left.pop() {
            deepest = deepest.max(level);
            let next = |inner| {
                left.push((inner, level + 1));
                Ok(TreeNodeRecursion::Continue)
            };
            expr.apply_children(next).unwrap();
        }
        deepest
    }

    #[test]
    fn long_chains_on_either_side_become_flat_and_keep_their_order() {
        let part = |n: usize| col("a").eq(lit(n as u64));
        for both in [Expr::and, Expr::or] {
            let left = (1..DEEP).fold(part(0), |chain, n| both(chain, part(n)));
            let right = (0..DEEP - 1).rev().fold(part(DEEP - 1), |chain, n| both(part(n), chain));
            let (left, right) = (balanced(left).unwrap(), balanced(right).unwrap());
            assert!(levels(&left) < 25 && left == right, "{} levels", levels(&left));
            assert!(Predicate::new(&left).unwrap().to_string().contains("a = 0 "));
        }
        let three = part(0).and(part(1)).and(part(2));
        assert_eq!(balanced(three.clone()).unwrap(), three);
    }

    #[test]
    fn what_nests_too_deeply_is_refused_and_not_walked() {
        let nested = |levels| {
            (0..levels).fold(col("a").eq(lit(1)), |filter, n| match n % 3 {
                0 => not(filter),
                1 => filter.or(col("b").eq(lit(2))),
                _ => filter.and(col("b").eq(lit(2))),
            })
        };
        let deep = nested(DEEP);
        let error = balanced(deep).unwrap_err();
        assert_eq!(error.class(), Class::Config);
        assert!(error.to_string().contains("levels deep"), "{error}");
        assert!(Predicate::new(&balanced(nested(90)).unwrap()).is_ok());
    }
}
