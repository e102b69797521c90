//! One argument in the parentheses of an attribute.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{Expr, Ident, Lit, Path, Token, Type};

use super::literal::literal;

/// Keys whose value is a type; every other value is read as an expression.
const TYPE_KEYS: [&str; 6] = ["payload", "answer", "error", "progress", "tell", "ask"];

/// Keys whose value is a path.
const PATH_KEYS: [&str; 3] = ["contract", "crate", "event"];

/// `"get_user"`, `idempotent` or `timeout = "2s"`.
pub(crate) struct Argument {
    pub(crate) key: Option<Ident>,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// A key alone.
    Flag,
    Expr(Expr),
    Type(Type),
    Path(Path),
}

impl Argument {
    pub(super) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let keyed = input.peek(Ident::peek_any) && (input.peek2(Token![=]) || input.peek2(Token![,]));
        let alone =
            input.peek(Ident::peek_any) && input.cursor().token_tree().is_some_and(|(_, rest)| rest.eof());
        if !keyed && !alone {
            return Ok(Self { key: None, value: Value::Expr(input.parse()?) });
        }
        let key = Ident::parse_any(input)?;
        if !input.peek(Token![=]) {
            return Ok(Self { key: Some(key), value: Value::Flag });
        }
        input.parse::<Token![=]>()?;
        let value = if TYPE_KEYS.iter().any(|known| key == known) {
            Value::Type(input.parse()?)
        } else if PATH_KEYS.iter().any(|known| key == known) {
            Value::Path(input.parse()?)
        } else {
            Value::Expr(input.parse()?)
        };
        Ok(Self { key: Some(key), value })
    }

    /// The tokens that a message about the argument as a whole points at.
    pub(super) fn span(&self) -> Span {
        match (&self.key, &self.value) {
            (Some(key), _) => key.span(),
            (None, Value::Expr(expr)) => expr.span(),
            (None, Value::Type(ty)) => ty.span(),
            (None, Value::Path(path)) => path.span(),
            (None, Value::Flag) => Span::call_site(),
        }
    }
}

impl Value {
    pub(super) fn literal(&self) -> Option<&Lit> {
        if let Self::Expr(expr) = self { literal(expr) } else { None }
    }
}
