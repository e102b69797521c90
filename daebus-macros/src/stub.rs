//! The caller's methods, shared by blueprint and contract.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, LitStr, parse_quote};

use crate::inherited::inherited;
use crate::private::Private;

/// One action as a method: it takes the payload and returns a call.
pub(crate) struct Method {
    /// Documentation, `cfg` and `deprecated`, as the action has them.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: TokenStream,
    pub(crate) ident: Ident,
    /// The action's name on the bus.
    pub(crate) action: LitStr,
    pub(crate) payload: Option<Parameter>,
    /// The fields of the payload's struct, if the method takes each of them as an argument.
    pub(crate) fields: Vec<Parameter>,
    pub(crate) answer: TokenStream,
    /// Evaluates whether the answer is a `Result` under another name; `None` if it can't be one.
    pub(crate) is_result: Option<TokenStream>,
    /// The handler's error; `None` when it can't fail.
    pub(crate) error: Option<TokenStream>,
    pub(crate) progress: Option<TokenStream>,
    pub(crate) idempotent: bool,
    /// How the call opens a session, if it does.
    pub(crate) session: Option<SessionForm>,
}

/// A call that opens a session, or one that sends each item of a stream to an action.
#[derive(Clone)]
pub(crate) enum SessionForm {
    /// Returns a stream, and may take one.
    Streams { incoming: Option<Parameter> },
    /// Takes a stream, and returns a value.
    Takes { incoming: Parameter },
    /// A workflow, with the types of its reports and questions.
    Workflow { tell: Option<TokenStream>, ask: Option<TokenStream> },
    /// Sends each item to the action.
    Each { items: Parameter },
}

impl SessionForm {
    fn incoming(&self) -> Option<&Parameter> {
        match self {
            Self::Streams { incoming } => incoming.as_ref(),
            Self::Takes { incoming } => Some(incoming),
            Self::Workflow { .. } => None,
            Self::Each { items } => Some(items),
        }
    }
}

/// A payload, or a field of one, under its name.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: TokenStream,
}

