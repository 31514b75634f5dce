// Methods of iterators that datasets do not have: each error names the alternative.
fn main() {
    let cx = kiln::Context::local(1);
    let numbers = cx.range(0..3);
    let _ = numbers.clone().enumerate();
    let _ = numbers.clone().chain(numbers.clone());
    let _ = numbers.clone().skip(1);
    let _ = numbers.clone().any(|n| n > 1);
    let _ = numbers.partition(|n| n > 1);
}
