//! Masks the secrets of a URL, for logs and error messages.

const MASK: &str = "***";

/// Parameters of a query that have no secret.
const PUBLIC_PARAMETERS: [&str; 3] = ["node", "sentinelServiceName", "sentinelUsername"];

/// Masks the secrets of a URL: passwords, user names without a password, which may be tokens, and the parameters of the query
/// that aren't known to be public. The URL needn't be valid: one with an `@` where it doesn't end the user's name and password
/// keeps only its scheme.
pub(super) fn masked(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    let end_of_authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end_of_authority);
    if tail.contains('@') {
        return scheme + MASK;
    }
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (masked_user(user) + "@", host),
        None => (String::new(), authority),
    };
    let (name, port) = split_port(host);
    match port {
        // What follows isn't a path then.
        Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{scheme}{user}{name}:{MASK}")
        }
        _ => format!("{scheme}{user}{host}{}", masked_tail(tail)),
    }
}

/// Returns whether a text can be the scheme of a URL.
pub(super) fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

/// The name of a user is shown beside its password only.
fn masked_user(user: &str) -> String {
    match user.split_once(':') {
        Some((name, password)) if !password.is_empty() && !name.contains('@') => format!("{name}:{MASK}"),
        _ => MASK.to_owned(),
    }
}

/// Splits `name:port`. An IPv6 address is in brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    let name = if host.starts_with('[') { host.find(']') } else { None };
    match host[name.unwrap_or(0)..].find(':').map(|colon| colon + name.unwrap_or(0)) {
        Some(colon) => (&host[..colon], Some(&host[colon + 1..])),
        None => (host, None),
    }
}

/// Masks the query and the fragment behind a path.
fn masked_tail(tail: &str) -> String {
    let (tail, fragment) = match tail.split_once('#') {
        Some((tail, _)) => (tail, "#***"),
        None => (tail, ""),
    };
    let Some((path, query)) = tail.split_once('?') else { return format!("{tail}{fragment}") };
    let parameters: Vec<String> = query.split(['&', ';']).map(masked_parameter).collect();
    format!("{path}?{}{fragment}", parameters.join("&"))
}

fn masked_parameter(parameter: &str) -> String {
    match parameter.split_once('=') {
        Some((name, _)) if PUBLIC_PARAMETERS.contains(&name) => parameter.to_owned(),
        Some((name, _)) => format!("{name}={MASK}"),
        None if parameter.is_empty() => String::new(),
        None => MASK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        assert_eq!(masked(url), expected);
    }

    #[test]
    fn secrets_are_masked_and_the_rest_is_kept() {
        check("redis://127.0.0.1:6379/3", "redis://127.0.0.1:6379/3");
        check("redis://[::1]", "redis://[::1]");
        check("redis://[::1]:6379", "redis://[::1]:6379");
        check("localhost:6379", "localhost:6379");
        check("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock");
        check("redis://user:secret@host/0", "redis://user:***@host/0");
        check("redis://:secret@host", "redis://:***@host");
        check("redis://user:se:cret@host", "redis://user:***@host");
        check("redis://user:se@cret@host", "redis://user:***@host");
    }

    #[test]
    fn a_user_without_a_password_is_masked() {
        check("redis://secret@host", "redis://***@host");
        check("redis://secret:@host", "redis://***@host");
        check("secret@host", "***@host");
    }

    #[test]
    fn a_url_without_a_scheme_is_masked() {
        check("user:secret@host:6379", "user:***@host:6379");
        check("//user:secret@host", "***");
        check("redis:/user:secret@host", "***");
    }

    #[test]
    fn parameters_of_the_query_are_masked_unless_they_are_known_to_be_public() {
        for name in ["pass", "password", "token", "auth", "sentinelPassword"] {
            check(
                &format!("redis://host/0?{name}=secret&node=b:1"),
                &format!("redis://host/0?{name}=***&node=b:1"),
            );
        }
        check("redis://host?secret#secret", "redis://host?***#***");
    }

    #[test]
    fn an_invalid_url_shows_no_part_of_a_secret() {
        check("redis://user:se/cret@host", "redis://***");
        check("redis://user:se?cret@host", "redis://***");
        check("redis://user:se#cret@host", "redis://***");
        check("redis://host?password=se@cret", "redis://***");
        check("redis://host:secret/cret", "redis://host:***");
        check("redis://:secret", "redis://:***");
    }
}
