//! Applies the settings of an application's arguments, which override those in code.

use std::io::Write;
use std::time::Duration;

use super::attach::Attachment;
use super::builder::Daebus;
use crate::args::{Code, Given, ServiceArgs, Setting, Settled, duration, show};
use crate::error::{Error, Mistake, Result};
use crate::http::Http;
use crate::runtime::logging::{self, DEFAULT_FILTER};
use crate::socket::WebSocket;

impl Daebus {
    /// Creates an application with all settings from its arguments, including its name. Equivalent to
    /// `Daebus::new("").args(args)`; see [`args`](Self::args).
    pub fn from_args(args: &ServiceArgs) -> Self {
        Self::new("").args(args)
    }

    /// Overrides settings in code with those of the arguments, the environment and the settings file, regardless of the order of
    /// the builder's methods. See [`ServiceArgs`].
    ///
    /// Also installs a log subscriber with these settings, unless a global one is installed already. Invalid settings are
    /// reported when the application is started. With `--show-config`, [`run`](Self::run) prints the settings and returns.
    pub fn args(mut self, args: &ServiceArgs) -> Self {
        let given = Given::read(args, |name| std::env::var(name).ok());
        let format = given.get(Setting::LogFormat).and_then(|format| format.parse().ok()).unwrap_or_default();
        // `get` has validated the filter.
        let _ = logging::init_with(given.get(Setting::Log).unwrap_or(DEFAULT_FILTER), format);
        self.given = Some(given);
        self
    }

    /// Applies the arguments. Returns their mistakes.
    pub(super) fn settle(&mut self) -> Vec<Mistake> {
        let Some(given) = self.given.take() else { return Vec::new() };
        let mistakes = self.mistakes(&given);
        if mistakes.is_empty() {
            let settled = given.settle(self.code());
            self.take_over(&settled);
        }
        mistakes
    }

    /// Prints the settings if `--show-config` is set. Returns whether it is.
    pub(super) fn show_config(&self) -> Result<bool> {
        let Some(given) = self.given.as_ref().filter(|given| given.is_to_be_shown()) else {
            return Ok(false);
        };
        let mistakes = self.mistakes(given);
        if !mistakes.is_empty() {
            return Err(Error::Setup { service: self.shown_name(), mistakes });
        }
        let shown = show(given, &given.settle(self.code()));
        // The reader may have closed standard output.
        let _ = std::io::stdout().write_all(shown.as_bytes());
        Ok(true)
    }

    fn mistakes(&self, given: &Given) -> Vec<Mistake> {
        let mut mistakes = given.mistakes().to_vec();
        if self.name.is_empty() && !mistakes.iter().any(|mistake| mistake.message().contains("service name"))
        {
            let unnamed = given.get(Setting::Name).is_none();
            mistakes.extend(unnamed.then(|| {
                Mistake::new(
                    "the service has no name: pass --name, set DAEBUS_NAME, or write Daebus::new(\"…\").args(&args)",
                )
            }));
        }
        mistakes
    }

    fn code(&self) -> Code {
        let name = Some(self.name.clone()).filter(|name| !name.is_empty());
        let http = self.http().map(|http| http.address().to_owned());
        let ws = self.attachments.iter().find_map(|attachment| match attachment {
            Attachment::WebSocket(sockets) => sockets.own_address(http.as_deref()),
            Attachment::Http(_) => None,
        });
        let drain = self.drain.map(|drain| format!("{drain:?}"));
        let settings = [
            (Setting::Name, name),
            (Setting::Bus, self.bus.clone()),
            (Setting::Http, http),
            (Setting::Ws, ws),
            (Setting::Drain, drain),
        ];
        settings.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    fn http(&self) -> Option<&Http> {
        self.attachments.iter().find_map(|attachment| match attachment {
            Attachment::Http(http) => Some(&**http),
            Attachment::WebSocket(_) => None,
        })
    }

    fn take_over(&mut self, settled: &Settled) {
        let given = |key| settled.given(key).map(str::to_owned);
        if let Some(name) = given(Setting::Name) {
            self.name = name;
        }
        self.bus = given(Setting::Bus).or_else(|| self.bus.take());
        let drain: Option<Duration> = given(Setting::Drain).and_then(|drain| duration(&drain).ok());
        self.drain = drain.or(self.drain);
        if let Some(address) = settled.given_address(Setting::Http) {
            self.rebind_http(address);
        }
        if let Some(address) = settled.given_address(Setting::Ws) {
            self.rebind_sockets(address);
        }
    }

    fn rebind_http(&mut self, address: String) {
        for attachment in &mut self.attachments {
            if let Attachment::Http(http) = attachment {
                return http.rebind(address);
            }
        }
        self.attachments.push(Http::bind(address).into());
    }

    fn rebind_sockets(&mut self, address: String) {
        for attachment in &mut self.attachments {
            if let Attachment::WebSocket(sockets) = attachment {
                return sockets.rebind(address);
            }
        }
        self.attachments.push(WebSocket::new().bind(address).into());
    }
}
