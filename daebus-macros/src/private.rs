//! How generated code names the framework.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::Path;

/// The crate whose `__private` module generated code names, under the name it has in the user's `Cargo.toml`.
///
/// Absolute, so that nothing in the user's scope can stand in its way.
#[derive(Clone)]
pub(crate) struct Private(Root);

#[derive(Clone)]
enum Root {
    Name(String),
    /// What `crate = path` says.
    Path(Path),
}

impl Private {
    /// For what answers: `daebus`.
    pub(crate) fn of_service() -> Self {
        Self(Root::Name(find("daebus").unwrap_or_else(|| "daebus".to_owned())))
    }

    /// For what is said: `daebus-caller` where it is a dependency, since it may be there without `daebus`.
    pub(crate) fn of_caller() -> Self {
        let name = find("daebus-caller").or_else(|| find("daebus"));
        Self(Root::Name(name.unwrap_or_else(|| "daebus".to_owned())))
    }

    /// The crate under the path of `crate = path`, if there is one.
    pub(crate) fn under(self, path: Option<Path>) -> Self {
        path.map_or(self, |path| Self(Root::Path(path)))
    }

    /// The path of the crate: `::daebus`.
    pub(crate) fn root(&self) -> TokenStream {
        self.root_at(Span::call_site())
    }

    fn root_at(&self, span: Span) -> TokenStream {
        match &self.0 {
            // Resolved where the macro was called: with the user's own span the edition of a `macro_rules!` that wrote
            // those tokens could decide what `::name` means.
            Root::Name(name) => {
                let span = Span::call_site().located_at(span);
                let name = Ident::new(name, span);
                quote_spanned!(span=> ::#name)
            }
            Root::Path(path) => located_at(path.to_token_stream(), span),
        }
    }

    /// `::daebus::__private`.
    pub(crate) fn here(&self) -> TokenStream {
        self.at(Span::call_site())
    }

    /// The same, so that an error about what follows shows up at `span`.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        let root = self.root_at(span);
        let span = Span::call_site().located_at(span);
        quote_spanned!(span=> #root::__private)
    }

    /// Unit tests have no manifest to look at.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self(Root::Name("daebus".to_owned()))
    }
}

/// The same path, so that an error about it shows up at `span`.
fn located_at(path: TokenStream, span: Span) -> TokenStream {
    let located = path.into_iter().map(|mut tree| {
        tree.set_span(tree.span().located_at(span));
        tree
    });
    located.collect()
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
