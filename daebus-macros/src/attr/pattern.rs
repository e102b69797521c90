//! The pattern of a route's path: `/users/<id>`, `/files/<path..>`.

use std::fmt;

use syn::ext::IdentExt;
use syn::parse::Parser;

const PATTERN_EXAMPLE: &str = "`\"/users/<id>\"`";

/// Why a text is not a pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    NoLeadingSlash,
    BadCharacter(char),
    Query,
    DoubleSlash,
    DotSegment(String),
    /// `:id` or `{id}`, as other routers write a parameter.
    ForeignParameter(String),
    /// A parameter that shares its segment with other text.
    PartialSegment(String),
    /// `<int:id>`.
    TypedParameter {
        kind: String,
        name: String,
    },
    BadName(String),
    RestNotLast(String),
    Repeated(String),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeadingSlash => write!(f, "a path begins with `/`: {PATTERN_EXAMPLE}"),
            Self::BadCharacter(bad) => {
                write!(f, "a path can't contain {bad:?}; clients send it percent-encoded")
            }
            Self::Query => {
                f.write_str("a path ends before `?`: `Payload<T>` or axum's `Query<T>` reads the query")
            }
            Self::DoubleSlash => f.write_str("a path can't contain two slashes in a row"),
            Self::DotSegment(segment) => {
                write!(
                    f,
                    "clients resolve `{segment}` before they send a request, so no request has this path"
                )
            }
            Self::ForeignParameter(name) => write!(f, "a parameter is written `<{name}>`"),
            Self::PartialSegment(segment) => {
                write!(
                    f,
                    "`{segment}`: a parameter takes the whole segment from `/` to `/`, as in {PATTERN_EXAMPLE}"
                )
            }
            Self::TypedParameter { kind, name } => write!(
                f,
                "`<{kind}:{name}>`: the type of the argument decides what matches; write `<{name}>` and the argument `{name}: …`"
            ),
            Self::BadName(inside) => write!(
                f,
                "`<{inside}>` can't be the name of an argument: use letters, digits and `_`, as in {PATTERN_EXAMPLE}"
            ),
            Self::RestNotLast(name) => {
                write!(f, "`<{name}..>` takes the rest of the path, so it must come last")
            }
            Self::Repeated(name) => write!(f, "`<{name}>` is in the path twice; rename one of the two"),
        }
    }
}

/// Returns the parameters of a pattern. `daebus` checks patterns again at start-up, since a blueprint without macros can
/// have routes too; this check is the stricter one.
pub(super) fn parameters(pattern: &str) -> Result<Vec<String>, PatternError> {
    let path = pattern.strip_prefix('/').ok_or(PatternError::NoLeadingSlash)?;
    if let Some(bad) = path.chars().find(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(PatternError::BadCharacter(bad));
    }
    if path.contains(['?', '#']) {
        return Err(PatternError::Query);
    }
    let mut names: Vec<String> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if !segment.contains(['<', '>']) {
            literal(segment, is_last)?;
            continue;
        }
        let (name, is_rest) = parameter(segment)?;
        if is_rest && !is_last {
            return Err(PatternError::RestNotLast(name.to_owned()));
        }
        if names.iter().any(|other| other == name) {
            return Err(PatternError::Repeated(name.to_owned()));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Checks a segment without a parameter.
fn literal(segment: &str, is_last: bool) -> Result<(), PatternError> {
    if segment.is_empty() && !is_last {
        return Err(PatternError::DoubleSlash);
    }
    if segment == "." || segment == ".." {
        return Err(PatternError::DotSegment(segment.to_owned()));
    }
    let foreign = segment.strip_prefix(':').or_else(|| segment.strip_prefix('{')?.strip_suffix('}'));
    match foreign {
        Some(name) => Err(PatternError::ForeignParameter(name.trim_start_matches('*').to_owned())),
        None => Ok(()),
    }
}

/// The name in a segment that is a parameter, and whether it takes the rest of the path.
fn parameter(segment: &str) -> Result<(&str, bool), PatternError> {
    let inside = segment.strip_prefix('<').and_then(|segment| segment.strip_suffix('>'));
    let Some(inside) = inside.filter(|inside| !inside.contains(['<', '>'])) else {
        return Err(PatternError::PartialSegment(segment.to_owned()));
    };
    if let Some((kind, name)) = inside.split_once(':') {
        return Err(PatternError::TypedParameter { kind: kind.to_owned(), name: name.to_owned() });
    }
    let (name, is_rest) = inside.strip_suffix("..").map_or((inside, false), |name| (name, true));
    // A keyword is allowed: `<type>` is the argument `r#type`.
    if syn::Ident::parse_any.parse_str(name).is_err() {
        return Err(PatternError::BadName(inside.to_owned()));
    }
    Ok((name, is_rest))
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn returns_the_parameters_of_a_pattern() {
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
    fn errors_name_the_mistake() {
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
            ("/<rest..>/x", "must come last"),
            ("/<a>/<a>", "twice"),
        ] {
            let reason = parameters(pattern).unwrap_err().to_string();
            assert!(reason.contains(words), "{pattern}: {reason}");
        }
    }
}
