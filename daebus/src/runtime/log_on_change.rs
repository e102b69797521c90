//! Logging a repeated error once when it begins and once when it ends.

use std::fmt::Display;

use tracing::{error, info};

/// Logs the errors of work that is repeated: an error that repeats unchanged is not logged again.
#[derive(Debug, Default)]
pub(crate) struct LogOnChange {
    current: Option<Repeated>,
}

/// An error, and how often it repeated after it was logged.
#[derive(Debug, PartialEq, Eq)]
struct Repeated {
    error: String,
    repetitions: u64,
}

/// What changed.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    /// An error began; the one before it, if any, ended.
    Began(Option<Repeated>),
    Ended(Repeated),
}

impl LogOnChange {
    /// Logs the result of a run if it differs from the previous one. `subject` names the work.
    pub(crate) fn log(&mut self, subject: &dyn Display, error: Option<&str>) {
        let ended = match self.change(error) {
            Change::Nothing => return,
            Change::Began(before) => before,
            Change::Ended(ended) => Some(ended),
        };
        if let Some(Repeated { error, repetitions }) = ended {
            info!(%subject, repetitions, error, "error ended; its repetitions were not logged");
        }
        if let Some(reason) = error {
            error!(%subject, reason, "run failed; repetitions of this error are not logged until it ends");
        }
    }

    fn change(&mut self, error: Option<&str>) -> Change {
        match (error, &mut self.current) {
            (None, None) => Change::Nothing,
            (Some(error), Some(current)) if current.error == error => {
                current.repetitions += 1;
                Change::Nothing
            }
            (Some(error), _) => {
                let began = Repeated { error: error.to_owned(), repetitions: 0 };
                Change::Began(self.current.replace(began))
            }
            (None, Some(_)) => self.current.take().map_or(Change::Nothing, Change::Ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(error: &str, repetitions: u64) -> Repeated {
        Repeated { error: error.to_owned(), repetitions }
    }

    #[test]
    fn an_error_changes_when_it_begins_and_when_it_ends() {
        let mut log = LogOnChange::default();
        assert_eq!(log.change(None), Change::Nothing);
        assert_eq!(log.change(Some("a")), Change::Began(None));
        assert_eq!(log.change(Some("a")), Change::Nothing);
        assert_eq!(log.change(Some("a")), Change::Nothing);
        assert_eq!(log.change(Some("b")), Change::Began(Some(repeated("a", 2))));
        assert_eq!(log.change(None), Change::Ended(repeated("b", 0)));
        assert_eq!(log.change(None), Change::Nothing);
    }
}
