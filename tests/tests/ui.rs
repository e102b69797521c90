//! What people read when they get an attribute wrong. Each file in `ui/` is compiled and its errors are compared with
//! the `.stderr` beside it;
//! `TRYBUILD=overwrite cargo test -p daebus-tests --test ui` writes them anew.
//! What compiles is in the other files of this folder: with a single case that has to link, trybuild would build the
//! whole tree of dependencies once more.

#[test]
fn mistakes_are_answered_with_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*.rs");
}
