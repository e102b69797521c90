//! Queries to the bus that concurrent calls share.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::BusError;

/// Queries for a number, by channel. At most one per channel is in flight.
pub(super) struct SharedQueries {
    queries: Mutex<HashMap<Arc<str>, Query>>,
    kept: Duration,
}

#[derive(Clone)]
struct Query {
    sent: Instant,
    answer: Shared<BoxFuture<'static, Result<Count, BusError>>>,
}

/// The answer to a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    pub(super) value: u64,
    /// When the answer arrived.
    pub(super) at: Instant,
}

impl SharedQueries {
    /// Creates a set of queries whose answers are `kept` that long for later calls.
    pub(super) fn new(kept: Duration) -> Self {
        Self { queries: Mutex::default(), kept }
    }

    /// Returns the answer to a query that was sent at `since` or later, and sends one if there is none.
    pub(super) async fn ask<F>(
        &self,
        channel: &str,
        since: Instant,
        send: impl Fn(Arc<str>) -> F,
    ) -> Result<Count, BusError>
    where
        F: Future<Output = Result<u64, BusError>> + Send + 'static,
    {
        loop {
            let query = self.join(channel, since, &send);
            let answer = query.answer.await;
            // The server may have counted before `since`, so an earlier query is only waited for.
            if query.sent >= since {
                return answer;
            }
        }
    }

    fn join<F>(&self, channel: &str, since: Instant, send: impl Fn(Arc<str>) -> F) -> Query
    where
        F: Future<Output = Result<u64, BusError>> + Send + 'static,
    {
        let mut queries = self.queries.lock();
        if let Some(query) = queries.get(channel)
            && (query.sent >= since || !query.is_answered())
        {
            return query.clone();
        }
        queries.retain(|_, query| query.is_of_use(self.kept));
        let channel: Arc<str> = channel.into();
        let asked = send(Arc::clone(&channel));
        let answer = async move { asked.await.map(|value| Count { value, at: Instant::now() }) };
        let query = Query { sent: Instant::now(), answer: answer.boxed().shared() };
        queries.insert(channel, query.clone());
        query
    }
}

impl Query {
    fn is_answered(&self) -> bool {
        self.answer.peek().is_some()
    }

    /// Bounds the map: what is kept is recent, or is waited for by a call.
    fn is_of_use(&self, kept: Duration) -> bool {
        if self.is_answered() {
            self.sent.elapsed() < kept
        } else {
            self.answer.strong_count().is_some_and(|owners| owners > 1)
        }
    }
}

impl fmt::Debug for SharedQueries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedQueries").field("channels", &self.queries.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const KEPT: Duration = Duration::from_millis(250);
    const TAKES: Duration = Duration::from_millis(20);

    /// Counts its queries, and answers each with its number.
    #[derive(Default)]
    struct Server(Arc<AtomicU64>);

    impl Server {
        fn query(&self) -> impl Future<Output = Result<u64, BusError>> + Send + use<> {
            let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            async move {
                tokio::time::sleep(TAKES).await;
                Ok(number)
            }
        }

        fn asked(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_query_answers_all_who_ask_meanwhile_and_shortly_after() {
        let (queries, server) = (SharedQueries::new(KEPT), Server::default());
        let since = Instant::now();
        let ask = || queries.ask("svc", since, |_| server.query());
        assert!(join_all((0..1000).map(|_| ask())).await.into_iter().all(|it| it.unwrap().value == 1));
        assert_eq!(ask().await.unwrap().value, 1);
        assert_eq!(server.asked(), 1);
        assert_eq!(queries.ask("other", since, |_| server.query()).await.unwrap().value, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_was_sent_too_early_is_followed_by_another() {
        let (queries, server) = (SharedQueries::new(KEPT), Server::default());
        let early = queries.ask("svc", Instant::now(), |_| server.query());
        let late = async {
            tokio::time::sleep(TAKES / 2).await;
            let since = Instant::now();
            join_all((0..10).map(|_| queries.ask("svc", since, |_| server.query()))).await
        };
        let (early, late) = tokio::join!(early, late);
        assert_eq!(early.unwrap().value, 1);
        assert!(late.into_iter().all(|it| it.unwrap().value == 2));
        assert_eq!(server.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn neither_answered_nor_abandoned_queries_pile_up() {
        let (queries, server) = (SharedQueries::new(KEPT), Server::default());
        for number in 0..100 {
            let channel = number.to_string();
            let asked = queries.ask(&channel, Instant::now(), |_| server.query());
            if number % 2 == 0 {
                assert!(tokio::time::timeout(TAKES / 2, asked).await.is_err(), "abandoned");
            } else {
                asked.await.unwrap();
                tokio::time::sleep(KEPT).await;
            }
            assert!(queries.queries.lock().len() <= 2);
        }
    }
}
