// A shared value travels to other processes: it owns what it holds.
struct Rules;

fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.share("abc");
    let _ = cx.share(Rules);
}
