//! The instances on the bus.

use std::collections::BTreeSet;

use daebus_caller::fred::interfaces::KeysInterface;
use daebus_caller::wire::presence;
use daebus_caller::{BusError, Instance, InstanceId};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::suggestion::did_you_mean;

/// How many keys the server examines per step, and how many infos are read at once.
const STEP: u32 = 500;

/// Returns all live instances, by service and id.
pub(crate) async fn all(connection: &Connection) -> Result<Vec<Instance>, Failure> {
    let bus = connection.bus();
    let redis = bus.redis().ok_or_else(|| BusError::Away { location: bus.location() })?;
    let pattern = format!("{}*", presence::INFO_PREFIX);
    let (mut cursor, mut keys) = ("0".to_owned(), BTreeSet::new());
    loop {
        let page: (String, Vec<String>) = redis
            .scan_page(cursor, pattern.clone(), Some(STEP), None)
            .await
            .map_err(|error| Failure::Bus(format!("the keys of the bus can't be listed: {error}")))?;
        keys.extend(page.1);
        cursor = page.0;
        if cursor == "0" {
            break;
        }
    }
    read(connection, keys.into_iter().collect()).await
}

/// Returns the live instances of a service, by id.
pub(crate) async fn of_service(connection: &Connection, service: &str) -> Result<Vec<Instance>, Failure> {
    let ids = connection.bus().set_members(&presence::instances_key(service)).await?;
    let keys = ids.iter().filter_map(|id| InstanceId::new(id).ok()).map(|id| presence::info_key(&id));
    let mut instances = read(connection, keys.collect()).await?;
    instances.retain(|instance| instance.service == service);
    Ok(instances)
}

async fn read(connection: &Connection, keys: Vec<String>) -> Result<Vec<Instance>, Failure> {
    let mut instances = Vec::with_capacity(keys.len());
    for keys in keys.chunks(STEP as usize) {
        let values = connection.bus().get_many(keys).await?;
        instances.extend(values.into_iter().flatten().filter_map(|value| Instance::read(&value).ok()));
    }
    instances.sort_by(|one: &Instance, other| (&one.service, &one.id).cmp(&(&other.service, &other.id)));
    Ok(instances)
}

/// Returns the failure of a command whose service has no live instance; it suggests a similar name.
pub(crate) async fn no_service(connection: &Connection, service: &str) -> Failure {
    let location = connection.bus().location();
    if connection.bus().subscribers(service).await.is_ok_and(|count| count > 0) {
        return Failure::NoService(format!(
            "{service:?} is on the bus at {location}, but announces no instance, as services written in Python; \
             call, listen and send work with it"
        ));
    }
    let services = all(connection).await.unwrap_or_default();
    let names = services.iter().map(|instance| instance.service.as_str());
    let hint = did_you_mean(service, names);
    let next = if hint.is_empty() { "; `daebus services` lists those that are" } else { "" };
    Failure::NoService(format!("no service {service:?} is on the bus at {location}{hint}{next}"))
}

/// Returns the failure of a call to an instance that is not there, or no more; it suggests a similar id.
pub(crate) async fn no_instance(connection: &Connection, service: &str, instance: &str) -> Failure {
    let instances = of_service(connection, service).await.unwrap_or_default();
    if instances.is_empty() {
        return no_service(connection, service).await;
    }
    let hint = did_you_mean(instance, instances.iter().map(|instance| instance.id.as_str()));
    Failure::NoService(format!(
        "the instance {instance:?} of {service} is gone, or never existed{hint}; `daebus instances {service}` lists those that are alive"
    ))
}

/// Returns the suggestion of an action's name that is similar to an unknown one.
pub(crate) async fn similar_action(connection: &Connection, service: &str, action: &str) -> String {
    let instances = of_service(connection, service).await.unwrap_or_default();
    let names = instances.iter().flat_map(|instance| instance.actions.iter().map(String::as_str));
    did_you_mean(action, names)
}
