// About lifetimes rustc accepts no words of ours: `docs/from-spark.md` has the cure, a closure.
fn main() {
    let cx = kiln::Context::local(1);
    let lines = cx.parallelize(["a b".to_owned()]);
    let _ = lines.map(String::from);
}
