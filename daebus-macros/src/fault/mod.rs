//! `derive(Fault)`: an error as the bus and a typed caller know it.

mod code;
mod expand;
mod model;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::mistakes::Mistakes;
use crate::private::Private;

/// Expands `#[derive(Fault)]`.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    expand_with(Private::of_caller(), item)
}

fn expand_with(private: Private, item: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let Some(input) = mistakes.take(syn::parse2::<DeriveInput>(item)) else {
        return mistakes.into_tokens();
    };
    let error = validate::validate(&input, &mut mistakes);
    let impls = error.map(|error| expand::expand(&private.under(error.root.clone()), &error));
    let mistakes = mistakes.into_tokens();
    quote!(#impls #mistakes)
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::expand_with;
    use crate::private::Private;

    fn check(item: TokenStream, mistakes: usize) -> String {
        let tokens = expand_with(Private::for_test(), item);
        let text = tokens.to_string();
        assert!(syn::parse2::<syn::File>(tokens).is_ok(), "{text}");
        assert_eq!(text.matches("compile_error").count(), mistakes, "{text}");
        text
    }

    #[test]
    fn codes_come_from_names_unless_they_are_given() {
        let text = check(
            quote! {
                enum UserError {
                    NotFound { id: u64 },
                    #[fault(code = "taken", status = 409)]
                    EmailTaken(String),
                    #[fault(internal)]
                    Bus(BusError),
                }
            },
            0,
        );
        assert!(text.contains(r#""not_found" , 400u16"#), "{text}");
        assert!(text.contains(r#""taken" , 409u16"#), "{text}");
        assert!(text.contains(r#"& ["not_found" , "taken"]"#), "{text}");
        assert!(
            check(
                quote!(
                    struct NoSuchRoom;
                ),
                0
            )
            .contains(r#""no_such_room""#)
        );
    }

    #[test]
    fn mistakes_are_reported_together() {
        check(
            quote! {
                #[fault(code = "x")]
                enum E<T> {
                    Overloaded,
                    #[fault(code = "NotSnake", status = 200)]
                    A,
                    #[fault(code = "b", code = "c", colour = 3)]
                    B,
                    #[fault(internal, status = 500)]
                    C(T),
                    #[fault]
                    D(#[fault(internal)] T),
                    #[fault(code = 7)]
                    F,
                }
            },
            11,
        );
        check(quote!(union U { a: u8 }), 1);
    }
}
