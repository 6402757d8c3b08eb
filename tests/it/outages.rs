//! Outages of Redis, one after another: the clients of a gateway see 503 where an answer cannot be known, never 401 for a good
//! token, never a pass for a revoked one, wait no longer than the store's timeout, and are served again by themselves.

mod clients;
mod failover;
mod metrics;
mod network;
mod process;

use crate::harness::{Config, Gateway, Upstream};
use clients::Clients;
use std::time::{Duration, Instant};

/// `[store] timeout`.
const TIMEOUT: Duration = Duration::from_millis(300);
/// `[store] feed_timeout`.
const FEED_TIMEOUT: Duration = Duration::from_millis(1200);
/// Within which everything is as before once the store is back.
const RECOVERY: Duration = Duration::from_secs(2);

fn config(upstream: &Upstream, url: &str) -> Config {
    Config::notes(upstream)
        .set("store.url", &format!("\"{url}\""))
        .set("store.timeout", &format!("\"{}ms\"", TIMEOUT.as_millis()))
        .set("store.feed_timeout", &format!("\"{}ms\"", FEED_TIMEOUT.as_millis()))
}

/// Two nodes of one store, with clients that do not stop asking: one denies what it cannot ask about, the other serves what
/// it had.
struct Nodes {
    upstream: Upstream,
    denies: Gateway,
    serves: Gateway,
}

impl Nodes {
    fn of(url: &str) -> Self {
        let upstream = Upstream::start();
        let denies = Gateway::start(config(&upstream, url));
        let serves = Gateway::start(config(&upstream, url).set("cache.on_store_outage", "\"serve-cached\""));
        Self { upstream, denies, serves }
    }

    fn clients(&self) -> Both {
        Both([Clients::of(&self.denies, false), Clients::of(&self.serves, true)])
    }

    /// How often both said that the store answers again.
    fn notices_of_recovery(&self) -> usize {
        let told = |node: &Gateway| node.output().matches("the store answers again").count();
        told(&self.denies) + told(&self.serves)
    }

    /// Waits until the clients of both are served as before, and holds both to what they said.
    fn recovered(&self, clients: Both, back: Instant) {
        for (clients, gateway) in clients.0.into_iter().zip([&self.denies, &self.serves]) {
            clients.recovered(gateway, back);
        }
    }
}

/// The clients of both.
struct Both([Clients; 2]);

impl Both {
    fn each(&self, hold: impl Fn(&Clients)) {
        self.0.iter().for_each(hold);
    }
}
