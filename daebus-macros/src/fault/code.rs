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
    use heck::ToSnakeCase as _;

    use super::is_code;

    #[test]
    fn variant_names_become_codes() {
        for (name, expected) in [
            ("NotFound", "not_found"),
            ("HTTPError", "http_error"),
            ("UserId2Long", "user_id2_long"),
            ("E", "e"),
            ("Already_Gone", "already_gone"),
        ] {
            assert_eq!(name.to_snake_case(), expected);
            assert!(is_code(expected), "{expected}");
        }
    }

    #[test]
    fn other_cases_are_no_codes() {
        for code in ["", "NotFound", "not-found", "_x", "x_", "a__b", "9x", "näh"] {
            assert!(!is_code(code), "{code}");
        }
    }
}
