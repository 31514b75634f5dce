// A shared value travels to other processes. A lifetime error has no custom message: the trait's name carries it.
fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.share("abc");
}
