//! Why something failed on a connection, in three kinds: refused, in doubt, not sent.

use std::borrow::Cow;
use std::time::Duration;

use fred::error::{Error, ErrorKind};

/// Why a command failed, before it is told where.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Failure {
    /// The server's own words.
    #[error("{0}")]
    Refused(String),
    /// Too much is queued; nothing was sent.
    #[error("too many commands are queued")]
    Full,
    /// The answer belongs to another command; the state of things is unknown, asking again is safe.
    #[error("an answer was out of step")]
    Shifted,
    /// The server did not answer a health check within this time.
    #[error("the server did not answer within {0:?}")]
    Silent(Duration),
    /// The command may or may not have run.
    #[error("{0}")]
    Unsure(String),
    /// It can't work, ever.
    #[error("{0}")]
    Unusable(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let details = &*sentence(error.details());
        match error.kind() {
            ErrorKind::Backpressure => Self::Full,
            ErrorKind::Config | ErrorKind::Url if !is_servers(details) => Self::Unusable(details.to_owned()),
            _ if is_servers(details) => Self::Refused(details.to_owned()),
            _ => Self::Unsure(details.to_owned()),
        }
    }
}

/// What the driver reports, without the `Debug` output of the errors in it: `Os { code: 111, kind: ConnectionRefused,
/// message: "Connection refused" }` becomes `Connection refused (os error 111)`.
pub(super) fn sentence(details: &str) -> Cow<'_, str> {
    let between = |start: &str, end: &str| details.split_once(start)?.1.split_once(end).map(|(text, _)| text);
    if details.starts_with("Os {") {
        if let (Some(code), Some(message)) = (between("code: ", ","), between("message: \"", "\"")) {
            return Cow::Owned(format!("{message} (os error {code})"));
        }
    } else if details.starts_with("Custom {") {
        let inner = details.split_once("error: ").and_then(|(_, rest)| rest.strip_suffix('}'));
        if let Some(inner) = inner {
            return Cow::Owned(sentence(inner.trim().trim_matches('"')).into_owned());
        }
    } else if let Some(kind) = details.strip_prefix("Kind(").and_then(|rest| rest.strip_suffix(')')) {
        return Cow::Owned(words(kind));
    }
    Cow::Borrowed(details.trim_end_matches('.'))
}

/// `UnexpectedEof` → `unexpected eof`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// fred has no kind for "the server said so". A server's error begins with a word in capitals, fred's own don't.
fn is_servers(details: &str) -> bool {
    let word = details.split(' ').next().unwrap_or_default();
    word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

impl Failure {
    /// Whether trying to connect again is of no use until a person changes something.
    pub(super) fn is_final(&self) -> bool {
        const FINAL: [&str; 8] = [
            "NOAUTH",
            "WRONGPASS",
            "NOPERM",
            "DENIED",
            "ERR invalid password",
            "ERR DB index",
            "ERR invalid DB index",
            "ERR This instance has cluster support disabled",
        ];
        match self {
            Self::Refused(words) => FINAL.iter().any(|start| words.starts_with(start)),
            Self::Unusable(_) => true,
            Self::Full | Self::Shifted | Self::Silent(_) | Self::Unsure(_) => false,
        }
    }

    /// What a person can change. Empty if nothing is known.
    pub(super) fn advice(&self) -> &'static str {
        // Redis before 7 has the code of a command in a script in the middle.
        let is = |words: &str, code: &str| words.starts_with(code) || words.contains(&format!("-{code} "));
        match self {
            Self::Refused(words) if is(words, "OOM") => {
                "; the server has reached its maxmemory: free memory, raise maxmemory, or set a maxmemory-policy that evicts keys"
            }
            Self::Refused(words) if is(words, "READONLY") => {
                "; the server is a read-only replica: use the URL of its primary"
            }
            Self::Refused(words) if is(words, "MISCONF") => {
                "; the server can't save to its disk: repair that, or set stop-writes-on-bgsave-error to no"
            }
            Self::Refused(words) if words.starts_with("NOAUTH") => {
                "; put the password into the URL, as in redis://user:password@host:port"
            }
            Self::Refused(words) if words.starts_with("WRONGPASS") || words.contains("invalid password") => {
                "; the URL's user name or password is not the server's"
            }
            Self::Refused(words) if words.contains("DB index") => {
                "; the number at the end of the URL is the database, and the server has none of that number"
            }
            Self::Refused(words)
                if words.starts_with("NOPERM") || words.contains("ACL failure in script") =>
            {
                "; the account lacks a permission that a bus needs: grant it with ACL SETUSER"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_becomes_a_sentence() {
        for (details, expected) in [
            (
                "Os { code: 111, kind: ConnectionRefused, message: \"Connection refused\" }",
                "Connection refused (os error 111)",
            ),
            (
                "Custom { kind: Uncategorized, error: \"failed to lookup address\" }",
                "failed to lookup address",
            ),
            (
                "Custom { kind: Other, error: Os { code: 2, kind: NotFound, message: \"No such file\" } }",
                "No such file (os error 2)",
            ),
            ("Kind(UnexpectedEof)", "unexpected eof"),
            ("Request timed out.", "Request timed out"),
            ("NOAUTH Authentication required.", "NOAUTH Authentication required"),
        ] {
            assert_eq!(sentence(details), expected);
        }
        let error = Error::from(std::io::Error::from_raw_os_error(111));
        assert!(!Failure::from(error).to_string().contains("Os {"));
    }

    #[test]
    fn the_servers_words_are_told_from_the_drivers() {
        for words in ["ERR value is not an integer", "WRONGTYPE Operation against", "NOPERM this user has no"]
        {
            assert!(is_servers(words), "{words}");
        }
        for words in ["Request timed out.", "Failed to route command.", "No response!", "I am", ""] {
            assert!(!is_servers(words), "{words}");
        }
    }
}
