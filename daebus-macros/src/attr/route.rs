//! `#[route("/devices/<device_id>", methods = ["GET", "POST"], status = 201, timeout = "2s", concurrency = 8, cancel_on_disconnect = false)]`.

use std::time::Duration;

use syn::{Expr, Lit, LitStr};

use super::arguments::Arguments;
use super::duration_argument;
use super::literal::{literal, ungrouped};
use super::pattern::parameters;
use crate::mistakes::Mistakes;
use crate::suggestion::suggestion;

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
    pub(crate) concurrency: Option<usize>,
    pub(crate) cancel_on_disconnect: Option<bool>,
    pub(crate) layer: Option<Expr>,
}

impl Route {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let pattern = arguments.first("the path", "\"/users/<id>\"", mistakes);
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
        let concurrency = arguments.count("concurrency", mistakes);
        let cancel_on_disconnect = arguments.truth("cancel_on_disconnect", mistakes);
        let expected =
            "`layer` is an expression whose value is a tower layer: `layer = from_fn(require_admin)`";
        let layer = arguments.expr("layer", expected, mistakes);
        arguments.finish(mistakes);
        let pattern = pattern?;
        match parameters(&pattern.value()) {
            Ok(parameters) => Some(Self {
                pattern,
                parameters,
                methods,
                status,
                timeout,
                concurrency,
                cancel_on_disconnect,
                layer,
            }),
            Err(reason) => {
                mistakes.on(&pattern, reason);
                None
            }
        }
    }
}

fn number(expr: &Expr) -> Option<u16> {
    match literal(expr) {
        Some(Lit::Int(number)) => number.base10_parse().ok(),
        _ => None,
    }
}

fn methods(list: &Expr, expected: &str, mistakes: &mut Mistakes) -> Vec<LitStr> {
    let Expr::Array(array) = ungrouped(list) else {
        mistakes.on(list, expected);
        return Vec::new();
    };
    if array.elems.is_empty() {
        mistakes.on(list, "a route without a method is never reached; leave `methods` out for GET");
    }
    let mut methods: Vec<LitStr> = Vec::new();
    for element in &array.elems {
        let Some(Lit::Str(method)) = literal(element) else {
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
