//! Reads settings from a TOML file, with their line numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Table;
use toml::de::{DeTable, DeValue};

use super::setting::{Setting, SettingSource};
use crate::error::Mistake;

/// The settings of the service in a file, and the mistakes that were found.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) values: BTreeMap<Setting, (String, SettingSource)>,
    pub(super) mistakes: Vec<Mistake>,
}

impl File {
    /// Reads a file. `named_by` is the source of its path.
    pub(super) fn read(path: &Path, named_by: &SettingSource) -> Self {
        let shown = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&shown, &text),
            Err(error) => {
                let mistake = Mistake::new(format!("{shown} can't be read: {error}")).at(named_by);
                Self { mistakes: vec![mistake], ..Self::default() }
            }
        }
    }

    fn parse(path: &str, text: &str) -> Self {
        let line_of = |at: usize| text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        let mut file = Self::default();
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(span.start));
                file.mistakes.push(
                    Mistake::new(format!("not valid TOML: {}", error.message())).at(format!("{path}:{line}")),
                );
                return file;
            }
        };
        for (name, value) in &table {
            let line = line_of(name.span().start);
            let name = name.get_ref();
            let value = value.get_ref();
            if is_of_application(value) {
                continue;
            }
            let Some(key) = Setting::ALL.into_iter().find(|key| key.name() == name.as_ref()) else {
                let known = Setting::ALL.map(Setting::name).join(", ");
                file.mistakes.push(
                    Mistake::new(format!(
                        "unknown setting {name:?}; the settings are {known}. Settings of the application \
                     belong in a table, such as [{name}]"
                    ))
                    .at(format!("{path}:{line}")),
                );
                continue;
            };
            match text_of(key, value) {
                Some(text) => {
                    file.values.insert(key, (text, SettingSource::File(path.to_owned(), line)));
                }
                None => file.mistakes.push(
                    Mistake::new(format!("{name} can't be of type {}; write it in quotes", value.type_str()))
                        .at(format!("{path}:{line}")),
                ),
            }
        }
        file
    }
}

/// Returns the mistakes in the text of a file.
#[cfg(feature = "testing")]
pub(crate) fn mistakes_in_file(path: &str, text: &str) -> Vec<Mistake> {
    File::parse(path, text).mistakes
}

/// Returns whether a value is a table, `[room]`, or a list of tables, `[[sensors]]`, which belong to the application.
fn is_of_application(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(values) => !values.is_empty() && values.iter().all(|value| value.get_ref().is_table()),
        _ => false,
    }
}

/// Deserializes the tables of the application in a file. Without a file there are none.
pub(super) fn settings<T: DeserializeOwned>(path: Option<&Path>) -> Result<T, Mistake> {
    let mut table = match path {
        Some(path) => read_table(path)?,
        None => Table::new(),
    };
    for key in Setting::ALL {
        table.remove(key.name());
    }
    serde_path_to_error::deserialize(table).map_err(|error| {
        let field = error.path().to_string();
        let reason = error.into_inner().message().to_owned();
        let message = if field == "." { reason } else { format!("{field}: {reason}") };
        match path {
            Some(path) => Mistake::new(message).at(path.display()),
            None => Mistake::new(format!("{message}; set a settings file with --config FILE")),
        }
    })
}

fn read_table(path: &Path) -> Result<Table, Mistake> {
    let text = fs::read_to_string(path)
        .map_err(|error| Mistake::new(format!("the file can't be read: {error}")).at(path.display()))?;
    text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        Mistake::new(format!("not valid TOML: {}", error.message()))
            .at(format_args!("{}:{line}", path.display()))
    })
}

/// Returns the text of a string, or of an integer if the setting may be one.
fn text_of(key: Setting, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number)
            if matches!(key, Setting::Drain | Setting::Http | Setting::Ws) && number.radix() == 10 =>
        {
            Some(number.as_str().to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_lines() {
        let file = File::parse("x.toml", "# a comment\nbus = \"redis://a\"\n\ndrain = 5\n[room]\nname = 3\n");
        assert!(file.mistakes.is_empty(), "{:?}", file.mistakes);
        let at = |line| SettingSource::File("x.toml".to_owned(), line);
        let expected =
            [(Setting::Bus, ("redis://a".to_owned(), at(2))), (Setting::Drain, ("5".to_owned(), at(4)))];
        assert_eq!(file.values, BTreeMap::from(expected));
    }

    #[test]
    fn lists_of_tables_belong_to_the_application() {
        let file = File::parse("x.toml", "drain = 5\n[[sensors]]\npin = 1\n[[sensors]]\npin = 2\n");
        assert!(file.mistakes.is_empty(), "{:?}", file.mistakes);
        let file = File::parse("x.toml", "sensors = [1, 2]\n");
        assert!(file.mistakes[0].to_string().contains("unknown setting \"sensors\""), "{:?}", file.mistakes);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let file = File::parse("x.toml", "buss = 1\nlog = true\n");
        assert!(
            file.mistakes[0].to_string().starts_with("x.toml:1: ")
                && file.mistakes[0].to_string().contains("name, bus, http")
        );
        assert!(
            file.mistakes[1].to_string().starts_with("x.toml:2: log can't be of type boolean"),
            "{:?}",
            file.mistakes
        );
        let file = File::parse("x.toml", "log = \"info\"\nbus =\n");
        assert!(file.mistakes[0].to_string().starts_with("x.toml:2: not valid TOML"), "{:?}", file.mistakes);
        let file = File::read(Path::new("/nowhere/x.toml"), &SettingSource::Flag("--config"));
        assert!(
            file.mistakes[0]
                .to_string()
                .starts_with("the flag --config: /nowhere/x.toml can't be read: No such file")
        );
    }
}
