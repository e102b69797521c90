//! Collects settings from flags, environment variables and the settings file, and merges them with those in code.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::check::check;
use super::file::File;
use super::service_args::ServiceArgs;
use super::setting::{Setting, SettingSource};
use crate::error::Mistake;
use crate::runtime::address;

/// The environment variable with the path of the settings file.
const CONFIG: &str = "DAEBUS_CONFIG";

/// The settings from flags, environment variables and the settings file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    values: BTreeMap<Setting, (String, SettingSource)>,
    /// The path of the settings file, and the source of the path.
    pub(super) config: Option<(PathBuf, SettingSource)>,
    mistakes: Vec<Mistake>,
    show: bool,
}

/// Returns the path of the settings file, and the source of the path.
pub(super) fn config(
    args: &ServiceArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<(PathBuf, SettingSource)> {
    let by_flag = args.config.clone().map(|path| (path, SettingSource::Flag("--config")));
    by_flag.or_else(|| Some((variable(CONFIG)?.into(), SettingSource::Variable(CONFIG))))
}

/// The settings in code.
pub(crate) type Code = BTreeMap<Setting, String>;

/// The merged settings of a service, each with its source.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    values: BTreeMap<Setting, (String, SettingSource)>,
}

impl Given {
    /// Reads the settings. Mistakes are kept, and reported when the service starts.
    pub(crate) fn read(args: &ServiceArgs, variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let config = config(args, variable);
        let File { values: in_file, mut mistakes } =
            config.as_ref().map(|(path, source)| File::read(path, source)).unwrap_or_default();
        let mut values = BTreeMap::new();
        for key in Setting::ALL {
            let flag = args.flag(key).map(|(flag, value)| (value, SettingSource::Flag(flag)));
            let in_variable = || {
                let mut variables = key.variables().iter();
                variables.find_map(|name| Some((variable(name)?, SettingSource::Variable(name))))
            };
            let found = flag.or_else(in_variable).or_else(|| in_file.get(&key).cloned());
            if let Some((value, source)) = found {
                mistakes.extend(check(key, &value).err().map(|mistake| mistake.at(&source)));
                values.insert(key, (value, source));
            }
        }
        Self { values, config, mistakes, show: args.show_config }
    }

    /// Returns the mistakes that were found, each with its source.
    pub(crate) fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Returns whether `--show-config` is set.
    pub(crate) fn is_to_be_shown(&self) -> bool {
        self.show
    }

    /// Returns a setting that was given and is valid.
    pub(crate) fn get(&self, key: Setting) -> Option<&str> {
        let (value, _) = self.values.get(&key)?;
        check(key, value).is_ok().then_some(value)
    }

    /// Merges the settings with those in code. Given settings take precedence.
    pub(crate) fn settle(&self, code: Code) -> Settled {
        let mut values: BTreeMap<_, _> =
            code.into_iter().map(|(key, value)| (key, (value, SettingSource::Code))).collect();
        values.extend(self.values.clone());
        Settled { values }
    }
}

impl Settled {
    /// Returns a setting that overrides the one in code.
    pub(crate) fn given(&self, key: Setting) -> Option<&str> {
        self.values
            .get(&key)
            .filter(|(_, source)| *source != SettingSource::Code)
            .map(|(value, _)| value.as_str())
    }

    /// Returns an address that overrides the one in code.
    pub(crate) fn given_address(&self, key: Setting) -> Option<String> {
        self.given(key).and_then(|value| address(value).ok())
    }

    /// Returns a setting and its source, for [`show`](super::show::show).
    pub(super) fn said(&self, key: Setting) -> Option<(&str, &SettingSource)> {
        self.values.get(&key).map(|(value, source)| (value.as_str(), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: &ServiceArgs, variables: &[(&str, &str)]) -> Given {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Given::read(args, |name| variables.get(name).map(ToString::to_string))
    }

    fn assert_setting(settled: &Settled, key: Setting, value: &str, source: &SettingSource) {
        assert_eq!(settled.said(key), Some((value, source)));
    }

    #[test]
    fn a_flag_overrides_a_variable_which_overrides_the_file_which_overrides_the_code() {
        let path = std::env::temp_dir().join(format!("daebus-given-{}.toml", std::process::id()));
        std::fs::write(&path, "name = \"file\"\nbus = \"memory://file\"\ndrain = \"3s\"\nlog = \"warn\"\n")
            .unwrap();
        let args = ServiceArgs {
            name: Some("flag".into()),
            config: Some(path.clone()),
            debug: true,
            ..ServiceArgs::default()
        };
        let variables =
            [("DAEBUS_NAME", "variable"), ("DAEBUS_URL", "memory://variable"), ("DAEBUS_HTTP", " ")];
        let given = given(&args, &variables);
        std::fs::remove_file(&path).unwrap();
        assert!(given.mistakes().is_empty(), "{:?}", given.mistakes());
        let code = [Setting::Name, Setting::Bus, Setting::Drain, Setting::Http]
            .map(|key| (key, format!("code's {key:?}")));
        let settled = given.settle(code.into());
        assert_setting(&settled, Setting::Name, "flag", &SettingSource::Flag("--name"));
        assert_setting(&settled, Setting::Bus, "memory://variable", &SettingSource::Variable("DAEBUS_URL"));
        assert_setting(&settled, Setting::Drain, "3s", &SettingSource::File(path.display().to_string(), 3));
        assert_setting(&settled, Setting::Http, "code's Http", &SettingSource::Code);
        assert_setting(&settled, Setting::Log, "debug", &SettingSource::Flag("--debug"));
        assert_eq!(settled.said(Setting::LogFormat), None);
        assert_eq!((settled.given(Setting::Http), settled.given(Setting::Name)), (None, Some("flag")));
    }

    #[test]
    fn daebus_log_overrides_rust_log() {
        let log = |variables: &[(&str, &str)]| {
            given(&ServiceArgs::default(), variables).get(Setting::Log).map(str::to_owned)
        };
        assert_eq!(log(&[]), None);
        assert_eq!(log(&[("RUST_LOG", "warn")]).as_deref(), Some("warn"));
        assert_eq!(log(&[("RUST_LOG", "warn"), ("DAEBUS_LOG", "error")]).as_deref(), Some("error"));
    }

    #[test]
    fn every_mistake_names_its_source() {
        let args = ServiceArgs {
            drain: Some("soon".into()),
            config: Some("/nowhere.toml".into()),
            ..ServiceArgs::default()
        };
        let variables = [
            ("DAEBUS_URL", "http://u:secret@host"),
            ("DAEBUS_LOG_FORMAT", "xml"),
            ("DAEBUS_NAME", "caller:me"),
            ("DAEBUS_HTTP", "everywhere"),
        ];
        let given = given(&args, &variables);
        let mistakes: Vec<String> = given.mistakes().iter().map(ToString::to_string).collect();
        let mistakes = mistakes.join("\n");
        for words in [
            "the flag --config: /nowhere.toml can't be read",
            "the flag --drain: \"soon\" is not a duration: write 30s",
            "the variable DAEBUS_URL: ",
            "redis://127.0.0.1:6379",
            "the variable DAEBUS_LOG_FORMAT: \"xml\" is not a log format",
            "the variable DAEBUS_NAME: ",
            "the variable DAEBUS_HTTP: \"everywhere\" is not an address",
        ] {
            assert!(mistakes.contains(words), "{words:?} is missing in:\n{mistakes}");
        }
        assert!(!mistakes.contains("secret"), "{mistakes}");
        assert_eq!(given.get(Setting::Drain), None);
    }
}
