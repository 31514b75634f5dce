struct Hit {
    url: String,
}

fn main() {
    let cx = kiln::Context::local(1);
    let _ = cx.range(0..3).map(|n| Hit { url: n.to_string() });
}
