//! Patterns of paths: `/devices/<device_id>`, `/files/<path..>`.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

use super::canonical_path::canonical_segment;
use crate::error::Mistake;

/// One piece of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Matches itself.
    Literal(String),
    /// `<name>`: one piece, whatever it is.
    One(String),
    /// `<name..>`: all that is left, one piece at least.
    Rest(String),
}

/// A pattern, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Segment>);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub(crate) fn parse(pattern: &str) -> Result<Self, Mistake> {
        let Some(path) = pattern.strip_prefix('/') else {
            return Err(Mistake::new(format!("{pattern:?} doesn't begin with `/`")));
        };
        if let Some(bad) = path.chars().find(|c| c.is_control() || c.is_whitespace() || "?#".contains(*c)) {
            return Err(Mistake::new(format!("{pattern:?} contains {bad:?}, which no path does")));
        }
        let mut segments = Vec::new();
        let pieces: Vec<&str> = path.split('/').collect();
        for (at, piece) in pieces.iter().enumerate() {
            let is_last = at + 1 == pieces.len();
            let segment = segment(piece).ok_or_else(|| {
                Mistake::new(format!(
                    "{piece:?} in {pattern:?} is neither text nor one `<name>` from `/` to `/`"
                ))
            })?;
            match &segment {
                Segment::Literal(text) if text.is_empty() && !is_last => {
                    return Err(Mistake::new(format!("{pattern:?} has two slashes in a row")));
                }
                Segment::Literal(text) if text == "." || text == ".." => {
                    return Err(Mistake::new(format!(
                        "{pattern:?} has a piece {text:?}, which clients resolve themselves"
                    )));
                }
                Segment::Rest(name) if !is_last => {
                    return Err(Mistake::new(format!(
                        "`<{name}..>` in {pattern:?} takes all that is left, so it comes last"
                    )));
                }
                Segment::One(name) | Segment::Rest(name) if names(&segments).any(|other| other == name) => {
                    return Err(Mistake::new(format!("{pattern:?} has two parameters called {name:?}")));
                }
                _ => segments.push(segment),
            }
        }
        Ok(Self(segments))
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Returns the values of the parameters in a path that matches, in order.
    ///
    /// # Errors
    ///
    /// Returns the name of a parameter whose value isn't UTF-8.
    pub(crate) fn parameters(&self, path: &str) -> Result<Vec<String>, &str> {
        let mut values = Vec::new();
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        for segment in &self.0 {
            let (piece, after) = rest.split_once('/').unwrap_or((rest, ""));
            let (name, value) = match segment {
                Segment::Literal(_) => (None, piece),
                Segment::One(name) => (Some(name), piece),
                Segment::Rest(name) => (Some(name), rest),
            };
            if let Some(name) = name {
                let value = percent_decode_str(value).decode_utf8().map_err(|_| name.as_str())?;
                values.push(value.into_owned());
            }
            rest = after;
        }
        Ok(values)
    }

    /// The pattern as axum's router has it. Parameters are called by their position, since the router refuses two
    /// names at one place, and `GET /u/<id>` beside `DELETE /u/<user_id>` is nobody's mistake.
    pub(crate) fn to_axum(&self) -> String {
        let mut path = String::new();
        let mut parameters = 0..;
        for segment in &self.0 {
            path.push('/');
            // Writing to a String doesn't fail.
            let _ = match (segment, parameters.start) {
                (Segment::Literal(text), _) => path.write_str(&canonical_segment(text)),
                (Segment::One(_), at) => write!(path, "{{p{at}}}"),
                (Segment::Rest(_), at) => write!(path, "{{*p{at}}}"),
            };
            if !matches!(segment, Segment::Literal(_)) {
                parameters.start += 1;
            }
        }
        path
    }
}

fn segment(piece: &str) -> Option<Segment> {
    if !piece.contains(['<', '>']) {
        return Some(Segment::Literal(piece.to_owned()));
    }
    let inside = piece.strip_prefix('<')?.strip_suffix('>')?;
    let (name, is_rest) = inside.strip_suffix("..").map_or((inside, false), |name| (name, true));
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let name = is_name.then(|| name.to_owned())?;
    Some(if is_rest { Segment::Rest(name) } else { Segment::One(name) })
}

fn names(segments: &[Segment]) -> impl Iterator<Item = &String> {
    segments.iter().filter_map(|segment| match segment {
        Segment::One(name) | Segment::Rest(name) => Some(name),
        Segment::Literal(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_become_axums() {
        for (pattern, expected) in [
            ("/", "/"),
            ("/status", "/status"),
            ("/status/", "/status/"),
            ("/devices/<device_id>", "/devices/{p0}"),
            ("/<a>/x/<b>", "/{p0}/x/{p1}"),
            ("/files/<path..>", "/files/{*p0}"),
            ("/a{b}", "/a%7Bb%7D"),
            ("/größe", "/gr%C3%B6%C3%9Fe"),
            ("/gr%c3%b6%C3%9Fe", "/gr%C3%B6%C3%9Fe"),
            ("/100%", "/100%25"),
        ] {
            assert_eq!(Pattern::parse(pattern).map(|pattern| pattern.to_axum()), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn parameters_are_decoded_by_position() {
        for (pattern, path, expected) in [
            ("/", "/", Ok(vec![])),
            ("/<a>/x/<b>", "/1/x/a%2Fb", Ok(vec!["1", "a/b"])),
            ("/files/<path..>", "/files/a/b%20c/", Ok(vec!["a/b c/"])),
            ("/<a>/<b>", "/1/%FF", Err("b")),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            let expected = expected.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(pattern.parameters(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in [
            "",
            "status",
            "/a b",
            "/a?b",
            "//",
            "/a//b",
            "/<id",
            "/id>",
            "/x<id>",
            "/<>",
            "/<1>",
            "/<a-b>",
            "/<a..>/b",
            "/<a>/<a>",
            "/a/../b",
            "/<a>.json",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
