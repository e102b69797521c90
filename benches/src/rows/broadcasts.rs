//! Broadcasts to listeners that have connections of their own.

use super::{BY_HAND, DAEBUS, NATS};
use crate::bench::{Bench, nats, redis};
use crate::contest::{Contest, Figure};
use crate::figures::{Goal, Values};
use crate::report::Line;

pub(super) fn lines(bench: &Bench) -> Vec<Line> {
    let (redis, nats) = (redis(), nats());
    let redis = redis.as_ref().map(|(_, port)| format!("redis://127.0.0.1:{port}")).map_err(Clone::clone);
    let nats = nats.as_ref().map(|(_, port)| format!("nats://127.0.0.1:{port}")).map_err(Clone::clone);
    let mut lines = Vec::new();
    for listeners in [1, 10, 100] {
        for (bytes, size) in [(16, "16 B"), (1024, "1 KiB")] {
            let what = format!("broadcasts of {size}, listeners: {listeners}");
            let figure = Figure::new(what, "messages/s").goal(Goal::ratio_at_least(BY_HAND, 0.95, 1.0));
            let rate = |peer, url: &Result<String, String>| -> Values {
                let url = url.clone()?;
                let mut command = bench.contender(&["broadcasts", peer, &url]);
                command.args(["--listeners", &listeners.to_string(), "--bytes", &bytes.to_string()]);
                Ok(vec![bench.rate(&mut command)?])
            };
            let contest = Contest::new(vec![figure])
                .contender(DAEBUS, || rate("daebus", &redis))
                .contender(BY_HAND, || rate("by-hand", &redis))
                .contender(NATS, || rate("nats", &nats));
            lines.extend(contest.run(bench.rounds));
        }
    }
    lines
}
