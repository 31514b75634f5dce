fn main() {
    let cx = kiln::Context::local(1);
    let ages = cx.parallelize([(1_u64, 30_u64)]);
    let nicknames = cx.parallelize([(1_u64, Some("Jo".to_owned()))]);
    let _ = ages.clone().left_outer_join(nicknames.clone());
    let _ = nicknames.clone().right_outer_join(ages.clone());
    let _ = ages.full_outer_join(nicknames);
}
