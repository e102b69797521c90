//! W3C Trace Context: the headers `traceparent` and `tracestate`, checked.

use super::request::Headers;

/// The names of the two headers, in lower case as the recommendation demands of senders.
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// How many members a `tracestate` may have.
const MEMBERS: usize = 32;

/// The length of a key and of a value in `tracestate`.
const LONGEST: usize = 256;

/// The length of a `traceparent` of version 00; later versions may append fields.
const LENGTH: usize = 55;

/// The trace that a request belongs to, from its headers [`traceparent` and `tracestate`](https://www.w3.org/TR/trace-context/).
///
/// Daebus adds no spans to a trace: it passes the context on unchanged, as a proxy does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

impl TraceContext {
    /// Reads the two headers. An invalid `traceparent` counts as absent, and `tracestate` with it; an invalid `tracestate`
    /// alone is dropped.
    pub fn new(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        is_traceparent(traceparent).then(|| Self {
            traceparent: traceparent.to_owned(),
            tracestate: tracestate.filter(|tracestate| is_tracestate(tracestate)).map(str::to_owned),
        })
    }

    /// Reads the headers of a request on the bus, where names are case-sensitive.
    pub fn from_headers(headers: &Headers) -> Option<Self> {
        Self::new(headers.get(TRACEPARENT)?, headers.get(TRACESTATE).map(String::as_str))
    }

    /// Adds the two headers, unless a header of that name is there. A `traceparent` that is there keeps `tracestate` out as
    /// well, since the latter belongs to the former.
    pub fn add_to(&self, headers: &mut Headers) {
        if headers.contains_key(TRACEPARENT) {
            return;
        }
        headers.insert(TRACEPARENT.to_owned(), self.traceparent.clone());
        if let Some(tracestate) = &self.tracestate {
            headers.entry(TRACESTATE.to_owned()).or_insert_with(|| tracestate.clone());
        }
    }

    /// Returns the value of `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// Returns the value of `tracestate`.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// Returns the id of the trace, 32 hex digits.
    pub fn trace_id(&self) -> &str {
        self.traceparent.get(3..35).unwrap_or_default()
    }
}

/// Checks `version "-" trace-id "-" parent-id "-" trace-flags`.
fn is_traceparent(text: &str) -> bool {
    let Some((known, later)) = text.split_at_checked(LENGTH) else { return false };
    let fields: Vec<&str> = known.split('-').collect();
    let [version, trace_id, parent_id, flags] = fields[..] else { return false };
    let fits_version = match version {
        "ff" => false,
        "00" => later.is_empty(),
        _ => later.is_empty() || later.starts_with('-'),
    };
    let is_set = |id: &str| id.bytes().any(|digit| digit != b'0');
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    fits_version
        && is_hex(version, 2)
        && is_hex(trace_id, 32)
        && is_hex(parent_id, 16)
        && is_hex(flags, 2)
        && is_set(trace_id)
        && is_set(parent_id)
}

/// Checks a list of `key=value` members, of which some may be empty.
fn is_tracestate(text: &str) -> bool {
    let members = || text.split(',').map(|member| member.trim_matches([' ', '\t']));
    members().count() <= MEMBERS && members().all(|member| member.is_empty() || is_member(member))
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let starts_key = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_value = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'=';
    let has_length = |text: &str| (1..=LONGEST).contains(&text.len());
    has_length(key)
        && has_length(value)
        && key.as_bytes().first().is_some_and(starts_key)
        && key.bytes().all(is_key)
        && key.matches('@').count() <= 1
        && value.bytes().all(is_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_kept_as_it_is() {
        let later = format!("cc{}-more", &VALID[2..]);
        for valid in [VALID, &VALID.replace("-01", "-00"), &later] {
            let context = TraceContext::new(valid, None).expect(valid);
            assert_eq!((context.traceparent(), context.trace_id()), (valid, TRACE));
        }
    }

    #[test]
    fn an_invalid_traceparent_is_dropped_with_its_tracestate() {
        let invalid = [
            String::new(),
            "00".to_owned(),
            VALID.to_uppercase(),
            VALID.replace('4', "g"),
            VALID.replace("00-", "ff-"),
            VALID.replace(TRACE, &"0".repeat(32)),
            VALID.replace("00f067aa0ba902b7", &"0".repeat(16)),
            format!("{VALID}-more"),
            format!("cc{}more", &VALID[2..]),
            VALID.replace('-', "_"),
            format!(" {VALID}"),
            VALID[..54].to_owned(),
            "ä".repeat(28),
            // The right characters in fields of the wrong lengths.
            format!("00-{TRACE}0-0f067aa0ba902b7-01"),
        ];
        for invalid in invalid {
            assert_eq!(TraceContext::new(&invalid, Some("a=b")), None, "{invalid:?}");
        }
    }

    #[test]
    fn an_invalid_tracestate_is_dropped_alone() {
        let many = vec!["a=b"; MEMBERS].join(",");
        let long = format!("{}={}", "k".repeat(LONGEST), "v".repeat(LONGEST));
        for valid in ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, ,b=2\t,", "0@t=x !~", &many, &long] {
            let context = TraceContext::new(VALID, Some(valid)).expect("valid");
            assert_eq!(context.tracestate(), Some(valid));
        }
        let many = vec!["a=b"; MEMBERS + 1].join(",");
        let long = format!("a={}", "v".repeat(LONGEST + 1));
        for invalid in ["a", "=b", "a=", "A=b", "a=b=c", "a=ä", "a@b@c=d", "-a=b", &many, &long] {
            let context = TraceContext::new(VALID, Some(invalid)).expect("valid");
            assert_eq!(context.tracestate(), None, "{invalid:?}");
        }
    }

    #[test]
    fn headers_that_are_there_win() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let context = TraceContext::new(VALID, Some("a=b")).expect("valid");
        let mut headers = Headers::new();
        context.add_to(&mut headers);
        assert_eq!(headers, Headers::from([pair(TRACEPARENT, VALID), pair(TRACESTATE, "a=b")]));
        assert_eq!(TraceContext::from_headers(&headers), Some(context.clone()));

        let mut headers = Headers::from([pair(TRACEPARENT, "mine")]);
        context.add_to(&mut headers);
        assert_eq!(headers, Headers::from([pair(TRACEPARENT, "mine")]));
        let mut headers = Headers::from([pair(TRACESTATE, "c=d")]);
        context.add_to(&mut headers);
        assert_eq!(headers, Headers::from([pair(TRACEPARENT, VALID), pair(TRACESTATE, "c=d")]));
    }
}
