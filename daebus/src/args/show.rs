//! Formats every setting with its value and its source.

use std::fmt::Write;

use daebus_caller::bus::BusUrl;

use super::given::{Given, Settled};
use super::setting::{Setting, SettingSource};
use crate::runtime::logging::{DEFAULT_FILTER, Format};

/// Returns a table with one line per setting. Passwords are masked.
pub(crate) fn show(given: &Given, settled: &Settled) -> String {
    let mut lines = Vec::new();
    for key in Setting::ALL {
        let default = (default_of(key), &SettingSource::Default);
        let (value, source) =
            settled.said(key).map_or(default, |(value, source)| (shown(key, value), source));
        lines.push((key.name(), value, source.to_string()));
    }
    if let Some((path, source)) = &given.config {
        lines.push(("config", path.display().to_string(), source.to_string()));
    }
    let names = lines.iter().map(|(name, _, _)| name.len()).max().unwrap_or_default();
    let values = lines.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or_default();
    lines.iter().fold(String::new(), |mut text, (name, value, source)| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{name:<names$}  {value:<values$}  {source}");
        text
    })
}

fn default_of(key: Setting) -> String {
    match key {
        Setting::Name | Setting::Http | Setting::Ws => "-".to_owned(),
        Setting::Bus => "memory://default".to_owned(),
        Setting::Log => DEFAULT_FILTER.to_owned(),
        Setting::LogFormat => Format::default().to_string(),
        Setting::Drain => "30s".to_owned(),
    }
}

/// Returns a value with its password masked.
fn shown(key: Setting, value: &str) -> String {
    match key {
        // A URL that can't be parsed may contain a password anywhere.
        Setting::Bus => {
            BusUrl::parse(value).map_or_else(|_| "(can't be read)".to_owned(), |url| url.to_string())
        }
        _ => value.to_owned(),
    }
}
