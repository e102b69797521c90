//! `daebus call`.

use daebus_caller::wire::FaultCode;
use daebus_caller::{CallError, Fault, Update, Workflow, WorkflowUpdate};
use futures_util::stream;
use serde_json::{Value, json};

use crate::arguments::Call;
use crate::connection::Connection;
use crate::directory;
use crate::failure::Failure;
use crate::output::{GREEN, Output, RED, pretty};

pub(crate) async fn run(
    connection: &Connection,
    output: Output,
    call: Call,
    payload: Value,
) -> Result<(), Failure> {
    let Call { service, action, on, all, timeout, header, .. } = call;
    let caller = connection.caller(&service);
    let mut call = caller.send_request::<Value>(&action, payload.clone()).timeout(timeout);
    let mut session =
        caller.workflow::<Value>(&action, payload).timeout(timeout).items(stream::empty::<Value>());
    for (name, value) in header {
        call = call.header(&name, &value);
        session = session.header(name, value);
    }
    if let Some(instance) = on {
        call = call.on_instance(&instance);
        session = session.on_instance(instance);
    }
    if all {
        return on_all(connection, output, &service, call).await;
    }
    let mut updates = call.progress();
    let outcome = loop {
        match updates.next().await {
            Some(Update::Progress(update)) => progress(output, &update)?,
            Some(Update::Done(outcome)) => break outcome,
            None => return Err(Failure::Bus("the call ended without an answer".into())),
        }
    };
    match outcome {
        Err(CallError::Service(fault)) if needs_session(&fault) => match session.await {
            Ok(session) => print_stream(output, session).await,
            Err(error) => Err(explained(connection, &service, &action, error).await),
        },
        Ok(answer) if output.is_json() => Ok(output.object(&json!({"answer": answer}))?),
        Ok(answer) => Ok(output.line(&pretty(&answer))?),
        Err(error) => Err(explained(connection, &service, &action, error).await),
    }
}

/// Whether the action takes or returns a stream. It was not run then.
fn needs_session(fault: &Fault) -> bool {
    fault.is_refused() && fault.code() == Some("session_required")
}

/// Prints each item as it arrives, and then the answer if there is one.
async fn print_stream(output: Output, mut session: Workflow<Value>) -> Result<(), Failure> {
    let mut items = 0_u64;
    while let Some(update) = session.next().await {
        match update {
            WorkflowUpdate::Tell(item) => {
                items += 1;
                if output.is_json() {
                    output.object(&json!({"item": item}))?;
                } else {
                    output.line(&item.to_string())?;
                }
            }
            WorkflowUpdate::Ask { question, .. } => {
                let text = format!("the workflow asks {question}, which `daebus call` can't answer");
                return Err(Failure::Answer(Fault::new("question_unanswered", text)));
            }
            // The final reply of a stream has no answer.
            WorkflowUpdate::Done(Ok(answer)) if items > 0 && answer == json!({}) => {}
            WorkflowUpdate::Done(Ok(answer)) if output.is_json() => {
                output.object(&json!({"answer": answer}))?;
            }
            WorkflowUpdate::Done(Ok(answer)) => output.line(&pretty(&answer))?,
            WorkflowUpdate::Done(Err(error)) => return Err(error.into()),
        }
    }
    Ok(())
}

fn progress(output: Output, update: &Value) -> std::io::Result<()> {
    if output.is_json() {
        output.object(&json!({"progress": update}))
    } else {
        output.note(&format!("progress: {update}"));
        Ok(())
    }
}

/// Returns the failure of a call. For an unknown name it suggests a similar one.
pub(crate) async fn explained(
    connection: &Connection,
    service: &str,
    action: &str,
    error: CallError,
) -> Failure {
    match error {
        CallError::NoService { .. } => directory::no_service(connection, service).await,
        CallError::Service(fault) | CallError::Fault(fault)
            if fault.reserved_code() == Some(FaultCode::UnknownAction) =>
        {
            let hint = directory::similar_action(connection, service, action).await;
            Failure::Answer(Fault::reserved(FaultCode::UnknownAction, format!("{}{hint}", fault.error())))
        }
        CallError::InstanceLost { instance } => directory::no_instance(connection, service, &instance).await,
        error => error.into(),
    }
}

async fn on_all(
    connection: &Connection,
    output: Output,
    service: &str,
    call: daebus_caller::Call<Value>,
) -> Result<(), Failure> {
    // Output that can't be written is reported by the answers.
    let call = call.on_progress(move |update: Value| drop(progress(output, &update)));
    let outcomes = match call.on_all().await {
        Ok(outcomes) => outcomes,
        Err(CallError::NoService { .. }) => return Err(directory::no_service(connection, service).await),
        Err(error) => return Err(error.into()),
    };
    for (instance, outcome) in &outcomes {
        match outcome {
            Ok(answer) if output.is_json() => {
                output.object(&json!({"instance": instance, "answer": answer}))?;
            }
            Err(error) if output.is_json() => {
                output.object(&json!({"instance": instance, "error": error.to_string()}))?;
            }
            Ok(answer) => output.line(&format!("{GREEN}{instance}{GREEN:#}  {}", pretty(answer)))?,
            Err(error) => output.line(&format!("{RED}{instance}  error:{RED:#} {error}"))?,
        }
    }
    let of = outcomes.len();
    let failures: Vec<Failure> =
        outcomes.into_values().filter_map(|outcome| outcome.err().map(Failure::from)).collect();
    Failure::of_instances(&failures, of)
}
