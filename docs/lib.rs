//! The code of the book. Each chapter is the documentation of a module, so that `cargo test -p daebus-docs --doc` compiles and
//! runs its Rust code.
//!
//! To read the book, open `docs/src/SUMMARY.md`, or `mdbook serve docs`.

/// Includes the chapters for documentation tests only: as rustdoc pages, their links to each other would be broken.
macro_rules! chapters {
    ($($name:ident)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("src/", stringify!($name), ".md"))]
            pub mod $name {}
        )*
    };
}

chapters! {
    start handlers extractors blueprints calling streams workflows errors http websockets browsers schedules features configuration
    deployment testing scaling operating performance python protocol
}

// Chapters whose file names aren't Rust identifiers.
#[cfg(doctest)]
#[doc = include_str!("src/python-surface.md")]
pub mod python_surface {}

#[cfg(doctest)]
#[doc = include_str!("src/seeds.md")]
pub mod seeds {}

#[cfg(doctest)]
#[doc = include_str!("src/wire-behaviours.md")]
pub mod wire_behaviours {}

// The README files of the crates and of the repository.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../daebus/README.md")]
#[doc = include_str!("../daebus-caller/README.md")]
pub mod readme {}
