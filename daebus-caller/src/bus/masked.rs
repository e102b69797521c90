//! Masks passwords in URLs, for logs and error messages.

use ::url::Url;

/// Masks the passwords of a URL. A URL that can't be parsed loses everything before its last `@`.
pub(super) fn masked(url: &str) -> String {
    let shown = match Url::parse(url) {
        Ok(mut parsed) => {
            if parsed.password().is_some() {
                // Fails only for URLs that can't have a password.
                let _ = parsed.set_password(Some("***"));
            }
            parsed.to_string()
        }
        Err(_) => match url.rsplit_once('@') {
            Some((secret, host)) => {
                let scheme = secret.split_once("://").map_or("", |(scheme, _)| scheme);
                format!("{scheme}://***@{host}")
            }
            None => url.to_owned(),
        },
    };
    let Some((base, query)) = shown.split_once('?') else { return shown };
    let mask = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if key.to_ascii_lowercase().contains("password") => format!("{key}=***"),
        _ => pair.to_owned(),
    };
    format!("{base}?{}", query.split('&').map(mask).collect::<Vec<_>>().join("&"))
}
