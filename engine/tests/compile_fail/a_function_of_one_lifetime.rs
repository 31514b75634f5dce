// rustc has no custom messages for lifetime errors: `docs/from-spark.md` describes the fix, a closure.
fn main() {
    let cx = kiln::Context::local(1);
    let lines = cx.parallelize(["a b".to_owned()]);
    let _ = lines.map(String::from);
}
