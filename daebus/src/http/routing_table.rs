//! Every path and who answers there: checked in words for what axum's router would panic on, then handed to it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter};
use futures_util::FutureExt as _;

use super::endpoint::{RouteEndpoint, RouteRuntime};
use super::method_not_allowed;
use super::route::{Pattern, Route, Segment};
use crate::error::Mistake;
use crate::handler::Core;

/// Something other than a route that answers at a path of the same server, whatever the method.
pub(crate) struct PathService {
    pub(crate) path: String,
    /// For people: what it is and who asked for it.
    pub(crate) who: String,
    pub(crate) make: Make,
}

/// Makes what answers, once the service is there.
pub(crate) type Make = Box<dyn FnOnce(&Arc<Core>) -> MethodRouter + Send + Sync>;

impl fmt::Debug for PathService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.who, self.path)
    }
}

#[derive(Debug)]
enum Serves {
    Route(Arc<Route>, MethodFilter),
    Other(PathService),
}

/// One pattern and who answers there.
#[derive(Debug)]
struct TableEntry {
    pattern: Pattern,
    axum: String,
    serves: Serves,
}

impl TableEntry {
    fn methods(&self) -> &[&'static str] {
        match &self.serves {
            Serves::Route(route, _) => route.methods,
            Serves::Other(_) => &[],
        }
    }

    /// The first method that both answer to; nothing listed is every method.
    fn overlap(&self, other: &Self) -> Option<&'static str> {
        match (self.methods(), other.methods()) {
            ([], []) => Some("every method"),
            ([], [first, ..]) | ([first, ..], []) => Some(first),
            (methods, others) => methods.iter().find(|method| others.contains(method)).copied(),
        }
    }
}

impl fmt::Display for TableEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.serves {
            Serves::Route(route, _) => write!(f, "{} ({route})", route.definition.source),
            Serves::Other(service) => write!(f, "{} ({:?})", service.who, service.path),
        }
    }
}

/// Every path and who answers there.
#[derive(Debug, Default)]
pub(super) struct RoutingTable(Vec<TableEntry>);

impl RoutingTable {
    /// Adds a route.
    ///
    /// # Errors
    ///
    /// A sentence, when its pattern or a method of it can't be, or it collides with one that is here.
    pub(super) fn add_route(&mut self, route: Arc<Route>) -> Result<(), Mistake> {
        let wrong = |mistake: Mistake| mistake.at(route.definition.source);
        encoded_prefix(&route.prefix).map_err(wrong)?;
        let pattern = Pattern::parse(&route.path())
            .map_err(|reason| wrong(Mistake::new(format!("the route {reason}"))))?;
        let mut filter: Option<MethodFilter> = None;
        for method in route.methods {
            let one =
                Method::from_bytes(method.as_bytes()).ok().and_then(|one| MethodFilter::try_from(one).ok());
            let one = one.ok_or_else(|| {
                wrong(Mistake::new(format!(
                    "{method:?} is no method that a route can have; there are GET, HEAD, POST, PUT, PATCH, DELETE, \
                     OPTIONS, TRACE and CONNECT"
                )))
            })?;
            filter = Some(filter.map_or(one, |filter| filter.or(one)));
        }
        let filter = filter.ok_or_else(|| wrong(Mistake::new("the route has no method")))?;
        self.add(pattern, Serves::Route(route, filter))
    }

    /// Adds something that answers at a path whatever the method.
    ///
    /// # Errors
    ///
    /// As for a route.
    pub(super) fn add_service(&mut self, service: PathService) -> Result<(), Mistake> {
        let pattern = Pattern::parse(&service.path)
            .map_err(|mistake| Mistake::new(format!("the path {mistake}")).at(&service.who))?;
        self.add(pattern, Serves::Other(service))
    }

