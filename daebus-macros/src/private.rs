//! How generated code names the framework.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

/// The crate whose `__private` module generated code names, under the name it has in the user's `Cargo.toml`.
///
/// Absolute, so that nothing in the user's scope can stand in its way.
pub(crate) struct Private(String);

impl Private {
    /// For what answers: `daebus`.
    pub(crate) fn of_service() -> Self {
        Self(find("daebus").unwrap_or_else(|| "daebus".to_owned()))
    }

    /// For what is said: `daebus-caller` where it is a dependency, since it may be there without `daebus`.
    pub(crate) fn of_caller() -> Self {
        Self(find("daebus-caller").or_else(|| find("daebus")).unwrap_or_else(|| "daebus".to_owned()))
    }

    /// `::daebus::__private`.
    pub(crate) fn here(&self) -> TokenStream {
        self.at(Span::call_site())
    }

    /// The same, so that an error about what follows shows up at `span`.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        // Resolved where the macro was called: with the user's own span the edition of a `macro_rules!` that
        // wrote those tokens could have a say in what `::name` means.
        let span = Span::call_site().located_at(span);
        let name = Ident::new(&self.0, span);
        quote_spanned!(span=> ::#name::__private)
    }

    /// Unit tests have no manifest to look at.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self("daebus".to_owned())
    }
}

/// The name that the crate being compiled has given to `package`. A crate sees itself under its own name
/// (`extern crate self as daebus`), as its examples and documentation tests do.
fn find(package: &str) -> Option<String> {
    match crate_name(package) {
        Ok(FoundCrate::Itself) => Some(package.replace('-', "_")),
        Ok(FoundCrate::Name(name)) => Some(name),
        Err(_) => None,
    }
}
