use std::collections::HashMap;

#[derive(kiln::Row)]
struct Point {
    x: f64,
}

fn main() {
    let cx = kiln::Context::local(1);
    let points = cx.parallelize([(Point { x: 0.5 }, 1_u64)]);
    let _ = points.reduce_by_key(|a, b| a + b);
    let maps = cx.parallelize([(HashMap::from([(1_u8, 2_u8)]), 1_u64)]);
    let _ = maps.reduce_by_key(|a, b| a + b);
}
