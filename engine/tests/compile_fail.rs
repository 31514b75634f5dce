//! What a user gets wrong at first: each a compile error that says what to do instead.
//!
//! The programs stand in `compile_fail`, each with the words of rustc that belong to it. After a
//! change on purpose, `TRYBUILD=overwrite cargo test -p kiln --test compile_fail` writes them anew.

#[test]
fn a_slip_is_a_compile_error_that_says_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
