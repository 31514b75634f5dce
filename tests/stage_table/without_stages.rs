//! A program that has the table and no stage: it must link, and its table is empty.

#[path = "../../engine/src/ship/table.rs"]
#[allow(dead_code)]
mod table;

fn main() {
    assert_eq!(table::table().len(), 0);
    println!("no stages, fingerprint {}", table::fingerprint());
}
