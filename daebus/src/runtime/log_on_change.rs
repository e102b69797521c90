//! Saying a thing that goes on once when it begins and once when it ends.

/// Remembers what was said last, so that an error that repeats with the same words doesn't fill the log.
#[derive(Debug, Default)]
pub(crate) struct LogOnChange {
    current: Option<Repeated>,
}

/// An error, and how often it was left out of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repeated {
    pub(crate) words: String,
    /// How many times beyond the first.
    pub(crate) swallowed: u64,
}

/// What there is to say now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing: all is well as before, or as bad as before.
    Nothing,
    /// An error began. One that went on before it, if any, has ended.
    Began(Option<Repeated>),
    /// The error that went on has ended, and all is well.
    Ended(Repeated),
}

impl LogOnChange {
    /// Notes how it went: an error's words, or that there was none.
    pub(crate) fn note(&mut self, error: Option<&str>) -> Change {
        match (error, &mut self.current) {
            (None, None) => Change::Nothing,
            (Some(words), Some(current)) if current.words == words => {
                current.swallowed += 1;
                Change::Nothing
            }
            (Some(words), _) => {
                let began = Repeated { words: words.to_owned(), swallowed: 0 };
                Change::Began(self.current.replace(began))
            }
            (None, Some(_)) => self.current.take().map_or(Change::Nothing, Change::Ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(words: &str, swallowed: u64) -> Repeated {
        Repeated { words: words.to_owned(), swallowed }
    }

    #[test]
    fn an_error_is_told_when_it_begins_and_when_it_ends() {
        let mut log = LogOnChange::default();
        assert_eq!(log.note(None), Change::Nothing);
        assert_eq!(log.note(Some("a")), Change::Began(None));
        assert_eq!(log.note(Some("a")), Change::Nothing);
        assert_eq!(log.note(Some("a")), Change::Nothing);
        assert_eq!(log.note(Some("b")), Change::Began(Some(repeated("a", 2))));
        assert_eq!(log.note(None), Change::Ended(repeated("b", 0)));
        assert_eq!(log.note(None), Change::Nothing);
    }
}
