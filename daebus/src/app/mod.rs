//! The application, and the service that it starts.

mod attach;
mod banner;
mod builder;
mod bus;
mod hooks;
mod service;
#[cfg(feature = "args")]
mod settings;
mod signals;
mod startup;
mod systemd;

pub use attach::Attachment;
#[cfg(feature = "testing")]
pub(crate) use attach::Binding;
pub use builder::Daebus;
pub use service::Service;
pub use signals::run_all;
#[cfg(feature = "testing")]
pub(crate) use startup::Environment;
