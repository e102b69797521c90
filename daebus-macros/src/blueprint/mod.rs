//! A module of handlers, in four steps: tokens → items → checked blueprint → tokens.

mod agreement;
mod assertions;
mod expand;
mod model;
mod of;
mod parse;
mod scope;
mod validate;

pub(crate) use of::expand as expand_of;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

use crate::attr::Arguments;
use crate::mistakes::Mistakes;
use crate::private::Private;

/// Expands `#[blueprint("users")]`.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    expand_with(&Private::of_service(), arguments, item)
}

fn expand_with(private: &Private, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    if let Some(ident) = parse::name_of_file_module(item) {
        let advice = file_module_advice(&ident);
        return quote!(#item #advice);
    }
    let mut mistakes = Mistakes::default();
    let arguments = Arguments::read(arguments, "blueprint", Span::call_site(), &mut mistakes);
    let module = match syn::parse2::<parse::Module>(item.clone()) {
        Ok(module) => module,
        Err(error) => {
            mistakes.add(error);
            let mistakes = mistakes.into_tokens();
            return quote!(#item #mistakes);
        }
    };
    let blueprint = validate::validate(arguments, module, private, &mut mistakes);
    expand::expand(private, &blueprint, mistakes)
}

/// The use of a deprecated item whose note says what to write, so that rustc shows it as a warning.
///
/// rustc reports E0658 on an attribute macro on a module in a file of its own, and a second error would be one too many.
/// Once rust-lang/rust#54727 is stable, the module compiles without mounting any of its handlers, so this must become an
/// error again. `tests/ui/blueprint_of_a_file.stderr` pins E0658: that test fails when it is gone.
fn file_module_advice(ident: &Ident) -> TokenStream {
    let note = format!(
        "`#[blueprint]` needs the module's body, and the body of `{ident}` is in another file: remove the attribute and \
         collect the handlers in that file: \
         `pub fn blueprint() -> Blueprint {{ blueprint_of![\"{ident}\"; get_user, create_user] }}`"
    );
    let name = Ident::new("blueprint_in_another_file", ident.span());
    quote! {
        const _: () = {
            #[deprecated(note = #note)]
            #[allow(non_upper_case_globals)]
            const #name: () = ();
            #name
        };
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::expand_with;
    use crate::private::Private;

    fn expand(arguments: TokenStream, item: &TokenStream) -> String {
        expand_with(&Private::for_test(), arguments, item).to_string()
    }

    #[test]
    fn what_it_makes_of_a_module_is_rust() {
        let tokens = expand_with(
            &Private::for_test(),
            quote!("users"),
            &quote! {
                pub mod users {
                    #![allow(dead_code)]
                    use super::*;
                    /// Answers.
                    #[action("get_user")]
                    #[cfg(unix)]
                    pub async fn get_user(Payload(query): Payload<GetUser>) -> Result<User, UserError> { it() }
                    #[listen("user_events")]
                    fn heard() {}
                }
            },
        );
        let file = syn::parse2::<syn::File>(tokens);
        assert!(file.is_ok(), "{:?}", file.err());
    }

    #[test]
    fn mistakes_of_the_module_are_reported_together() {
        let tokens = expand(
            quote!(users, contrct = Users),
            &quote! {
                mod users {
                    struct Caller;
                    fn blueprint() {}
                    #[action("a")] fn a() {}
                    #[action("a")] fn b() {}
                    mod inner { #[action("c")] fn c() {} }
                }
            },
        );
        assert_eq!(tokens.matches("compile_error").count(), 6, "{tokens}");
    }
}
