//! Literals, also in the groups that a `macro_rules!` puts around what it passes on.

use syn::{Expr, ExprLit, Lit};

/// The literal that an expression consists of. A literal that came through a fragment of a `macro_rules!` is in a group
/// without delimiters, once for each macro that passed it on.
pub(crate) fn literal(expr: &Expr) -> Option<&Lit> {
    match ungrouped(expr) {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        _ => None,
    }
}

/// The expression in groups without delimiters.
pub(super) fn ungrouped(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}
