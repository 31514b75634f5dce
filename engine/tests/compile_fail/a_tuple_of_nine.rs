fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.parallelize([(1, 2, 3, 4, 5, 6, 7, 8, 9)]);
}
