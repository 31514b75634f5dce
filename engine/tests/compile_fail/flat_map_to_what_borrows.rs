// Items that borrow from their row: the note names the method for functions and the one for closures.
fn main() {
    let cx = kiln::Context::local(1);
    let lines = cx.parallelize(["a b".to_owned()]);
    let _ = lines.clone().flat_map(|l| l.split_whitespace());
    let _ = lines.clone().flat_map(str::split_whitespace);
    let _ = lines.flat_map(|l| l.len());
}
