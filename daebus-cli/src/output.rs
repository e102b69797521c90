//! What the program prints: text for people, or one JSON object per line.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Failure;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const RED: Style = AnsiColor::Red.on_default();

/// Prints results to the standard output and failures to the standard error.
///
/// Colours are left out if the output is not a terminal, and if `NO_COLOR` is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

#[expect(clippy::unused_self, reason = "everything that is printed is printed through a value of this type")]
impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Returns whether the output is JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a line.
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Prints a JSON object.
    pub(crate) fn object(self, object: &impl Serialize) -> io::Result<()> {
        self.line(&serde_json::to_string(object)?)
    }

    /// Prints rows as a table, or as one object each.
    pub(crate) fn rows<T: Serialize, const N: usize>(
        self,
        header: [&str; N],
        rows: &[T],
        cells: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        if self.json {
            return rows.iter().try_for_each(|row| self.object(row));
        }
        self.table(header, rows, cells)
    }

    /// Prints rows as a table.
    pub(crate) fn table<T, const N: usize>(
        self,
        header: [&str; N],
        rows: &[T],
        cells: impl Fn(&T) -> [String; N],
    ) -> io::Result<()> {
        let cells: Vec<[String; N]> = rows.iter().map(cells).collect();
        let widths: [usize; N] = std::array::from_fn(|column| {
            let widths = cells.iter().map(|row| row[column].chars().count());
            widths.chain([header[column].len()]).max().unwrap_or_default()
        });
        self.line(&format!("{BOLD}{}{BOLD:#}", aligned(header, widths)))?;
        cells.iter().try_for_each(|row| self.line(&aligned(row.each_ref().map(String::as_str), widths)))
    }

    /// Prints why a command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        let text = if self.json {
            let mut object = json!({"error": failure.to_string(), "kind": failure.kind()});
            if let Failure::Answer(fault) = failure {
                object["code"] = fault.code().into();
                if !fault.details().is_null() {
                    object["details"] = fault.details().clone();
                }
            }
            object.to_string()
        } else {
            let code = match failure {
                Failure::Answer(fault) => fault.code().map(|code| format!(" ({code})")),
                _ => None,
            };
            format!("{RED}error:{RED:#} {failure}{}", code.unwrap_or_default())
        };
        // If the standard error can't be written, only the exit code remains.
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Prints a note for people, which is not part of the result.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            let _ = writeln!(anstream::stderr(), "{FAINT}{text}{FAINT:#}");
        }
    }
}

fn aligned<const N: usize>(cells: [&str; N], widths: [usize; N]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let padding = width - cell.chars().count();
        line.push_str(cell);
        line.push_str(&" ".repeat(padding + 2));
    }
    line.trim_end().to_owned()
}

/// Formats a JSON value for people: indented if it is an object or a list that has elements.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// Replaces control characters, which would change the state of the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        let escaped = |char: char| -> String {
            if char.is_control() { char.escape_default().collect() } else { char.into() }
        };
        Cow::Owned(text.chars().map(escaped).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Formats a number of things.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{s}")
}

/// Formats a duration with three significant digits.
pub(crate) fn short(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match seconds {
        value if value < 1e-3 => (value * 1e6, "µs"),
        value if value < 1.0 => (value * 1e3, "ms"),
        value => (value, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// Formats the time since the start of an instance, in its two largest units.
pub(crate) fn uptime(seconds: u64) -> String {
    let units =
        [(seconds / 86_400, 'd'), (seconds / 3_600 % 24, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    let shown: Vec<String> =
        units[first..].iter().take(2).map(|(count, unit)| format!("{count}{unit}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn durations_have_three_significant_digits() {
        for (micros, text) in
            [(0, "0.00 µs"), (7, "7.00 µs"), (83, "83.0 µs"), (830, "830 µs"), (1_234, "1.23 ms")]
        {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
        assert_eq!(short(Duration::from_secs(75)), "75.0 s");
    }

    #[test]
    fn an_uptime_has_its_two_largest_units() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3_600, "1h 0m"), (200_000, "2d 7h")] {
            assert_eq!(uptime(seconds), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("\u{1b}[2J\u{7}é\n"), r"\u{1b}[2J\u{7}é\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        assert_eq!(aligned(["a", "é", "z"], [3, 1, 5]), "a    é  z");
    }
}
