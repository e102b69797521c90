//! One spelling of every path, in requests and in patterns: clients may encode any byte, with letters in either case.

use axum::extract::Request;
use axum::http::Uri;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// What is encoded beside bytes that aren't ASCII: what can't be in a path, and braces, which mean something to axum.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Returns the one spelling of a piece of a path. A `%` that begins no byte is one.
pub(super) fn canonical_segment(segment: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(segment).collect();
    if bytes == b"." || bytes == b".." {
        // Decoded it would be another path.
        return segment.to_owned();
    }
    percent_encode(&bytes, ENCODED).to_string()
}

/// Rewrites the path of a request to its one spelling, so that it matches a pattern whatever its client has encoded.
pub(crate) fn canonical(mut request: Request) -> Request {
    let path = request.uri().path();
    if path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)) {
        return request;
    }
    let canonical: Vec<String> = path.split('/').map(canonical_segment).collect();
    let mut parts = request.uri().clone().into_parts();
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    parts.path_and_query = format!("{}{query}", canonical.join("/")).parse().ok();
    // Encoded text is always a path; otherwise the request stays as it is.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: &str) {
        let request = Request::builder().uri(uri).body(axum::body::Body::empty()).unwrap();
        assert_eq!(canonical(request).uri().to_string(), expected);
    }

    #[test]
    fn a_path_has_one_spelling() {
        check("/plain/path?q=%c3", "/plain/path?q=%c3");
        check("/gr%c3%b6%C3%9fe", "/gr%C3%B6%C3%9Fe");
        check("/%67r%C3%B6", "/gr%C3%B6");
        check("/a%2fb", "/a%2Fb");
        check("/100%", "/100%25");
        check("/a{b}", "/a%7Bb%7D");
        check("/%ff?x", "/%FF?x");
        check("/%2e%2e/a", "/%2e%2e/a");
    }
}
