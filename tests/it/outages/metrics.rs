//! What an operator sees of it: how old the news is, what the cache spares the store, what ended.

use super::{FEED_TIMEOUT, config};
use crate::harness::{Gateway, Redis, Relay, SERVICE, Upstream, eventually};
use std::time::Duration;

fn metric<T: std::str::FromStr<Err: std::fmt::Debug>>(gateway: &Gateway, name: &str) -> T {
    let metrics = gateway.metrics();
    let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in\n{metrics}")).parse().unwrap()
}

/// How much each of these has grown.
fn growth<const N: usize>(gateway: &Gateway, names: [&str; N], happen: impl FnOnce()) -> [u64; N] {
    let before = names.map(|name| metric::<u64>(gateway, name));
    happen();
    std::array::from_fn(|place| metric::<u64>(gateway, names[place]) - before[place])
}

/// Hazards 2.7
#[test]
fn the_cache_and_its_news_are_in_the_metrics() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let relay = Relay::to(redis.port());
    let gateway = Gateway::start(config(&upstream, &relay.url()).set("store.timeout", "\"5s\""));
    let (hits, misses) = ("tollgate_cache_hits_total", "tollgate_cache_misses_total");
    let lookups = "tollgate_store_lookup_seconds_count";
    let (token, fresh) = (gateway.token("notes:read"), gateway.token("notes:read"));
    let get = |token: &str| gateway.get("/notes/1").bearer(token).send();
    let once_and_again = || {
        for _ in 0..3 {
            get(&token).expect(200);
        }
    };
    assert_eq!(growth(&gateway, [hits, misses, lookups], once_and_again), [2, 1, 1]);
    // Many ask about one token while Redis takes its time: it is asked once.
    let together = || {
        relay.hold();
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| assert_eq!(get(&fresh).status, 200));
            }
            std::thread::sleep(Duration::from_millis(300));
            relay.release();
        });
    };
    assert_eq!(growth(&gateway, [misses, "tollgate_cache_coalesced_total"], together), [5, 4]);
    let revoke = || {
        gateway.post("/oauth2/revoke").basic(SERVICE).form(&[("token", &token)]).send().expect(200);
    };
    assert_eq!(growth(&gateway, ["tollgate_cache_invalidations_total"], revoke), [1]);
    let flush = || {
        redis.command("FLUSHALL");
        eventually("it has ended", || get(&fresh).status == 401);
    };
    assert_eq!(growth(&gateway, ["tollgate_cache_invalidations_total"], flush), [1]);
}

/// The feed is silent: its age grows beyond what is believed, and is small again when it is back.
#[test]
fn the_age_of_the_news_grows_while_none_comes() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let relay = Relay::to(redis.port());
    let gateway = Gateway::start(config(&upstream, &relay.url()));
    let token = gateway.token("notes:read");
    let age = || metric::<f64>(&gateway, "tollgate_store_feed_age_seconds");
    let up = || metric::<u64>(&gateway, "tollgate_store_up") == 1;
    assert!(age() < FEED_TIMEOUT.as_secs_f64() && up(), "{}", age());
    relay.hold();
    eventually("it grows", || age() > FEED_TIMEOUT.as_secs_f64() * 1.5);
    assert!(!up());
    let ask = || assert_eq!(gateway.get("/notes/1").bearer(&token).send().status, 503);
    assert_eq!(growth(&gateway, ["tollgate_store_failures_total"], ask), [1]);
    relay.release();
    eventually("it is back", up);
    assert!(age() < FEED_TIMEOUT.as_secs_f64(), "{}", age());
    // Without a Redis there is nothing to hear.
    let alone = Gateway::start(config(&upstream, "memory:"));
    assert!(!alone.metrics().contains("feed_age"));
}
