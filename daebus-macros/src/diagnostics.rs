//! Every mistake of an item, collected and reported together.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far. Checking goes on after the first, so that one build shows them all.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<syn::Error>);

impl Mistakes {
    /// Notes a mistake on the tokens that are wrong.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake at a place.
    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new(span, message));
    }

    /// Takes over what the parser found.
    pub(crate) fn add(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    /// The value; `None` with its mistake noted.
    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// One `compile_error!` a mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.into_iter().map(syn::Error::into_compile_error).collect()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// "; did you mean `timeout`?" when one of the known words is near, else "; it takes …".
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::levenshtein(word, known), known)).min();
    match near {
        _ if known.is_empty() => "; it takes none".to_owned(),
        Some((distance, near)) if distance <= 2.max(near.len() / 3) => format!("; did you mean `{near}`?"),
        _ => format!("; it takes {}", list(known)),
    }
}

/// "`a`, `b` and `c`".
pub(crate) fn list<T: std::fmt::Display>(words: &[T]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [firsts @ .., last] => {
            let firsts: Vec<_> = firsts.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", firsts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_answered_with_the_list() {
        assert_eq!(suggestion("timout", &["timeout", "concurrency"]), "; did you mean `timeout`?");
        assert_eq!(suggestion("colour", &["timeout", "idempotent"]), "; it takes `timeout` and `idempotent`");
        assert_eq!(suggestion("anything", &[]), "; it takes none");
    }
}
