//! What the attributes say of a schedule and of a thread, before anything runs.

mod schedule;
mod thread;
mod timetable;

pub(crate) use schedule::check_interval;
pub use schedule::{Overlap, Schedule};
pub use thread::{Restart, ThreadOptions};
pub(crate) use timetable::Timetable;
