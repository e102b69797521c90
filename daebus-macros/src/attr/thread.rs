//! `#[thread("monitor")]`, `#[thread("monitor", auto_start = false, restart = "on_failure")]`.

use syn::LitStr;

use super::arguments::Arguments;
use crate::mistakes::Mistakes;
use crate::names;

/// A handler that runs for as long as the service does, checked.
pub(crate) struct Thread {
    pub(crate) name: LitStr,
    pub(crate) auto_start: Option<bool>,
    pub(crate) restart: Option<Restart>,
}

#[derive(Clone, Copy)]
pub(crate) enum Restart {
    Never,
    OnFailure,
}

const RESTARTS: [(&str, Restart); 2] = [("never", Restart::Never), ("on_failure", Restart::OnFailure)];

impl Thread {
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Option<Self> {
        let name = arguments.name("the thread", "\"monitor\"", mistakes);
        let auto_start = arguments.truth("auto_start", mistakes);
        let restart = arguments.word("restart", &RESTARTS, mistakes);
        arguments.finish(mistakes);
        let name = name?;
        if let Err(reason) = names::check_text(&name.value()) {
            mistakes.on(&name, format!("this can't be the name of a thread: {reason}"));
        }
        Some(Self { name, auto_start, restart })
    }
}
