//! What people read when they get an attribute wrong. Each file in `ui/` is compiled and its errors are compared with
//! the `.stderr` beside it; `TRYBUILD=overwrite cargo test -p daebus-tests --test ui` writes them anew.

#[test]
fn mistakes_are_answered_with_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/*.rs");
}
