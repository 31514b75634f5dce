#[derive(kiln::Row)]
struct Answer {
    given: Option<Option<u64>>,
}

fn main() {}