    fn add(&mut self, pattern: Pattern, serves: Serves) -> Result<(), Mistake> {
        let entry = TableEntry { axum: pattern.to_axum(), pattern, serves };
        for other in &self.0 {
            if other.axum == entry.axum
                && let Some(method) = other.overlap(&entry)
            {
                return Err(Mistake::new(format!(
                    "two answer {method} at one path: {other} and {entry}; change one of the paths"
                )));
            }
            if let Some(at) = clash(&other.pattern, &entry.pattern) {
                return Err(Mistake::new(format!(
                    "at {at:?}, {other} takes one piece of the path where {entry} takes all that is left, or the other way \
                     round, so it can't be told which is meant; put a fixed piece before one of the two"
                )));
            }
        }
        self.0.push(entry);
        Ok(())
    }

    /// Returns every path once, as a pattern of axum's.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|entry| entry.axum.clone()).collect::<BTreeSet<_>>().into_iter()
    }

    /// Returns the entries below this path.
    pub(super) fn under(&self, root: &str) -> Vec<String> {
        let under = self.0.iter().filter(|entry| {
            entry.axum.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        under.map(ToString::to_string).collect()
    }

    /// Returns the router of all routes. `own` is the application's own router.
    pub(super) fn into_router(self, runtime: &RouteRuntime, own: Option<&Router>) -> Router {
        let mut paths: Vec<(String, MethodRouter)> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        for entry in self.0 {
            let at = *index.entry(entry.axum.clone()).or_insert_with(|| {
                paths.push((entry.axum.clone(), MethodRouter::new()));
                paths.len() - 1
            });
            let (_, answers) = &mut paths[at];
            *answers = match entry.serves {
                Serves::Route(route, filter) => {
                    let endpoint = Arc::new(RouteEndpoint::new(runtime, &route, entry.pattern));
                    let run = move |request| Arc::clone(&endpoint).run(request).map(Ok);
                    let methods = MethodRouter::new().on_service(filter, tower::service_fn(run));
                    let layers = route.http_layers.iter();
                    // Methods that overlap were refused.
                    std::mem::take(answers)
                        .merge(layers.fold(methods, |methods, layer| layer.wrap_routes(methods)))
                }
                Serves::Other(service) => (service.make)(&runtime.core),
            };
        }
        // A piece that begins with `:` or `*` is text here; axum's check is for people who come from its version 0.7.
        paths.into_iter().fold(Router::new().without_v07_checks(), |router, (path, answers)| {
            router.route(&path, method_not_allowed::answer(answers, own))
        })
    }
}

/// Returns a prefix as axum's router has it. A prefix is fixed text: no argument stands for a parameter in it.
///
/// # Errors
///
/// Returns a mistake if the prefix has parameters, or is no path.
pub(super) fn encoded_prefix(prefix: &str) -> Result<String, Mistake> {
    if prefix.is_empty() {
        return Ok(String::new());
    }
    let pattern = Pattern::parse(prefix).map_err(|mistake| Mistake::new(format!("the prefix {mistake}")))?;
    let is_fixed = pattern
        .segments()
        .iter()
        .all(|segment| matches!(segment, Segment::Literal(text) if !text.is_empty()));
    if is_fixed {
        Ok(pattern.to_axum())
    } else {
        Err(Mistake::new(format!(
            "the prefix {prefix:?} is fixed text that doesn't end with `/`, such as \"/api\""
        )))
    }
}

/// The place where one pattern has `<name>` and the other `<name..>`, which axum's router doesn't tell apart.
fn clash(a: &Pattern, b: &Pattern) -> Option<String> {
    let mut path = String::new();
    for (a, b) in a.segments().iter().zip(b.segments()) {
        match (a, b) {
            (Segment::One(_), Segment::One(_)) => path.push_str("/<…>"),
            (Segment::Literal(a), Segment::Literal(b)) if a == b => {
                path.push('/');
                path.push_str(a);
            }
            (Segment::One(_), Segment::Rest(_)) | (Segment::Rest(_), Segment::One(_)) => {
                return Some(if path.is_empty() { "/".to_owned() } else { path });
            }
            _ => return None,
        }
    }
    None
}
