//! A crate that passes the framework on.

/// What other crates need.
pub mod deeper {
    pub use ::daebus as framework;
}
