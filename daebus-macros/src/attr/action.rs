//! `#[action("get_user", timeout = "2s", concurrency = 1, idempotent)]`.

use std::time::Duration;

use syn::{LitStr, Type};

use super::arguments::Arguments;
use super::duration_argument;
use crate::mistakes::Mistakes;
use crate::names;

/// An action, checked.
#[derive(Clone)]
pub(crate) struct Action {
    pub(crate) name: LitStr,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) idempotent: bool,
    pub(crate) types: Types,
    /// The types of the reports and questions of a workflow, if it is one.
    pub(crate) workflow: Option<WorkflowTypes>,
}

/// What the stub of a workflow receives, as far as the attribute names it.
#[derive(Clone)]
pub(crate) struct WorkflowTypes {
    pub(crate) tell: Option<Type>,
    pub(crate) ask: Option<Type>,
}

impl WorkflowTypes {
    pub(crate) fn take(arguments: &mut Arguments, mistakes: &mut Mistakes) -> Self {
        Self { tell: arguments.ty("tell", mistakes), ask: arguments.ty("ask", mistakes) }
    }
}

/// What the stub is told about types that can't be seen in the signature.
#[derive(Clone)]
pub(crate) struct Types {
    pub(crate) payload: Option<Type>,
    pub(crate) answer: Option<Type>,
    pub(crate) error: Option<Type>,
    pub(crate) progress: Option<Type>,
}

impl Action {
    /// A name that can't be used leaves an action with an empty one, so that a stub still gets its method.
    pub(super) fn check(mut arguments: Arguments, mistakes: &mut Mistakes) -> Self {
        let span = arguments.span;
        let name = arguments
            .name("the action", "\"get_user\"", mistakes)
            .and_then(|name| checked_action_name(name, mistakes));
        let timeout = duration_argument::argument(&mut arguments, "timeout", "2s", mistakes);
        let timeout = timeout.map(|(timeout, _)| timeout);
        let concurrency = arguments.count("concurrency", mistakes);
        let idempotent = arguments.flag("idempotent", mistakes);
        let types = Types {
            payload: arguments.ty("payload", mistakes),
            answer: arguments.ty("answer", mistakes),
            error: arguments.ty("error", mistakes),
            progress: arguments.ty("progress", mistakes),
        };
        arguments.finish(mistakes);
        let name = name.unwrap_or_else(|| LitStr::new("", span));
        Self { name, timeout, concurrency, idempotent, types, workflow: None }
    }

    /// `#[workflow("connect_wifi", tell = Step, ask = Question)]`.
    pub(super) fn check_workflow(mut arguments: Arguments, mistakes: &mut Mistakes) -> Self {
        let span = arguments.span;
        let name = arguments
            .name("the workflow", "\"connect_wifi\"", mistakes)
            .and_then(|name| checked_action_name(name, mistakes));
        let concurrency = arguments.count("concurrency", mistakes);
        let workflow = Some(WorkflowTypes::take(&mut arguments, mistakes));
        let types = Types {
            payload: arguments.ty("payload", mistakes),
            answer: arguments.ty("answer", mistakes),
            error: arguments.ty("error", mistakes),
            progress: None,
        };
        arguments.finish(mistakes);
        let name = name.unwrap_or_else(|| LitStr::new("", span));
        Self { name, timeout: None, concurrency, idempotent: false, types, workflow }
    }
}

/// The name, when it can be that of an action.
pub(crate) fn checked_action_name(name: LitStr, mistakes: &mut Mistakes) -> Option<LitStr> {
    match names::check_action(&name.value()) {
        Ok(()) => Some(name),
        Err(reason) => {
            mistakes.on(&name, format!("this can't be the name of an action: {reason}"));
            None
        }
    }
}
