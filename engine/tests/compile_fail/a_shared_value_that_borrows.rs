// A shared value travels to other processes. rustc lets no words be put to a lifetime: the trait's name says it.
fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.share("abc");
}
