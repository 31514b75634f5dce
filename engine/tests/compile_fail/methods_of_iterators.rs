// Methods that iterators have and datasets have not: each names what there is instead.
fn main() {
    let cx = kiln::Context::local(1);
    let numbers = cx.range(0..3);
    let _ = numbers.clone().enumerate();
    let _ = numbers.clone().chain(numbers.clone());
    let _ = numbers.clone().skip(1);
    let _ = numbers.clone().any(|n| n > 1);
    let _ = numbers.partition(|n| n > 1);
}
