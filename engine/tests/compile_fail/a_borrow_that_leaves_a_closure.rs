// About lifetimes rustc takes no words of ours: the docs of `map` and `flat_map` name the way out,
// `map_to::<String>(|line| line.trim())` and `flat_map_emit::<String>(..)`.
fn main() {
    let cx = kiln::Context::local(1);
    let lines = cx.parallelize(["a b".to_owned()]);
    let _ = lines.clone().map(|line: &str| line.trim());
    let _ = lines.flat_map(|line: &str| line.split(' '));
}
