//! A trait that says what a service and its callers agree on: tokens → methods → checked contract → tokens.

mod actions;
mod check;
mod expand;
mod generated_names;
mod model;
mod parse;
mod validate;

pub(crate) use check::{Offer, expand as expand_check};

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::attr::Arguments;
use crate::mistakes::Mistakes;
use crate::private::Private;

/// Expands `#[contract("user_service")]`.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    expand_with(Private::of_caller(), arguments, item)
}

fn expand_with(private: Private, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut arguments = Arguments::read(arguments, "contract", Span::call_site(), &mut mistakes);
    let private = private.under(arguments.root(&mut mistakes));
    let declaration = match syn::parse2::<parse::Declaration>(item.clone()) {
        Ok(declaration) => declaration,
        Err(error) => {
            mistakes.add(error);
            let mistakes = mistakes.into_tokens();
            return quote!(#item #mistakes);
        }
    };
    let contract = validate::validate(arguments, declaration, &private, &mut mistakes);
    expand::expand(&private, &contract, mistakes)
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream;
    use quote::quote;

    use super::expand_with;
    use crate::private::Private;

    fn check(arguments: TokenStream, item: &TokenStream, mistakes: usize) -> String {
        let tokens = expand_with(Private::for_test(), arguments, item);
        let text = tokens.to_string();
        assert!(syn::parse2::<syn::File>(tokens).is_ok(), "{text}");
        assert_eq!(text.matches("compile_error").count(), mistakes, "{text}");
        text
    }

    #[test]
    fn a_contract_becomes_a_caller() {
        let text = check(
            quote!("user_service"),
            &quote! {
                /// People.
                pub trait Users {
                    /// Finds one.
                    #[action("get_user", idempotent)]
                    async fn get_user(query: GetUser) -> Result<User, UserError>;
                    #[action("import", progress = Imported)]
                    async fn import(rows: Vec<NewUser>) -> io::Result<Imported>;
                    #[event("user_events")]
                    fn user_event(event: UserEvent);
                }
            },
            0,
        );
        for expected in
            ["struct UsersCaller", "fn get_user (& self , query : & GetUser)", "fn on_user_event (& self)"]
        {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn mistakes_are_reported_together() {
        check(
            quote!("a.responses", colour = 1),
            &quote! {
                pub unsafe trait Users<T>: Send {
                    const X: u8;
                    fn nothing();
                    #[action("a", timeout = "2s")]
                    async fn a(&self, q: u8);
                    #[action("a")]
                    fn b(q: u8, r: u8) {}
                    #[event("x.*")]
                    async fn event() -> u8;
                    #[action("new")]
                    async fn new(q: &str) -> impl Send;
                    #[action("g")]
                    async fn g<U>(u: U);
                }
            },
            19,
        );
    }
}
