//! `/_service/metrics`: Prometheus's text format, read strictly.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy's own exception ends at the test functions
#![allow(clippy::float_cmp, reason = "the compared samples are small whole numbers")]

use std::collections::{BTreeMap, BTreeSet};

use daebus::prelude::*;
use daebus_tests_support::eventually;

type Labels = BTreeMap<String, String>;

/// The samples of a text by name and labels. Parsing panics if the text violates the format.
struct Metrics {
    types: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

impl Metrics {
    fn read(text: &str) -> Self {
        let mut metrics = Self { types: BTreeMap::new(), samples: BTreeMap::new() };
        let (mut helps, mut family) = (BTreeSet::new(), String::new());
        assert!(text.ends_with('\n'), "the last line has no line feed");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, text) = help.split_once(' ').expect("a text");
                assert!(is_name(name) && !text.is_empty() && helps.insert(name.to_owned()), "{line}");
                name.clone_into(&mut family);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert!(name == family && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(kind != "histogram" || name.ends_with("_seconds"), "{line}");
                assert!(metrics.types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let (name, labels) =
                    series.split_once('{').map_or((series, Labels::new()), |(name, labels)| {
                        (name, read_labels(labels.strip_suffix('}').expect("a closing brace")))
                    });
                let own: &[&str] = if metrics.types[&family] == "histogram" {
                    &["_bucket", "_sum", "_count"]
                } else {
                    &[""]
                };
                assert!(own.iter().any(|suffix| name == format!("{family}{suffix}")), "{line}");
                let value: f64 = value.parse().expect("a number");
                assert!(value.is_finite() && value >= 0.0, "{line}");
                let is_new = metrics.samples.insert((name.to_owned(), labels), value).is_none();
                assert!(is_new, "duplicate series: {line}");
            }
        }
        metrics.check_histograms();
        metrics
    }

    /// Buckets ascend, and the last one is the count.
    fn check_histograms(&self) {
        for (name, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            for ((_, labels), count) in
                self.samples.iter().filter(|((of, _), _)| *of == format!("{name}_count"))
            {
                let buckets = self.samples.iter().filter(|((of, other), _)| {
                    let mut other = other.clone();
                    *of == format!("{name}_bucket") && other.remove("le").is_some() && other == *labels
                });
                let mut buckets: Vec<(f64, f64)> =
                    buckets.map(|((_, labels), value)| (labels["le"].parse().unwrap(), *value)).collect();
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name} {labels:?}");
                assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{name} {labels:?}");
                assert!(self.samples.contains_key(&(format!("{name}_sum"), labels.clone())), "{name}");
            }
        }
    }

    fn get<const N: usize>(&self, name: &str, labels: [(&str, &str); N]) -> f64 {
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let key = (name.to_owned(), Labels::from(labels));
        *self.samples.get(&key).unwrap_or_else(|| panic!("{key:?} is not among {:#?}", self.samples))
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|character| matches!(character, 'a'..='z' | '0'..='9' | '_'))
}

fn read_labels(text: &str) -> Labels {
    let (mut labels, mut rest) = (Labels::new(), text);
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("a value");
        assert!(is_name(name), "{name}");
        let (mut value, mut characters) = (String::new(), after.char_indices());
        let end = loop {
            match characters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().expect("an escaped character").1 {
                    'n' => '\n',
                    other @ ('"' | '\\') => other,
                    other => panic!("invalid escape \\{other}"),
                }),
                (_, other) => value.push(other),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "duplicate label {name}");
        rest = &after[end + 1..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').expect("a comma");
        }
    }
    labels
}

#[action("strange \"name\"\\")]
async fn strange() {}

#[action("fail")]
#[route("/fail")]
async fn fail() -> Result<(), Fault> {
    Err(Fault::new("no", "no"))
}

/// Two listeners of one channel share their series.
#[listen("events")]
async fn first(Payload(_): Payload<Value>) {}

#[listen("events")]
async fn second(Payload(_): Payload<Value>) {}

#[tokio::test]
async fn the_metrics_are_in_the_prometheus_format_and_match_the_requests() -> Result<(), BoxError> {
    let service = Daebus::new("svc")
        .bus("memory://introspection-metrics")
        .version("1.0")
        .register(blueprint_of!["b"; strange, fail, first, second])
        .attach(Http::bind("127.0.0.1:0"))
        .start()
        .await?;
    let root = format!("http://{}", service.http_addr().ok_or("no address")?);
    let url = format!("{root}/_service/metrics");
    let caller = service.callers().to("svc");
    for _ in 0..3 {
        caller.send_request::<Value>("strange \"name\"\\", ()).await?;
    }
    caller.send_request::<Value>("fail", ()).await.unwrap_err();
    caller.send_request::<Value>("unknown", ()).await.unwrap_err();
    assert_eq!(reqwest::get(format!("{root}/fail")).await?.status(), 400);
    caller.send_message("events", 1).await?;
    let listen = [("kind", "listen"), ("handler", "events")];
    eventually("both listeners have run", async || {
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        Metrics::read(&text).get("daebus_handler_duration_seconds_count", listen) >= 2.0
    })
    .await;

    let response = reqwest::get(&url).await?;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let metrics = Metrics::read(&response.text().await?);
    let requests = |kind, handler, outcome| {
        let labels = [("kind", kind), ("handler", handler), ("outcome", outcome)];
        metrics.get("daebus_handler_requests_total", labels)
    };
    assert_eq!(requests("action", "strange \"name\"\\", "success"), 3.0);
    assert_eq!(requests("action", "fail", "success"), 0.0);
    assert_eq!(requests("action", "fail", "error"), 1.0);
    assert_eq!(requests("route", "GET /fail", "error"), 1.0);
    assert_eq!(requests("listen", "events", "success"), 2.0);
    assert_eq!(metrics.get("daebus_requests_refused_total", [("code", "unknown_action")]), 2.0);
    assert_eq!(metrics.get("daebus_queue_length", [("queue", "backlog")]), 0.0);
    assert_eq!(metrics.get("daebus_listener_dropped_total", [("channel", "events")]), 0.0);
    assert_eq!(metrics.get("daebus_replies_lost_total", []), 0.0);
    let labels = [("kind", "action"), ("handler", "fail")];
    assert_eq!(metrics.get("daebus_handler_duration_seconds_count", labels), 1.0);
    assert_eq!(metrics.get("daebus_handler_in_flight", labels), 0.0);
    let ping: Value = caller.send_request("$ping", ()).await?;
    let id = ping["id"].as_str().ok_or("no id")?;
    let info = [("service", "svc"), ("instance_id", id), ("version", "1.0")];
    assert_eq!(metrics.get("daebus_service_info", info), 1.0);
    assert!(metrics.get("daebus_start_time_seconds", []) > 1.7e9);
    Ok(service.stop().await?)
}

#[tokio::test]
async fn the_metrics_can_be_disabled() -> Result<(), BoxError> {
    let service = Daebus::new("svc")
        .bus("memory://introspection-no-metrics")
        .register(blueprint_of!["b"; fail])
        .attach(Http::bind("127.0.0.1:0").service_routes(false))
        .start()
        .await?;
    let address = service.http_addr().ok_or("no address")?;
    assert_eq!(reqwest::get(format!("http://{address}/_service/metrics")).await?.status(), 404);
    Ok(service.stop().await?)
}
