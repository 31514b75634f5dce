// A key that borrows from its row: the note names the `_to` method.
use std::cmp::Reverse;

fn main() {
    let cx = kiln::Context::local(1);
    let counts = cx.parallelize([("a".to_owned(), 1u64)]);
    let _ = counts.clone().sort_by(|(w, n)| (Reverse(n), w));
    let _ = counts.top(10, |(w, n)| (n, w));
    let _ = counts.take_ordered(3, |row| row.0);
    let _ = counts.group_by(|(w, _)| w);
}
