//! Common mistakes of users: each is a compile error that explains what to do instead.
//!
//! The programs are in `compile_fail`, each with the expected output of rustc. After an intended
//! change, `TRYBUILD=overwrite cargo test -p kiln --test compile_fail` updates the expected output.

#[test]
fn a_slip_is_a_compile_error_that_says_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
