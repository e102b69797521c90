//! Masks passwords in URLs, for logs and error messages.

/// Masks the passwords of a URL. A URL that can't be parsed loses everything before its last `@`.
pub(super) fn masked(url: &str) -> String {
    let shown = without_password(url).unwrap_or_else(|| without_userinfo(url));
    let Some((base, query)) = shown.split_once('?') else { return shown };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if key.to_ascii_lowercase().contains("password") => format!("{key}=***"),
        _ => pair.to_owned(),
    };
    format!("{base}?{}", query.split('&').map(mask).collect::<Vec<_>>().join("&"))
}

#[cfg(feature = "redis")]
fn without_password(url: &str) -> Option<String> {
    let mut parsed = ::url::Url::parse(url).ok()?;
    if parsed.password().is_some() {
        // Fails only for URLs that can't have a password.
        let _ = parsed.set_password(Some("***"));
    }
    Some(parsed.to_string())
}

/// Without the driver, only the URLs of errors are masked, which doesn't justify a parser.
#[cfg(not(feature = "redis"))]
fn without_password(_: &str) -> Option<String> {
    None
}

fn without_userinfo(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((secret, host)) => {
            let scheme = secret.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://***@{host}")
        }
        None => url.to_owned(),
    }
}
