//! The check itself, on crates of a few lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Imports;

/// The source of a crate in a temporary folder.
struct Source(PathBuf);

impl Source {
    fn new(files: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let src = std::env::temp_dir().join(format!("daebus-imports-{}-{number}", std::process::id()));
        for (file, code) in files {
            let file = src.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, code).unwrap();
        }
        Self(src)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    Imports::of(&Source::new(files).0).cycles()
}

#[test]
fn two_files_that_import_each_other_are_a_cycle() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; fn f(_: &super::a::A) {}"),
    ]);
    assert_eq!(found, ["a.rs imports B from b.rs; b.rs imports A from a.rs"]);
}

#[test]
fn three_files_in_a_ring_are_a_cycle() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::{b::{self, B}, d::D}; pub struct A(B, D); fn f() { b::g() }"),
        ("b.rs", "use super::c::*; pub struct B(C); pub fn g() {}"),
        ("c.rs", "pub struct C; fn f() { println!(\"{}\", crate::a::A::NAME) }"),
        ("d.rs", "pub struct D;"),
    ]);
    assert_eq!(found, ["a.rs imports B, g from b.rs; b.rs imports C from c.rs; c.rs imports A from a.rs"]);
}

#[test]
fn a_reexport_leads_to_the_file_that_defines_the_item() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b; pub use a::A; pub use b::inner::{B as Renamed};"),
        ("a.rs", "pub struct A(crate::Renamed);"),
        ("b/mod.rs", "pub mod inner; pub use self::inner::B;"),
        ("b/inner.rs", "pub struct B(Box<crate::A>);"),
    ]);
    assert_eq!(found, ["a.rs imports B from b/inner.rs; b/inner.rs imports A from a.rs"]);
}

#[test]
fn a_child_may_import_from_its_parent_unless_the_parents_code_uses_the_child() {
    let child = ("a/child.rs", "use super::Shared; pub struct Child(Shared);");
    let reexport = ("a/mod.rs", "mod child; pub use child::Child; pub struct Shared;");
    assert_eq!(cycles(&[("lib.rs", "mod a;"), reexport, child]), [""; 0]);
    let usage = ("a/mod.rs", "mod child; pub use child::Child; pub struct Shared; fn f(_: Child) {}");
    let cycle = "a/child.rs imports Shared from a/mod.rs; a/mod.rs imports Child from a/child.rs";
    assert_eq!(cycles(&[("lib.rs", "mod a;"), usage, child]), [cycle]);
}

#[test]
fn tests_comments_strings_and_generated_code_import_nothing() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        (
            "b.rs",
            r#"
            //! crate::a::A
            pub struct B;
            pub(in crate::a) const TEXT: &str = "crate::a::A"; // crate::a::A
            fn generated() { quote! { crate::a::A } }
            macro_rules! exported { () => { $crate::a::A } }
            #[cfg(test)]
            fn helper() -> crate::a::A { panic!() }
            #[cfg(test)]
            mod tests { use crate::a::A; }
            "#,
        ),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn names_of_other_crates_and_of_the_function_itself_are_no_imports() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; use ::b::A as Other; pub struct A(B, Other);"),
        ("b.rs", "use std::sync::Arc; pub struct B; fn f<A>(a: A) -> Arc<A> { Self::a(); Arc::new(a) }"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn layers_see_the_files_that_an_import_goes_through() {
    let source = Source::new(&[
        ("lib.rs", "mod a; mod b; pub use b::B; pub use other::Other;"),
        ("a.rs", "use crate::{B, Other};"),
        ("b.rs", "pub struct B;"),
    ]);
    let imports = Imports::of(&source.0);
    let targets: Vec<&Path> = imports.all[Path::new("a.rs")].keys().map(PathBuf::as_path).collect();
    assert_eq!(targets, [Path::new("b.rs"), Path::new("lib.rs")]);
    assert_eq!(imports.files[Path::new("a.rs")].len(), 1);
}
