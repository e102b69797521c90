//! A module of handlers, in four steps: tokens → items → checked blueprint → tokens. A type with handlers is in `object`.

mod agreement;
mod assertions;
mod expand;
mod file_module;
mod item;
mod model;
mod object;
mod of;
mod parse;
mod root;
mod scope;
mod typed_caller;
mod validate;

pub(crate) use of::expand as expand_of;

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::attr::Arguments;
use crate::mistakes::Mistakes;
use crate::private::Private;

/// Expands `#[blueprint("users")]`.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    expand_with(Private::of_service(), arguments, item)
}

fn expand_with(private: Private, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    if let Some(ident) = parse::name_of_file_module(item) {
        let why = format!("the body of `{ident}` is in another file: remove the attribute and");
        let advice = file_module::advice(&ident, &why);
        return quote!(#item #advice);
    }
    let mut mistakes = Mistakes::default();
    let mut arguments = Arguments::read(arguments, "blueprint", Span::call_site(), &mut mistakes);
    let root = arguments.root(&mut mistakes);
    if object::is_impl(item) {
        return object::expand(&private.under(root), arguments, item, mistakes);
    }
    let module = match syn::parse2::<parse::Module>(item.clone()) {
        Ok(module) => root::hand_on(root.as_ref(), module),
        Err(error) => {
            mistakes.add(error);
            let mistakes = mistakes.into_tokens();
            return quote!(#item #mistakes);
        }
    };
    let private = private.under(root);
    let blueprint = validate::validate(arguments, module, &private, &mut mistakes);
    expand::expand(&private, &blueprint, mistakes)
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::expand_with;
    use crate::private::Private;

    fn expand(arguments: TokenStream, item: &TokenStream) -> String {
        expand_with(Private::for_test(), arguments, item).to_string()
    }

    #[test]
    fn what_it_makes_of_a_module_is_rust() {
        let tokens = expand_with(
            Private::for_test(),
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
