//! `daebus info`.

mod schema;

use std::time::Duration;

use daebus_caller::Fault;
use daebus_caller::wire::FaultCode;
use serde_json::Value;

use crate::call::explained;
use crate::connection::Connection;
use crate::directory;
use crate::failure::Failure;
use crate::output::{BOLD, FAINT, Output, counted, pretty};
use crate::report::{DescribedHandler, InfoReport, report_of};
use crate::suggestion::did_you_mean;

/// How long an instance may take to describe itself.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(
    connection: &Connection,
    output: Output,
    service: &str,
    action: Option<&str>,
) -> Result<(), Failure> {
    let instances = directory::of_service(connection, service).await?;
    // The newest instance: during an update, the description of the new version is of interest.
    let Some(instance) = instances.iter().max_by_key(|instance| (instance.is_running(), instance.started))
    else {
        return Err(directory::no_service(connection, service).await);
    };
    let answer = match report_of(connection, service, &instance.id, "$info", TIMEOUT).await {
        Ok(answer) => answer,
        Err(error) => return Err(explained(connection, service, "$info", error).await),
    };
    if let Some(action) = action {
        return one_action(output, &answer, service, action);
    }
    if output.is_json() {
        return Ok(output.object(&answer)?);
    }
    let info: InfoReport = serde_json::from_value(answer)
        .map_err(|error| Failure::Bus(format!("the answer of {} can't be read: {error}", instance.id)))?;
    let version = info.version.as_deref().unwrap_or_default();
    let title = format!("{BOLD}{}{BOLD:#} {version}", info.service);
    output.line(&format!("{}, {}", title.trim_end(), counted(instances.len(), "instance")))?;
    if let Some(description) = &info.description {
        output.line(description)?;
    }
    let sections = [
        ("Actions", &info.actions),
        ("Channels", &info.channels),
        ("Routes", &info.routes),
        ("WebSocket messages", &info.sockets),
        ("Schedules", &info.schedules),
    ];
    for (title, handlers) in sections.into_iter().filter(|(_, handlers)| !handlers.is_empty()) {
        output.line(&format!("\n{BOLD}{title}{BOLD:#}"))?;
        handlers.iter().try_for_each(|handler| print(output, handler))?;
    }
    Ok(())
}

/// Prints the description of one action, with its JSON Schemas.
fn one_action(output: Output, info: &Value, service: &str, action: &str) -> Result<(), Failure> {
    let actions = info["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
    match actions.iter().find(|entry| entry["name"] == action) {
        Some(entry) if output.is_json() => Ok(output.object(entry)?),
        Some(entry) => Ok(output.line(&pretty(entry))?),
        None => {
            let names = actions.iter().filter_map(|entry| entry["name"].as_str());
            let hint = did_you_mean(action, names);
            let text = format!("{service} has no action {action:?}{hint}");
            Err(Failure::Answer(Fault::reserved(FaultCode::UnknownAction, text)))
        }
    }
}

fn print(output: Output, handler: &DescribedHandler) -> std::io::Result<()> {
    let DescribedHandler { name, kind, methods, pattern, schedule, description, .. } = handler;
    let named = match (pattern, name) {
        (Some(pattern), _) => format!("{} {pattern}", methods.join("|")),
        (None, Some(name)) => name.clone(),
        (None, None) => kind.clone().unwrap_or_else(|| "binary frames".into()),
    };
    let schedule = schedule.as_ref().map(|schedule| format!("  {FAINT}{schedule}{FAINT:#}"));
    output.line(&format!("  {named}{}", schedule.unwrap_or_default()))?;
    for line in description.iter().flat_map(|text| text.lines()) {
        output.line(&format!("      {line}"))?;
    }
    let DescribedHandler { payload, progress, answer, error, .. } = handler;
    let schemas = [("payload", payload), ("progress", progress), ("answer", answer), ("error", error)];
    for (name, schema) in schemas {
        if let Some(schema) = schema {
            output.line(&format!("      {FAINT}{name:<8}{FAINT:#} {}", schema::summary(schema)))?;
        }
    }
    Ok(())
}
