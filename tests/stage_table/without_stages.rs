//! A program with the table but without stages: it must link, and its table is empty.

#[path = "../../engine/src/ship/table.rs"]
#[allow(dead_code)]
mod table;

fn main() {
    assert_eq!(table::table().len(), 0);
    println!("no stages, fingerprint {}", table::fingerprint());
}
