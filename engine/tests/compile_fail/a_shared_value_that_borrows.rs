// A shared value is sent to other processes. Lifetime errors have no custom text, but name the trait.
fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.share("abc");
}
