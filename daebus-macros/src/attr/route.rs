//! `#[route("/devices/<device_id>", methods = ["GET", "POST"], status = 201, timeout = "2s")]`.

use std::time::Duration;

use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Expr, ExprLit, Lit, LitStr};

use super::arguments::Arguments;
use super::duration_argument;
use crate::diagnostics::{Mistakes, suggestion};

/// What axum's router knows.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// A route, checked.
pub(crate) struct Route {
    pub(crate) pattern: LitStr,
    /// The names in the pattern, in order.
    pub(crate) parameters: Vec<String>,
    pub(crate) methods: Vec<LitStr>,
    pub(crate) status: Option<u16>,
    pub(crate) timeout: Option<Duration>,
}

impl Route {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let pattern = arguments.first("the path", "/users/<id>", mistakes);
        let expected = "methods are a list in brackets: `methods = [\"GET\", \"POST\"]`";
        let methods = match arguments.expr("methods", expected, mistakes) {
            Some(list) => methods(&list, expected, mistakes),
            None => vec![LitStr::new("GET", arguments.span)],
        };
        let expected = "`status` is that of a success, from 200 to 299: `status = 201`; an error brings its own with `derive(Fault)`";
        let status = arguments.expr("status", expected, mistakes).and_then(|expr| match number(&expr) {
            Some(status @ 200..=299) => Some(status),
            _ => {
                mistakes.on(&expr, expected);
                None
            }
        });
        let timeout = duration_argument::argument(&mut arguments, "timeout", "2s", mistakes)
            .map(|(timeout, _)| timeout);
        arguments.finish(mistakes);
        let pattern = pattern?;
        match parameters(&pattern.value()) {
            Ok(parameters) => Some(Self { pattern, parameters, methods, status, timeout }),
            Err(reason) => {
                mistakes.on(&pattern, reason);
                None
            }
        }
    }
}

fn number(expr: &Expr) -> Option<u16> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}

fn methods(list: &Expr, expected: &str, mistakes: &mut Mistakes) -> Vec<LitStr> {
    let Expr::Array(array) = list else {
        mistakes.on(list, expected);
        return Vec::new();
    };
    if array.elems.is_empty() {
        mistakes.on(list, "a route without a method is never reached; leave `methods` out for GET");
    }
    let mut methods: Vec<LitStr> = Vec::new();
    for element in &array.elems {
        let Expr::Lit(ExprLit { lit: Lit::Str(method), .. }) = element else {
            mistakes.on(element, expected);
            continue;
        };
        let text = method.value();
        let capitals = text.to_ascii_uppercase();
        if methods.iter().any(|other| other.value() == text) {
            mistakes.on(method, "this method is in the list already");
        } else if METHODS.contains(&text.as_str()) {
            methods.push(method.clone());
        } else if METHODS.contains(&capitals.as_str()) {
            mistakes.on(method, format!("methods are written in capitals: `\"{capitals}\"`"));
        } else {
            let suggestion = suggestion(&capitals, &METHODS);
            mistakes.on(method, format!("`{text}` is no method that a route can have{suggestion}"));
        }
    }
    methods
}

/// The parameters of a pattern. `daebus` checks patterns again when the service starts, for whoever mounts one without a
/// macro; this check is the stricter of the two.
fn parameters(pattern: &str) -> Result<Vec<String>, String> {
    let example = "`\"/users/<id>\"`";
    let Some(path) = pattern.strip_prefix('/') else {
        return Err(format!("a path begins with `/`: {example}"));
    };
    if let Some(bad) = path.chars().find(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(format!("a path has no {bad:?} in it; clients send it percent-encoded"));
    }
    if path.contains(['?', '#']) {
        return Err(
            "a path ends before `?`: the query is read by `Payload<T>` or axum's `Query<T>`".to_owned()
        );
    }
    let mut names: Vec<String> = Vec::new();
    let mut pieces = path.split('/').peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        if !piece.contains(['<', '>']) {
            if piece.is_empty() && !is_last {
                return Err("a path has no two slashes in a row".to_owned());
            }
            if piece == "." || piece == ".." {
                return Err(format!("clients resolve `{piece}` themselves, so this is never reached"));
            }
            if let Some(name) = piece.strip_prefix(':').or_else(|| piece.strip_prefix('{')?.strip_suffix('}'))
            {
                return Err(format!("a parameter is written `<{}>` here", name.trim_start_matches('*')));
            }
            continue;
        }
        let inside = piece.strip_prefix('<').and_then(|piece| piece.strip_suffix('>'));
        let Some(inside) = inside.filter(|inside| !inside.contains(['<', '>'])) else {
            return Err(format!("`{piece}`: a parameter is all there is from `/` to `/`, such as {example}"));
        };
        if let Some((kind, name)) = inside.split_once(':') {
            return Err(format!(
                "`<{inside}>`: the argument's type says what fits, write `<{name}>` and `{name}: …` ({kind})"
            ));
        }
        let (name, is_rest) = inside.strip_suffix("..").map_or((inside, false), |name| (name, true));
        // A keyword will do: `<type>` is the argument `r#type`.
        if syn::Ident::parse_any.parse_str(name).is_err() {
            return Err(format!(
                "`<{inside}>` can't be the name of an argument: letters, digits and `_`, such as {example}"
            ));
        }
        if is_rest && !is_last {
            return Err(format!("`<{name}..>` takes all that is left of the path, so it comes last"));
        }
        if names.iter().any(|other| other == name) {
            return Err(format!("`<{name}>` is in the path twice; give one of the two another name"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn parameters_are_read_from_patterns() {
        for (pattern, expected) in [
            ("/", &[][..]),
            ("/status", &[]),
            ("/status/", &[]),
            ("/devices/<device_id>", &["device_id"]),
            ("/<a>/x/<b>", &["a", "b"]),
            ("/files/<path..>", &["path"]),
        ] {
            assert_eq!(parameters(pattern).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_path_is_answered_with_what_to_write() {
        for (pattern, words) in [
            ("users", "begins with `/`"),
            ("/a b", "percent-encoded"),
            ("/a?b=1", "Payload"),
            ("//a", "two slashes"),
            ("/a/../b", "resolve"),
            ("/{id}", "`<id>`"),
            ("/:id", "`<id>`"),
            ("/x<id>", "from `/` to `/`"),
            ("/<id", "from `/` to `/`"),
            ("/<int:id>", "`<id>`"),
            ("/<user-id>", "letters, digits"),
            ("/<>", "letters, digits"),
            ("/<rest..>/x", "comes last"),
            ("/<a>/<a>", "twice"),
        ] {
            let reason = parameters(pattern).unwrap_err();
            assert!(reason.contains(words), "{pattern}: {reason}");
        }
    }
}
