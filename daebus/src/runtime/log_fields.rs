//! Writes the fields of spans and events as tracing-subscriber does, in fewer steps if there are no colours.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::{RecordFields, VisitOutput as _};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, DefaultVisitor, Writer};

/// Formats fields as [`DefaultFields`] does. Every handler has a span, whose fields are formatted when it begins, though most
/// spans have no line in the log; [`DefaultFields`] takes several formatting calls per field, for colours.
#[derive(Debug, Default)]
pub(super) struct LogFields(DefaultFields);

impl<'writer> FormatFields<'writer> for LogFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> fmt::Result {
        if writer.has_ansi_escapes() {
            return self.0.format_fields(writer, fields);
        }
        let mut visitor = PlainVisitor { line: String::with_capacity(LINE), result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result?;
        writer.write_str(&visitor.line)
    }
}

/// How many bytes most spans' fields have, so that their text isn't allocated several times.
const LINE: usize = 160;

/// Writes fields without colours.
struct PlainVisitor {
    line: String,
    result: fmt::Result,
}

impl PlainVisitor {
    /// Writes the beginning of a field, and returns the text for its value.
    fn begin(&mut self, field: &Field) -> &mut String {
        if !self.line.is_empty() {
            self.line.push(' ');
        }
        let name = field.name();
        self.line.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.line.push('=');
        &mut self.line
    }

    /// Writes a field that needs what tracing-subscriber does for messages, errors and records of the crate `log`.
    fn as_default(&mut self, record: impl FnOnce(&mut DefaultVisitor<'_>)) {
        let is_empty = self.line.is_empty();
        let mut visitor = DefaultVisitor::new(Writer::new(&mut self.line), is_empty);
        record(&mut visitor);
        self.result = self.result.and(visitor.finish());
    }
}

fn is_plain(field: &Field) -> bool {
    field.name() != "message" && !field.name().starts_with("log.")
}

impl Visit for PlainVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        let needs_no_escapes = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if !is_plain(field) {
            self.as_default(|visitor| visitor.record_str(field, value));
        } else if value.bytes().all(needs_no_escapes) {
            let line = self.begin(field);
            line.push('"');
            line.push_str(value);
            line.push('"');
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.as_default(|visitor| visitor.record_error(field, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if is_plain(field) {
            let written = write!(self.begin(field), "{value:?}");
            self.result = self.result.and(written);
        } else {
            self.as_default(|visitor| visitor.record_debug(field, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing::{Level, field, info, info_span};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is logged with these fields.
    fn logged(fields: impl for<'a> FormatFields<'a> + Send + Sync + 'static) -> String {
        let lines = Lines::default();
        let builder = tracing_subscriber::fmt().without_time().with_ansi(false).fmt_fields(fields);
        let subscriber = builder.with_writer(lines.clone()).with_max_level(Level::INFO).finish();
        tracing::subscriber::with_default(subscriber, || {
            let span =
                info_span!("outer", text = "plain", odd = "a\"b\\c\n", r#type = 7, late = field::Empty);
            let _outer = span.enter();
            span.record("late", true);
            let _inner = info_span!("inner", shown = %"plain", float = 1.5, debug = ?Some("x")).entered();
            let failure = io::Error::other(fmt::Error);
            info!(error = &failure as &dyn std::error::Error, count = 3, "some \u{1b}[31m words");
            info!(log.line = 5, "no field");
            info!(only = "fields");
        });
        String::from_utf8(lines.0.lock().clone()).unwrap()
    }

    #[test]
    fn fields_are_written_as_by_default() {
        let written = logged(LogFields::default());
        assert!(written.contains(r#"outer{text="plain" odd="a\"b\\c\n" type=7 late=true}"#), "{written}");
        assert_eq!(written, logged(DefaultFields::new()));
    }
}
