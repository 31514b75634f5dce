// A shared value travels to other processes: serde writes and reads it.
struct Rules;

fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.share(Rules);
}
