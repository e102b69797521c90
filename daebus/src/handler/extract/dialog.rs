use std::time::Duration;

use daebus_caller::deadline::Deadline;
use daebus_caller::session::{Session, SessionError};
use daebus_caller::wire::{RawJson, decode_message, encode};
use daebus_macros::Fault;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Extract;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::kind::Workflow;
use crate::handler::session::RequestSession;
use crate::handler::state::Needs;

/// How long [`Dialog::ask`] waits for an answer: a person may have to find a password.
const ANSWER: Duration = Duration::from_secs(300);

/// The caller of a workflow: the workflow reports to it, and asks it questions.
///
/// ```
/// use daebus::prelude::*;
/// use daebus::DialogError;
///
/// #[workflow("connect_wifi")]
/// pub async fn connect(Payload(ssid): Payload<String>, mut dialog: Dialog) -> Result<bool, DialogError> {
///     dialog.tell("connecting").await?;
///     let password: String = dialog.ask(format!("password of {ssid}")).await?;
///     Ok(!password.is_empty())
/// }
/// ```
#[derive(Debug)]
pub struct Dialog {
    session: Session,
}

/// Errors of a [`Dialog`].
///
/// As the error of a handler, or as a variant with `#[fault(transparent)]`, [`Unanswered`](Self::Unanswered) and
/// [`InvalidAnswer`](Self::InvalidAnswer) reach the caller with their codes. After the other errors the caller's call has failed
/// already.
#[derive(Debug, thiserror::Error, Serialize, Deserialize, Fault)]
#[non_exhaustive]
pub enum DialogError {
    /// The caller didn't answer a question in time. The workflow may ask again.
    #[error("the question was not answered within {after_ms} ms")]
    #[fault(code = "question_unanswered", status = 504)]
    Unanswered {
        /// The question's limit in milliseconds.
        after_ms: u64,
    },
    /// The answer doesn't fit the type that was asked for. The workflow may ask again.
    #[error("the answer can't be read: {reason}")]
    #[fault(code = "invalid_answer", status = 400)]
    InvalidAnswer {
        /// The field and the reason.
        reason: String,
    },
    /// The caller is gone: its process has ended, or its connection broke.
    #[error("the caller is gone: {0}")]
    #[fault(internal)]
    #[serde(skip)]
    CallerGone(SessionError),
    /// The session ended with another error; [`SessionError::AnsweredTwice`] for a second answer to one question.
    #[error(transparent)]
    #[fault(internal)]
    #[serde(skip)]
    Session(SessionError),
    /// The value can't be written as JSON.
    #[error("the value can't be written as JSON: {0}")]
    #[fault(internal)]
    #[serde(skip)]
    Encode(serde_json::Error),
}

impl Dialog {
    /// Reports something to the caller. Waits while the caller has not taken the reports before: 64 or 1 MiB by default.
    ///
    /// # Errors
    ///
    /// Returns an error if the caller is gone, or if the value can't be written as JSON.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: if the future is dropped while it sends, the session may end with [`SessionError::Gap`].
    pub fn tell(&mut self, update: impl Serialize) -> BoxFuture<'_, Result<(), DialogError>> {
        let payload = encode(&update);
        Box::pin(async move { Ok(self.session.send_item(payload.map_err(DialogError::Encode)?).await?) })
    }

    /// Asks the caller a question and waits up to 300 s for its answer.
    ///
    /// # Errors
    ///
    /// Returns [`DialogError::Unanswered`] if there is no answer in time, [`DialogError::InvalidAnswer`] if it doesn't fit `A`, and an
    /// error if the caller is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the question; a later answer to it is ignored.
    pub fn ask<A: DeserializeOwned>(
        &mut self,
        question: impl Serialize,
    ) -> BoxFuture<'_, Result<A, DialogError>> {
        self.ask_within(question, ANSWER)
    }

    /// Asks as [`ask`](Self::ask) does, and waits up to `limit` for the answer.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    ///
    /// # Cancel safety
    ///
    /// As [`ask`](Self::ask).
    pub fn ask_within<A: DeserializeOwned>(
        &mut self,
        question: impl Serialize,
        limit: Duration,
    ) -> BoxFuture<'_, Result<A, DialogError>> {
        let payload = encode(&question);
        Box::pin(async move {
            let payload = payload.map_err(DialogError::Encode)?;
            let answer = self.session.ask(payload, Deadline::after(limit).instant()).await?;
            let after_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            let answer = answer.as_ref().map(RawJson::as_str).ok_or(DialogError::Unanswered { after_ms })?;
            decode_message(answer).map_err(|error| DialogError::InvalidAnswer { reason: error.to_string() })
        })
    }
}

impl From<SessionError> for DialogError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Lost { .. } | SessionError::Gone => Self::CallerGone(error),
            error => Self::Session(error),
        }
    }
}

impl Extract<Workflow> for Dialog {
    fn needs(needs: &mut Needs) {
        needs.session();
    }

    async fn extract(cx: &mut Context) -> Result<Self, Failure> {
        Ok(Self { session: RequestSession::of(cx)?.session.clone() })
    }
}
