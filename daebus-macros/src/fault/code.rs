//! The code of an error: a `snake_case` word.

use heck::ToSnakeCase as _;
use syn::ext::IdentExt as _;
use syn::{Ident, LitStr};

use crate::mistakes::Mistakes;
use crate::names::RESERVED_CODES;

pub(super) fn checked_code(code: &LitStr, mistakes: &mut Mistakes) -> Option<String> {
    let word = code.value();
    if RESERVED_CODES.contains(&word.as_str()) {
        mistakes.on(code, format!("`{word}` is a code of the framework's own; {}", instead(&word)));
        return None;
    }
    if !is_code(&word) {
        let snake = word.to_snake_case();
        let suggestion = if is_code(&snake) { snake } else { "not_found".to_owned() };
        mistakes.on(code, format!("a code is one snake_case word: `code = \"{suggestion}\"`"));
        return None;
    }
    Some(word)
}

/// The code of a variant that says nothing about it.
pub(super) fn code_of_name(ident: &Ident, mistakes: &mut Mistakes) -> Option<String> {
    let code = ident.unraw().to_string().to_snake_case();
    if RESERVED_CODES.contains(&code.as_str()) {
        let message =
            format!("its code would be `{code}`, which is one of the framework's own; {}", instead(&code));
        mistakes.on(ident, message);
        return None;
    }
    if !is_code(&code) {
        mistakes.on(
            ident,
            "no snake_case code can be made of this name; say one: `#[fault(code = \"not_found\")]`",
        );
        return None;
    }
    Some(code)
}

fn instead(code: &str) -> &'static str {
    if code == "internal" {
        "write `#[fault(internal)]` if that is what it is"
    } else {
        "say another: `#[fault(code = \"…\")]`"
    }
}

/// Whether a code is an ASCII word in `snake_case`.
fn is_code(code: &str) -> bool {
    code.is_ascii()
        && code.starts_with(|first: char| first.is_ascii_lowercase())
        && code.to_snake_case() == code
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;
    use syn::Ident;

    use super::{code_of_name, is_code};
    use crate::mistakes::Mistakes;

    /// Codes go over the wire: another code for the same name breaks callers that were built before.
    #[test]
    fn variant_names_become_codes() {
        for (name, expected) in [
            ("NotFound", "not_found"),
            ("HTTPError", "http_error"),
            ("UserId2Long", "user_id2_long"),
            ("E", "e"),
            ("E2E", "e2e"),
            ("E2Big", "e2_big"),
            ("MD5SUM", "md5sum"),
            ("Md5Sum", "md5_sum"),
            ("MD5Sum", "md5_sum"),
            ("Http404", "http404"),
            ("V2", "v2"),
            ("IOError", "io_error"),
            ("OAuth2Failed", "o_auth2_failed"),
            ("IPv6Only", "i_pv6_only"),
            ("Already_Gone", "already_gone"),
            ("Already__Gone", "already_gone"),
            ("Gone_", "gone"),
            ("_Gone", "gone"),
            ("GONE", "gone"),
            ("gone", "gone"),
        ] {
            let mut mistakes = Mistakes::default();
            let code = code_of_name(&Ident::new(name, Span::call_site()), &mut mistakes);
            assert_eq!(mistakes.messages(), [""; 0], "{name}");
            assert_eq!(code.as_deref(), Some(expected), "{name}");
            assert!(is_code(expected), "{expected}");
        }
    }

    #[test]
    fn names_without_a_code_are_refused() {
        for name in ["Näher", "Ünknown", "Internal", "Overloaded", "__"] {
            let mut mistakes = Mistakes::default();
            let code = code_of_name(&Ident::new(name, Span::call_site()), &mut mistakes);
            assert_eq!(code, None, "{name}");
            assert_eq!(mistakes.len(), 1, "{name}");
        }
    }

    #[test]
    fn other_cases_are_no_codes() {
        for code in ["", "NotFound", "not-found", "_x", "x_", "a__b", "9x", "näh"] {
            assert!(!is_code(code), "{code}");
        }
    }
}
