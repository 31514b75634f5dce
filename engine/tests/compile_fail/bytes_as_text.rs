use kiln::Bytes;
use kiln::row::Key;

fn main() {
    let slot = <Bytes as Key>::store(&[0xff, 0xfe], &mut Vec::new());
    let text: &str = <String as Key>::load(&slot, &String::new());
    println!("{text}");
}
