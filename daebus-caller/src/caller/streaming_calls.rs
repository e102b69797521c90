//! The methods of a caller that open streams and workflows.

use futures_util::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Caller;
use super::each::EachCall;
use super::stream::{FromSession, StreamCall, Streaming};
use super::workflow::Workflow;
use crate::contract::FromFault;

impl Caller {
    /// Calls an action that answers with a stream, untyped.
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) -> Result<(), daebus_caller::CallError> {
    /// use serde_json::{Value, json};
    ///
    /// let mut lines = caller.stream::<Value>("follow", json!({"file": "syslog"})).await?;
    /// while let Some(line) = lines.next().await {
    ///     println!("{}", line?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn stream<T>(&self, action: &str, payload: impl Serialize) -> StreamCall<Streaming<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.__open(action, &payload)
    }

    /// Calls a workflow, untyped: `T` is its final answer; its reports and questions are JSON.
    ///
    /// ```
    /// # async fn example(caller: daebus_caller::Caller) -> Result<(), daebus_caller::CallError> {
    /// use daebus_caller::WorkflowUpdate;
    /// use serde_json::{Value, json};
    ///
    /// let mut session = caller.workflow::<Value>("connect_wifi", json!({"ssid": "office"})).await?;
    /// while let Some(update) = session.next().await {
    ///     match update {
    ///         WorkflowUpdate::Tell(step) => println!("{step}"),
    ///         WorkflowUpdate::Ask { question, reply } => {
    ///             println!("{question}");
    ///             // An error here is reported by the next update as well.
    ///             let _ = reply.send("secret").await;
    ///         }
    ///         WorkflowUpdate::Done(connected) => println!("{}", connected?),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn workflow<T>(&self, action: &str, payload: impl Serialize) -> StreamCall<Workflow<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        self.__open(action, &payload)
    }

    /// What generated stubs of streaming actions and workflows call.
    #[doc(hidden)]
    pub fn __open<S: FromSession>(&self, action: &str, payload: &(impl Serialize + ?Sized)) -> StreamCall<S> {
        StreamCall::new(self.peer.clone(), self.timeout, action, payload, self.balance)
    }

    /// What generated stubs with `each` call.
    #[doc(hidden)]
    pub fn __each<T, E>(
        &self,
        action: &'static str,
        items: impl Stream<Item = T> + Send + 'static,
        idempotent: bool,
    ) -> EachCall<E>
    where
        T: Serialize + Send + 'static,
        E: FromFault,
    {
        EachCall::new((self.peer.clone(), self.timeout, self.balance), action, items, idempotent)
    }
}
