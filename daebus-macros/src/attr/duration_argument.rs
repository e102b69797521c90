//! `timeout = "2s"`: a duration as the value of an argument.

use std::time::Duration;

use syn::LitStr;

use super::arguments::Arguments;
use super::duration;
use crate::mistakes::Mistakes;

/// Reads the duration under `key`; the literal is for later errors about it.
pub(super) fn argument(
    arguments: &mut Arguments,
    key: &'static str,
    example: &str,
    mistakes: &mut Mistakes,
) -> Option<(Duration, LitStr)> {
    let expected = format!("`{key}` is a duration in quotes, with its unit: `{key} = \"{example}\"`");
    let text = arguments.text(key, &expected, mistakes)?;
    Some((read(&text, key, example, mistakes)?, text))
}

/// Parses the text under `key`.
pub(super) fn read(text: &LitStr, key: &str, example: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    match duration::parse(&text.value()) {
        Ok(duration) => Some(duration),
        Err(error) => {
            mistakes.on(text, format!("invalid duration: {error}; write `{key} = \"{example}\"`"));
            None
        }
    }
}
