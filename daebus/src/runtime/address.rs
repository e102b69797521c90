//! Addresses to listen on.

/// An invalid address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: write 0.0.0.0:8080, 127.0.0.1:8080, [::1]:8080, or 8080")]
pub(crate) struct AddressError(String);

/// Parses an address: `127.0.0.1:8080`, `[::1]:8080`, a host name with a port, or `http://127.0.0.1:8080`. A port only stands
/// for all IPv4 addresses of the machine.
pub(crate) fn address(value: &str) -> Result<String, AddressError> {
    let value = value.trim();
    let bare = value.strip_prefix("http://").or_else(|| value.strip_prefix("ws://")).unwrap_or(value);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    let (host, port) = bare.rsplit_once(':').unwrap_or(("", bare));
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    let is_one = !host.contains(|c: char| c.is_whitespace() || c == '/')
        && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    match port.parse::<u16>() {
        Ok(port) if is_one => Ok(format!("{host}:{port}")),
        _ => Err(AddressError(value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn parses_addresses() {
        for (value, expected) in [
            ("8080", "0.0.0.0:8080"),
            (":8080", "0.0.0.0:8080"),
            ("localhost:0", "localhost:0"),
            ("[::1]:80", "[::1]:80"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://localhost:8080/", "localhost:8080"),
            ("ws://127.0.0.1:8081", "127.0.0.1:8081"),
        ] {
            assert_eq!(address(value), Ok(expected.to_owned()));
        }
        for value in
            ["", "localhost", "::1:80", "https://localhost:80", "http://localhost:80/x", "127.0.0.1:99999"]
        {
            assert!(address(value).unwrap_err().to_string().contains("write 0.0.0.0:8080"), "{value}");
        }
    }
}
