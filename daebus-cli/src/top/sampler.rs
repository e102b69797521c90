//! Asks all instances for their `$stats`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use daebus_caller::{Caller, Instance, InstanceId};
use futures_util::{FutureExt, StreamExt, stream};

use super::rates::Rates;
use super::rows::InstanceRates;
use crate::connection::Connection;
use crate::directory;
use crate::failure::Failure;
use crate::report::{StatsReport, report_of};

/// How often the instances are listed: the server examines all its keys for it.
const LIST_EVERY: Duration = Duration::from_secs(5);

/// The limit on the time in which an instance answers.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many instances are asked at once.
const AT_ONCE: usize = 64;

/// The instances, and their last reports.
pub(super) struct Sampler {
    connection: Connection,
    service: Option<String>,
    timeout: Duration,
    listed: Option<Instant>,
    instances: Vec<Instance>,
    /// One for each service: its list of instances is kept up to date as long as there is a caller.
    callers: HashMap<String, Caller>,
    reports: HashMap<InstanceId, StatsReport>,
}

impl Sampler {
    pub(super) fn new(connection: Connection, service: Option<String>, interval: Duration) -> Self {
        Self {
            connection,
            service,
            timeout: interval.clamp(TIMEOUT / 4, TIMEOUT),
            listed: None,
            instances: Vec::new(),
            callers: HashMap::new(),
            reports: HashMap::new(),
        }
    }

    /// Returns what the instances did since the last call, by service and id.
    pub(super) async fn sample(&mut self) -> Result<Vec<InstanceRates>, Failure> {
        if self.listed.is_none_or(|listed| listed.elapsed() >= LIST_EVERY) {
            self.list().await?;
        }
        let (connection, timeout) = (&self.connection, self.timeout);
        let answers = self.instances.iter().map(|instance| {
            // Boxed: the compiler can't prove of a stream of these futures that it is `Send`.
            async move {
                let answer = report_of(connection, &instance.service, &instance.id, "$stats", timeout).await;
                answer.map_err(|error| error.to_string()).and_then(|answer| {
                    serde_json::from_value::<StatsReport>(answer).map_err(|error| error.to_string())
                })
            }
            .boxed()
        });
        let answers: Vec<_> = answers.collect();
        let answers: Vec<Result<StatsReport, String>> =
            stream::iter(answers).buffered(AT_ONCE).collect().await;
        let mut reports = HashMap::with_capacity(answers.len());
        let mut rows = Vec::with_capacity(answers.len());
        for (instance, answer) in self.instances.iter().zip(answers) {
            let before = self.reports.get(&instance.id);
            let rates = answer.as_ref().ok().and_then(|report| Rates::between(before?, report));
            rows.push(InstanceRates::new(instance, answer.as_ref().map_err(Clone::clone), rates));
            // The report before is kept for an instance that did not answer this time.
            if let Some(report) = answer.ok().or_else(|| before.cloned()) {
                reports.insert(instance.id.clone(), report);
            }
        }
        self.reports = reports;
        Ok(rows)
    }

    async fn list(&mut self) -> Result<(), Failure> {
        self.instances = match &self.service {
            Some(service) => directory::of_service(&self.connection, service).await?,
            None => directory::all(&self.connection).await?,
        };
        if let (Some(service), None) = (&self.service, self.listed)
            && self.instances.is_empty()
        {
            return Err(directory::no_service(&self.connection, service).await);
        }
        let services = self.instances.iter().map(|instance| &instance.service);
        let caller = |service: &String| (service.clone(), self.connection.caller(service));
        self.callers = services.map(caller).collect();
        self.listed = Some(Instant::now());
        Ok(())
    }
}