impl Method {
    /// The method itself.
    pub(crate) fn expand(&self, private: &Private) -> TokenStream {
        let p = private.here();
        let Self { attrs, vis, ident, action, answer, idempotent, .. } = self;
        let error = remote(self.error.as_ref(), private);
        let progress = self.progress.clone().unwrap_or_else(|| quote!(#p::Value));
        let (parameters, payload) = match (&self.payload, self.fields.as_slice()) {
            (None, _) => (quote!(), quote!(&())),
            (Some(Parameter { name, ty }), []) => (quote!(#name: &#ty), quote_spanned!(ty.span()=> #name)),
            (Some(Parameter { ty, .. }), fields) => {
                let names: Vec<&Ident> = fields.iter().map(|field| &field.name).collect();
                let types = fields.iter().map(|field| &field.ty);
                (quote!(#(#names: #types),*), quote!(&#ty { #(#names),* }))
            }
        };
        if let Some(form) = &self.session {
            return self.expand_session(form, private, &(parameters, payload));
        }
        let many = (!self.fields.is_empty()).then(|| quote!(#[allow(clippy::too_many_arguments)]));
        // The types are written out once more, so that what one of them lacks is reported on it.
        let is_result = self.is_result.clone().unwrap_or_else(|| quote!(false));
        let sent = self.payload.as_ref().map_or_else(|| quote!(()), |payload| payload.ty.clone());
        let at = private.at(answer.span());
        let call = quote_spanned! {answer.span()=>
            <#answer as #at::StubAnswer<#is_result>>::call::<#error, #progress, #sent>
        };
        quote! {
            #(#attrs)*
            #many
            #vis fn #ident(&self, #parameters) -> #p::Call<#answer, #error, #progress> {
                #call(&self.caller, #action, #payload, #idempotent)
            }
        }
    }
}

impl Method {
    /// The method of a call that opens a session.
    fn expand_session(
        &self,
        form: &SessionForm,
        private: &Private,
        (parameters, payload): &(TokenStream, TokenStream),
    ) -> TokenStream {
        let p = private.here();
        let Self { attrs, vis, ident, action, answer, idempotent, .. } = self;
        let error = remote(self.error.as_ref(), private);
        let items = form.incoming().map(|Parameter { name, ty }| {
            quote!(#name: impl #p::Stream<Item = #ty> + #p::core::marker::Send + 'static)
        });
        let name = form.incoming().map(|Parameter { name, .. }| name);
        let or_value = |ty: &Option<TokenStream>| ty.clone().unwrap_or_else(|| quote!(#p::Value));
        let opens = match form {
            SessionForm::Streams { .. } => quote!(#p::Streaming<#answer, #error>),
            SessionForm::Takes { .. } => quote!(#p::Answered<#answer, #error>),
            SessionForm::Workflow { tell, ask } => {
                let (tell, ask) = (or_value(tell), or_value(ask));
                quote!(#p::Workflow<#answer, #error, #ask, #tell>)
            }
            SessionForm::Each { .. } => {
                return quote! {
                    #(#attrs)*
                    #vis fn #ident(&self, #items) -> #p::EachCall<#error> {
                        #p::Caller::__each(&self.caller, #action, #name, #idempotent)
                    }
                };
            }
        };
        let items = items.map(|items| if parameters.is_empty() { items } else { quote!(, #items) });
        let with_items = name.map(|name| quote!(.items(#name)));
        quote! {
            #(#attrs)*
            #[allow(clippy::too_many_arguments)]
            #vis fn #ident(&self, #parameters #items) -> #p::StreamCall<#opens> {
                #p::Caller::__open::<#opens>(&self.caller, #action, #payload) #with_items
            }
        }
    }

    /// The type of the payload as a contract and its blueprint compare it.
    pub(crate) fn compared_payload(&self, private: &Private) -> TokenStream {
        let p = private.here();
        let payload = self.payload.as_ref().map_or_else(|| quote!(()), |payload| payload.ty.clone());
        match self.session.as_ref().and_then(SessionForm::incoming) {
            Some(Parameter { ty, .. }) => quote!(#p::WithItems<#payload, #ty>),
            None => payload,
        }
    }

    /// The type of the answer as a contract and its blueprint compare it.
    pub(crate) fn compared_answer(&self, private: &Private) -> TokenStream {
        let p = private.here();
        let answer = &self.answer;
        match &self.session {
            Some(SessionForm::Streams { .. }) => quote!(#p::StreamOf<#answer>),
            Some(SessionForm::Workflow { .. }) => quote!(#p::WorkflowAnswer<#answer>),
            _ => answer.clone(),
        }
    }
}

/// The error that a caller gets: what the handler's error is once it has travelled.
pub(crate) fn remote(error: Option<&TokenStream>, private: &Private) -> TokenStream {
    remote_at(error, private, Span::call_site())
}

/// The same; what the compiler has to say about it shows up on the error's type, or else at `span`.
pub(crate) fn remote_at(error: Option<&TokenStream>, private: &Private, span: Span) -> TokenStream {
    match error {
        Some(error) => {
            let p = private.at(error.span());
            quote_spanned! {error.span()=>
                <#error as #p::StubError<{
                    #[allow(unused_imports)]
                    use #p::ErrorProbeFallback as _;
                    #p::ErrorProbe::<#error>::IS_FAULT
                }>>::Remote
            }
        }
        None => {
            let p = private.at(span);
            quote_spanned!(span=> #p::Fault)
        }
    }
}

/// What goes from a function onto its method: documentation (or `otherwise`), `cfg`, `deprecated`, and the lints it allows.
pub(crate) fn attributes(attrs: &[Attribute], otherwise: &str) -> Vec<Attribute> {
    let is = |attribute: &Attribute, name| attribute.path().is_ident(name);
    let mut kept: Vec<Attribute> = attrs
        .iter()
        .filter(|attribute| is(attribute, "doc") || is(attribute, "deprecated"))
        .cloned()
        .chain(inherited(attrs))
        .collect();
    if !kept.iter().any(|attribute| is(attribute, "doc")) {
        kept.push(parse_quote!(#[doc = #otherwise]));
    }
    kept
}

/// The struct with everything that doesn't depend on the actions.
pub(crate) struct Stub<'a> {
    pub(crate) doc: String,
    /// The lints that the item allows from which the stub is generated.
    pub(crate) lints: Vec<Attribute>,
    pub(crate) vis: TokenStream,
    pub(crate) ident: &'a Ident,
    /// Ways to make one, beside `new`, and constants.
    pub(crate) constructors: TokenStream,
    pub(crate) methods: Vec<TokenStream>,
}

impl Stub<'_> {
    pub(crate) fn expand(&self, private: &Private) -> TokenStream {
        let p = private.here();
        let Self { doc, lints, vis, ident, constructors, methods } = self;
        let name = ident.to_string();
        let formatter = Ident::new("formatter", Span::mixed_site());
        quote! {
            #[doc = #doc]
            #(#lints)*
            #vis struct #ident {
                caller: #p::Caller,
            }

            #[allow(dead_code)]
            impl #ident {
                #constructors

                /// Makes calls through a caller as it stands: its service, its connection, its timeout.
                pub fn new(caller: #p::Caller) -> Self {
                    Self { caller }
                }

                /// The caller behind it.
                pub fn caller(&self) -> &#p::Caller {
                    &self.caller
                }

                #(#methods)*
            }

            #[automatically_derived]
            impl #p::core::clone::Clone for #ident {
                fn clone(&self) -> Self {
                    Self { caller: #p::core::clone::Clone::clone(&self.caller) }
                }
            }

            #[automatically_derived]
            impl #p::core::fmt::Debug for #ident {
                fn fmt(&self, #formatter: &mut #p::core::fmt::Formatter<'_>) -> #p::core::fmt::Result {
                    #p::core::fmt::Formatter::write_str(#formatter, #name)
                }
            }
        }
    }
}

/// The names that every stub has taken.
pub(crate) const RESERVED_METHODS: [&str; 4] = ["new", "connect", "caller", "clone"];

/// The name of a method's parameter: the argument's own where it has one, else `payload`.
pub(crate) fn parameter_name(pattern: &syn::Pat) -> Ident {
    let ident = match pattern {
        syn::Pat::Ident(pattern) => Some(&pattern.ident),
        syn::Pat::TupleStruct(pattern) if pattern.elems.len() == 1 => match pattern.elems.first() {
            Some(syn::Pat::Ident(pattern)) => Some(&pattern.ident),
            _ => None,
        },
        _ => None,
    };
    match ident {
        Some(ident) if !ident.to_string().starts_with('_') => ident.clone(),
        _ => Ident::new("payload", Span::mixed_site()),
    }
}

/// A type as it reads in a message.
pub(crate) fn shown(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let text = text.replace(" < ", "<").replace(" >", ">").replace(" ,", ",").replace(" :: ", "::");
    text.replace("& ", "&").replace(" (", "(").replace(" :", ":").replace("( ", "(").replace(" )", ")")
}
