//! Settings of a service from its command line, its environment and its settings file (feature `args`).

mod application;
mod check;
mod file;
mod given;
mod service_args;
mod setting;
mod show;

pub(crate) use check::duration;
#[cfg(feature = "testing")]
pub(crate) use file::mistakes_in_file;
pub(crate) use given::{Code, Given, Settled};
pub use service_args::ServiceArgs;
pub(crate) use setting::Setting;
pub(crate) use show::show;
