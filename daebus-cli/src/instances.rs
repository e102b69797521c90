//! `daebus services` and `daebus instances`.

use std::time::{Duration, SystemTime};

use daebus_caller::{Instance, InstanceState};
use serde::Serialize;

use crate::connection::Connection;
use crate::directory;
use crate::failure::Failure;
use crate::output::{Output, uptime};

/// A service and how many of its instances are alive.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ServiceRow {
    service: String,
    instances: usize,
    draining: usize,
    /// The versions of its instances.
    versions: Vec<String>,
    actions: usize,
}

/// An instance.
#[derive(Debug, Serialize)]
struct InstanceRow<'a> {
    #[serde(flatten)]
    instance: &'a Instance,
    uptime_seconds: u64,
}

pub(crate) async fn services(connection: &Connection, output: Output) -> Result<(), Failure> {
    let instances = directory::all(connection).await?;
    let services: Vec<ServiceRow> =
        instances.chunk_by(|one, other| one.service == other.service).map(service).collect();
    if services.is_empty() {
        output.note("no service has a live instance; services written in Python are not listed");
        return Ok(());
    }
    output.rows(["SERVICE", "INSTANCES", "VERSION", "ACTIONS"], &services, |row| {
        let draining = if row.draining > 0 { format!(" ({} draining)", row.draining) } else { String::new() };
        let versions = if row.versions.is_empty() { "-".into() } else { row.versions.join(", ") };
        [row.service.clone(), format!("{}{draining}", row.instances), versions, row.actions.to_string()]
    })?;
    Ok(())
}

/// Summarizes the instances of one service.
fn service(instances: &[Instance]) -> ServiceRow {
    let mut versions: Vec<_> = instances.iter().filter_map(|instance| instance.version.clone()).collect();
    versions.sort();
    versions.dedup();
    let mut actions: Vec<_> = instances.iter().flat_map(|instance| &instance.actions).collect();
    actions.sort();
    actions.dedup();
    ServiceRow {
        service: instances.first().map(|instance| instance.service.clone()).unwrap_or_default(),
        instances: instances.len(),
        draining: instances.iter().filter(|instance| !instance.is_running()).count(),
        versions,
        actions: actions.len(),
    }
}

pub(crate) async fn list(
    connection: &Connection,
    output: Output,
    service: Option<&str>,
) -> Result<(), Failure> {
    let instances = match service {
        Some(service) => directory::of_service(connection, service).await?,
        None => directory::all(connection).await?,
    };
    if instances.is_empty() {
        return match service {
            Some(service) => Err(directory::no_service(connection, service).await),
            None => {
                output.note("no service has a live instance; services written in Python are not listed");
                Ok(())
            }
        };
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let rows: Vec<InstanceRow<'_>> = instances
        .iter()
        .map(|instance| InstanceRow {
            instance,
            uptime_seconds: now.saturating_sub(Duration::from_millis(instance.started)).as_secs(),
        })
        .collect();
    output.rows(["INSTANCE", "SERVICE", "VERSION", "HOST", "PID", "UPTIME", "STATE"], &rows, |row| {
        let Instance { id, service, version, host, pid, state, .. } = row.instance;
        let state = match state {
            InstanceState::Running => "running",
            _ => "draining",
        };
        [
            id.to_string(),
            service.clone(),
            version.clone().unwrap_or_else(|| "-".into()),
            host.clone(),
            pid.to_string(),
            uptime(row.uptime_seconds),
            state.into(),
        ]
    })?;
    Ok(())
}
