// A shared value is sent to other processes, serialized with serde.
struct Rules;

fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.share(Rules);
}
