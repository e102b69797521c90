//! The attributes' arguments: raw in `arguments`, then checked, one file an attribute.

mod action;
mod argument;
mod arguments;
mod attribute;
mod background;
mod duration;
mod duration_argument;
mod hook;
mod kind;
mod listen;
mod literal;
mod pattern;
mod route;
mod socket;
mod thread;

pub(crate) use action::{Action, WorkflowTypes, checked_action_name};
pub(crate) use arguments::Arguments;
pub(crate) use attribute::{Checked, RawAttribute};
pub(crate) use background::{Background, Overlap, When};
pub(crate) use hook::Hook;
pub(crate) use kind::Kind;
pub(crate) use listen::{Topic, checked_channel};
pub(crate) use literal::literal;
pub(crate) use route::Route;
pub(crate) use thread::{Restart, Thread};
