// A result that borrows from its row: the note names the `_to` method.
fn main() {
    let cx = kiln::Context::local(1);
    let lines = cx.parallelize(["a b".to_owned()]);
    let pairs = cx.parallelize([("a".to_owned(), 1u64)]);
    let _ = lines.clone().map(|w| (w, 1));
    let _ = pairs.clone().map(|(k, v)| (v, k));
    let _ = lines.clone().map(str::trim);
    let _ = lines.key_by(|l| l.trim());
    let _ = pairs.map_values(|n| n).map(|(k, _)| k);
}
