//! The sources of a dataset, each once, with their estimated bytes.

use std::sync::Arc;

/// A set of sources. A loop combines such sets in every round, so they share common parts: adding a source to
/// a large set takes one step per bit of its number. It is the tree of Okasaki and Gill ("Fast Mergeable
/// Integer Maps", 1998).
#[derive(Clone, Debug)]
pub(super) struct Sources(Arc<Tree>);

#[derive(Debug)]
enum Tree {
    Source {
        id: u64,
        bytes: u64,
    },
    /// Sources whose numbers agree above `bit`, divided by that bit.
    Fork {
        prefix: u64,
        bit: u64,
        /// The bytes of all its sources.
        bytes: u64,
        clear: Arc<Tree>,
        set: Arc<Tree>,
    },
}

impl Sources {
    /// A set of one source.
    pub(super) fn one(id: u64, bytes: u64) -> Sources {
        Sources(Arc::new(Tree::Source { id, bytes }))
    }

    /// The union of both sets. A source in both counts once, or a loop would double it in every round.
    pub(super) fn with(&self, other: &Sources) -> Sources {
        Sources(union(&self.0, &other.0))
    }

    /// The bytes of all sources.
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes()
    }
}

impl Tree {
    fn bytes(&self) -> u64 {
        match self {
            Tree::Source { bytes, .. } | Tree::Fork { bytes, .. } => *bytes,
        }
    }

    /// The common prefix of all numbers in it, and the highest bit in which they differ.
    fn range(&self) -> (u64, u64) {
        match self {
            Tree::Source { id, .. } => (*id, 0),
            Tree::Fork { prefix, bit, .. } => (*prefix, *bit),
        }
    }
}

fn fork(bit: u64, clear: Arc<Tree>, set: Arc<Tree>) -> Arc<Tree> {
    let bytes = clear.bytes().saturating_add(set.bytes());
    Arc::new(Tree::Fork { prefix: above(bit, clear.range().0), bit, bytes, clear, set })
}

/// `id` without `bit` and all lower bits.
fn above(bit: u64, id: u64) -> u64 {
    id & !(bit | bit.wrapping_sub(1))
}

/// Recurses at most once per bit of a number, whatever the sizes.
fn union(a: &Arc<Tree>, b: &Arc<Tree>) -> Arc<Tree> {
    if Arc::ptr_eq(a, b) {
        return Arc::clone(a);
    }
    let ((a_prefix, a_bit), (b_prefix, b_bit)) = (a.range(), b.range());
    match (&**a, &**b) {
        (Tree::Fork { bit, clear, set, .. }, _) if a_bit > b_bit && above(*bit, b_prefix) == a_prefix => {
            let is_set = b_prefix & bit != 0;
            let new = union(if is_set { set } else { clear }, b);
            if is_set { replaced(a, *bit, clear, &new) } else { replaced(a, *bit, &new, set) }
        }
        (_, Tree::Fork { bit, .. }) if b_bit > a_bit && above(*bit, a_prefix) == b_prefix => union(b, a),
        (Tree::Fork { clear, set, .. }, Tree::Fork { clear: b_clear, set: b_set, .. })
            if (a_prefix, a_bit) == (b_prefix, b_bit) =>
        {
            replaced(a, a_bit, &union(clear, b_clear), &union(set, b_set))
        }
        _ if a_prefix == b_prefix => Arc::clone(a),
        _ => {
            let bit = 1 << (a_prefix ^ b_prefix).ilog2();
            let (clear, set) = if a_prefix & bit == 0 { (a, b) } else { (b, a) };
            fork(bit, Arc::clone(clear), Arc::clone(set))
        }
    }
}

/// A fork of `clear` and `set`; returns `old` if it has the same parts.
fn replaced(old: &Arc<Tree>, bit: u64, clear: &Arc<Tree>, set: &Arc<Tree>) -> Arc<Tree> {
    match &**old {
        Tree::Fork { clear: old_clear, set: old_set, .. }
            if Arc::ptr_eq(old_clear, clear) && Arc::ptr_eq(old_set, set) =>
        {
            Arc::clone(old)
        }
        _ => fork(bit, Arc::clone(clear), Arc::clone(set)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn of(ids: &[u64]) -> Sources {
        let one = |id: &u64| Sources::one(*id, bytes_of(*id));
        ids.iter().map(one).reduce(|all, one| all.with(&one)).unwrap()
    }

    fn bytes_of(id: u64) -> u64 {
        id % 1000 + 1
    }

    fn ids() -> impl Strategy<Value = Vec<u64>> {
        let id = prop_oneof![0..40u64, any::<u64>(), Just(0), Just(u64::MAX), Just(1 << 63)];
        prop::collection::vec(id, 1..60)
    }

    proptest! {
        #[test]
        fn every_source_of_both_counts_once(a in ids(), b in ids()) {
            let expected: BTreeMap<u64, u64> = a.iter().chain(&b).map(|id| (*id, bytes_of(*id))).collect();
            prop_assert_eq!(of(&a).with(&of(&b)).bytes(), expected.values().sum::<u64>());
            prop_assert_eq!(of(&b).with(&of(&a)).bytes(), expected.values().sum::<u64>());
        }
    }

    #[test]
    fn a_set_that_gains_nothing_is_the_same_set() {
        let all = of(&(0..1000).collect::<Vec<_>>());
        assert!(Arc::ptr_eq(&all.with(&of(&[17, 500, 999])).0, &all.0));
    }
}
