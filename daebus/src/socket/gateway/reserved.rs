//! Names that the gateway never reaches, and the patterns that match one of them.

/// How reserved names begin: the framework's own channels, callers' inboxes, and Redis's notifications.
const PREFIXES: [&str; 3] = ["daebus:", "caller:", "__key"];

/// How reserved names end: replies without an address, and a channel of the Python package.
const SUFFIXES: [&str; 2] = [".responses", ".workflows"];

/// Returns whether a channel is reserved.
pub(super) fn is_reserved(channel: &str) -> bool {
    PREFIXES.iter().any(|prefix| channel.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| channel.ends_with(suffix))
}

/// Returns a reserved beginning or end that names matched by the pattern can have.
///
/// A pattern that ends with `*` matches names with any end. It is accepted, and the messages on reserved channels are left
/// out where they arrive.
pub(super) fn reserved_part(pattern: &str) -> Option<&'static str> {
    let mut pieces = Piece::read(pattern.as_bytes());
    if let Some(prefix) = PREFIXES.into_iter().find(|prefix| begins(&pieces, prefix.as_bytes())) {
        return Some(prefix);
    }
    pieces.reverse();
    if pieces.first() == Some(&Piece::Star) {
        return None;
    }
    SUFFIXES.into_iter().find(|suffix| {
        let reversed: Vec<u8> = suffix.bytes().rev().collect();
        begins(&pieces, &reversed)
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    /// One byte. A class counts as any byte, so that its rules are not repeated here.
    Any,
    Star,
}

impl Piece {
    fn read(mut pattern: &[u8]) -> Vec<Self> {
        let mut pieces = Vec::new();
        loop {
            let (piece, rest) = match pattern {
                [] => return pieces,
                [b'*', rest @ ..] => (Self::Star, rest),
                [b'?', rest @ ..] => (Self::Any, rest),
                [b'[', rest @ ..] => (Self::Any, after_class(rest)),
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] => (Self::Byte(*byte), rest),
            };
            if piece != Self::Star || pieces.last() != Some(&Self::Star) {
                pieces.push(piece);
            }
            pattern = rest;
        }
    }
}

fn after_class(mut class: &[u8]) -> &[u8] {
    loop {
        class = match class {
            [] => return class,
            [b']', rest @ ..] => return rest,
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
        };
    }
}

/// Returns whether a text that begins with `prefix` can match.
fn begins(pieces: &[Piece], prefix: &[u8]) -> bool {
    match (pieces, prefix) {
        (_, []) => true,
        ([], _) => false,
        ([Piece::Star, rest @ ..], [_, further @ ..]) => begins(rest, prefix) || begins(pieces, further),
        ([Piece::Any, rest @ ..], [_, further @ ..]) => begins(rest, further),
        ([Piece::Byte(byte), rest @ ..], [first, further @ ..]) => byte == first && begins(rest, further),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_match_a_reserved_name_are_found() {
        for pattern in [
            "*",
            "d*",
            "?aebus:to:*",
            "[d]aebus:*",
            "dae*",
            "*bus:*",
            "caller:*",
            "c*",
            "__key*",
            "_*",
            "*.status",
            "d\\aebus:*",
            "*.responses",
            "sensor*.responses",
            "sensor.*responses",
            "x*.workflow?",
            "sensor.*s",
        ] {
            assert!(reserved_part(pattern).is_some(), "{pattern}");
        }
        for pattern in
            ["sensor.*", "notifications*", "chat.[ab]", "dashboard.*", "callers.*", "sensor.*.status", "_k*"]
        {
            assert_eq!(reserved_part(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn reserved_names_are_found() {
        for name in ["daebus:to:x", "caller:1", "__keyspace@0__:x", "__key", "svc.responses", "svc.workflows"]
        {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["daebus", "sensor.1", "responses", "key"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
