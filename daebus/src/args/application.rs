//! The tables of the application in the settings file.

use serde::de::DeserializeOwned;

use super::file;
use super::given::config;
use super::service_args::ServiceArgs;
use crate::error::{Error, Result};

impl ServiceArgs {
    /// Deserializes the tables of the application in the settings file, such as `[room]` and `[[sensors]]`, as `T`.
    ///
    /// Settings of the service, such as `bus`, are not passed to `T`, so `T` may use `#[serde(deny_unknown_fields)]`. Without a
    /// settings file, `T` is deserialized from an empty table.
    ///
    /// ```
    /// use daebus::ServiceArgs;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Settings {
    ///     #[serde(default)]
    ///     sensors: Vec<Sensor>,
    /// }
    ///
    /// #[derive(Deserialize)]
    /// struct Sensor {
    ///     pin: u8,
    /// }
    ///
    /// # fn main() -> daebus::Result<()> {
    /// let args = ServiceArgs::default();
    /// let settings: Settings = args.settings()?;
    /// for sensor in &settings.sensors {
    ///     println!("a sensor at pin {}", sensor.pin);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Setup`] with the file and the field if the file can't be read or can't be deserialized as `T`.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let path = config(self, variable).map(|(path, _)| path);
        file::settings(path.as_deref()).map_err(|mistake| {
            let service = self.name.clone().unwrap_or_else(|| "the service".to_owned());
            Error::Setup { service, mistakes: vec![mistake] }
        })
    }
}
