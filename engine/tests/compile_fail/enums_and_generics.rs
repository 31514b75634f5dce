#[derive(kiln::Row, Clone, Copy)]
enum Shape {
    Point,
    Circle(f64),
}

#[derive(kiln::Row)]
struct Tagged<T> {
    tag: u8,
    value: T,
}

fn main() {}
