//! Arguments as they stand in the parentheses, before anybody asks what they mean.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, Lit, LitStr, Path, Token, Type};

use super::argument::{Argument, Value};
use super::duration::MAX;
use crate::mistakes::Mistakes;
use crate::suggestion::suggestion;

/// Everything between an attribute's parentheses. What is taken out by name is known; what is left over isn't.
pub(crate) struct Arguments {
    /// The attribute, for messages.
    attribute: &'static str,
    /// Where the attribute itself stands.
    pub(crate) span: Span,
    rest: Vec<Argument>,
    /// Whether a name was asked for.
    named: bool,
    /// The keys that were asked for, to suggest one for a key that nobody asked for.
    known: Vec<&'static str>,
    /// Whether something couldn't be read at all, so that what is missing may have been meant there.
    broken: bool,
}

/// An interval without a key.
pub(crate) enum Seconds {
    Absent,
    /// Reported.
    Invalid,
    Given(Duration),
}

impl Arguments {
    /// Reads what is there; an argument that can't be read is reported, and the next one looked at.
    pub(crate) fn read(
        tokens: TokenStream,
        attribute: &'static str,
        span: Span,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut rest = Vec::new();
        let mut broken = false;
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let argument = Argument::parse(input).and_then(|argument| {
                    let at_end = input.is_empty() || input.peek(Token![,]);
                    if at_end {
                        Ok(argument)
                    } else {
                        Err(input.error("expected a `,` between two arguments"))
                    }
                });
                match argument {
                    Ok(argument) => rest.push(argument),
                    Err(error) => {
                        broken = true;
                        mistakes.add(error);
                        while !input.is_empty() && !input.peek(Token![,]) {
                            input.parse::<TokenTree>()?;
                        }
                    }
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = read.parse2(tokens) {
            mistakes.add(error);
        }
        Self { attribute, span, rest, named: false, known: Vec::new(), broken }
    }

    /// The name in quotes that the attribute begins with. `what` names the item in errors, `example` is a full argument list.
    pub(crate) fn name(&mut self, what: &str, example: &str, mistakes: &mut Mistakes) -> Option<LitStr> {
        self.first(&format!("the name of {what}"), example, mistakes)
    }

    /// The text in quotes that the attribute begins with. `what` names the item in errors, `example` is a full argument list.
    pub(crate) fn first(&mut self, what: &str, example: &str, mistakes: &mut Mistakes) -> Option<LitStr> {
        let attribute = self.attribute;
        let write = format!("write `#[{attribute}({example})]`");
        self.named = true;
        let Some(at) = self.rest.iter().position(|argument| argument.key.is_none()) else {
            // `#[action(get_user)]`: the quotes are missing.
            if let Some(Argument { key: Some(key), value: Value::Flag }) = self.rest.first() {
                mistakes.on(key, format!("{what} goes in quotes: `#[{attribute}(\"{key}\")]`"));
                self.rest.remove(0);
            } else if !self.broken {
                mistakes.at(self.span, format!("`{attribute}` needs {what}: {write}"));
            }
            return None;
        };
        let argument = self.rest.remove(at);
        match argument.value.literal() {
            Some(Lit::Str(name)) => Some(name.clone()),
            Some(_) => {
                mistakes.at(argument.span(), format!("{what} is a text in quotes: {write}"));
                None
            }
            None => {
                mistakes.at(
                    argument.span(),
                    format!("{what} is written out in quotes, since it is checked as the program is compiled: {write}"),
                );
                None
            }
        }
    }

    /// The value of `key`; a second one is a mistake.
    fn value(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<(Ident, Value)> {
        self.known.push(key);
        self.take(key, mistakes)
    }

    /// The value of a key that no message lists.
    fn take(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<(Ident, Value)> {
        let mut found = None;
        let mut rest = Vec::new();
        for argument in std::mem::take(&mut self.rest) {
            match argument.key {
                Some(word) if word == key => {
                    if found.is_some() {
                        mistakes.on(&word, format!("`{key}` is said twice; leave one of them out"));
                    } else {
                        found = Some((word, argument.value));
                    }
                }
                _ => rest.push(argument),
            }
        }
        self.rest = rest;
        found
    }

    /// `idempotent`.
    pub(crate) fn flag(&mut self, key: &'static str, mistakes: &mut Mistakes) -> bool {
        match self.value(key, mistakes) {
            Some((_, Value::Flag)) => true,
            Some((word, _)) => {
                mistakes.on(word, format!("`{key}` stands alone: leave out the value"));
                false
            }
            None => false,
        }
    }

    /// `timeout = "2s"`; `expected` says what to write.
    pub(crate) fn text(
        &mut self,
        key: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
    ) -> Option<LitStr> {
        let (word, value) = self.value(key, mistakes)?;
        match (value.literal(), &value) {
            (Some(Lit::Str(text)), _) => Some(text.clone()),
            (_, Value::Expr(expr)) => {
                mistakes.on(expr, expected);
                None
            }
            _ => {
                mistakes.on(word, expected);
                None
            }
        }
    }

    /// `concurrency = 8`: a whole number from 1 on.
    pub(crate) fn count(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<usize> {
        let (word, value) = self.value(key, mistakes)?;
        let expected = format!("`{key}` is a whole number from 1 on: `{key} = 8`");
        if let Some(Lit::Int(number)) = value.literal()
            && let Ok(count @ 1..) = number.base10_parse()
        {
            return Some(count);
        }
        match value {
            Value::Expr(expr) => mistakes.on(expr, expected),
            _ => mistakes.on(word, expected),
        }
        None
    }

    /// Whether every argument has been asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether something couldn't be read at all, so that what is missing may have been meant there.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// `3600`, without a key: a number of seconds, whole or not. Asked for after every key, so that a name alone can be
    /// recognised as a constant.
    pub(crate) fn seconds(&mut self, mistakes: &mut Mistakes) -> Seconds {
        let is_value = |argument: &Argument| {
            argument.key.is_none() && !matches!(argument.value.literal(), Some(Lit::Str(_)))
        };
        let is_constant = |argument: &Argument| match (&argument.key, &argument.value) {
            (Some(key), Value::Flag) => !key.to_string().contains(char::is_lowercase),
            _ => false,
        };
        let at = self.rest.iter().position(is_value).or_else(|| self.rest.iter().position(is_constant));
        let Some(at) = at else { return Seconds::Absent };
        let argument = self.rest.remove(at);
        let seconds = match argument.value.literal() {
            Some(Lit::Int(number)) => number.base10_parse::<u32>().ok().map(f64::from),
            Some(Lit::Float(number)) => number.base10_parse::<f64>().ok(),
            _ => None,
        };
        let allowed = Duration::from_millis(1)..=MAX;
        let interval = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match interval.filter(|interval| allowed.contains(interval)) {
            Some(interval) => Seconds::Given(interval),
            None => {
                mistakes.at(
                    argument.span(),
                    "the interval is a number of seconds, written out, from a millisecond to a year: `3600`, `0.5`",
                );
                Seconds::Invalid
            }
        }
    }

    /// `auto_start = false`.
    pub(crate) fn truth(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<bool> {
        let (word, value) = self.value(key, mistakes)?;
        if let Some(Lit::Bool(truth)) = value.literal() {
            return Some(truth.value());
        }
        let expected = format!("`{key}` is `true` or `false`, without quotes");
        match value {
            Value::Expr(expr) => mistakes.on(expr, expected),
            _ => mistakes.on(word, expected),
        }
        None
    }

    /// `overlap = "skip"`: one of a few words in quotes.
    pub(crate) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        mistakes: &mut Mistakes,
    ) -> Option<T> {
        let known: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let expected = format!("`{key}` is one of {}", known.join(", "));
        let text = self.text(key, &expected, mistakes)?;
        let found = words.iter().find(|(word, _)| text.value() == *word);
        if found.is_none() {
            mistakes.on(&text, expected);
        }
        found.map(|(_, value)| *value)
    }

    /// A literal number, or what else stands there.
    pub(crate) fn expr(
        &mut self,
        key: &'static str,
        expected: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Expr> {
        match self.value(key, mistakes)? {
            (_, Value::Expr(expr)) => Some(expr),
            (word, _) => {
                mistakes.on(word, expected);
                None
            }
        }
    }

    /// `payload = GetUser`.
    pub(crate) fn ty(&mut self, key: &'static str, mistakes: &mut Mistakes) -> Option<Type> {
        match self.value(key, mistakes)? {
            (_, Value::Type(ty)) => Some(ty),
            (word, _) => {
                mistakes.on(word, format!("`{key}` needs a type: `{key} = GetUser`"));
                None
            }
        }
    }

    /// Whether there is a value without a key.
    pub(crate) fn has_unnamed(&self) -> bool {
        self.rest.iter().any(|argument| argument.key.is_none())
    }

    /// `contract = Users`. `what` is what the path stands for, `example` a value.
    pub(crate) fn path(
        &mut self,
        key: &'static str,
        what: &str,
        example: &str,
        mistakes: &mut Mistakes,
    ) -> Option<Path> {
        match self.value(key, mistakes)? {
            (_, Value::Path(path)) => Some(path),
            (word, _) => {
                mistakes.on(word, format!("`{key}` needs {what}: `{key} = {example}`"));
                None
            }
        }
    }

    /// `crate = facade::daebus`: the path of the framework in a crate that has it from another one.
    pub(crate) fn root(&mut self, mistakes: &mut Mistakes) -> Option<Path> {
        // Every attribute takes it, so no message lists it.
        match self.take("crate", mistakes)? {
            (_, Value::Path(path)) => Some(path),
            (word, _) => {
                mistakes.on(word, "`crate` needs the path of the framework: `crate = facade::daebus`");
                None
            }
        }
    }

    /// Whatever nobody asked for.
    pub(crate) fn finish(self, mistakes: &mut Mistakes) {
        let attribute = self.attribute;
        for argument in &self.rest {
            match &argument.key {
                Some(key) => {
                    let suggestion = suggestion(&key.to_string(), &self.known);
                    mistakes.on(key, format!("`{attribute}` has no argument `{key}`{suggestion}"));
                }
                None if self.known.is_empty() => {
                    mistakes.at(
                        argument.span(),
                        format!("`{attribute}` takes no arguments: write `#[{attribute}]`"),
                    );
                }
                None if !self.named => {
                    mistakes.at(argument.span(), format!("`{attribute}` takes no name: leave it out"));
                }
                None => mistakes.at(
                    argument.span(),
                    format!(
                        "`{attribute}` takes one name; for a second name write a second `#[{attribute}(…)]`"
                    ),
                ),
            }
        }
    }
}
