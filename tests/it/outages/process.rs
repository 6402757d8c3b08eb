//! What may happen to the process: it dies, stands still, is slow, full, not ready yet, or somebody else's replica.

use super::clients::Asked;
use super::{FEED_TIMEOUT, Nodes, TIMEOUT};
use crate::harness::{Redis, eventually};
use std::time::Instant;

/// Hazards 2.9 and 2.10
#[test]
fn a_redis_that_was_killed() {
    let mut redis = Redis::start();
    let nodes = Nodes::of(&redis.url());
    let clients = nodes.clients();
    let fault = Instant::now();
    redis.stop();
    clients.each(|clients| clients.without_a_store(fault));
    redis.start_again();
    nodes.recovered(clients, Instant::now());
}

#[test]
fn a_redis_that_stands_still() {
    let redis = Redis::start();
    let nodes = Nodes::of(&redis.url());
    let clients = nodes.clients();
    let fault = Instant::now();
    redis.freeze();
    clients.each(|clients| clients.without_a_store(fault));
    assert!(fault.elapsed() > TIMEOUT && fault.elapsed() < FEED_TIMEOUT * 4, "{:?}", fault.elapsed());
    redis.thaw();
    nodes.recovered(clients, Instant::now());
}

/// It holds up commands for longer than they are waited for, and for shorter.
#[test]
fn a_redis_that_is_slow() {
    let redis = Redis::start_with(&["--enable-debug-command", "yes"]);
    let nodes = Nodes::of(&redis.url());
    let clients = nodes.clients();
    let fault = Instant::now();
    assert!(redis.command("CLIENT PAUSE 2500 ALL").starts_with("+OK"));
    clients.each(|clients| clients.without_a_store(fault));
    assert!(redis.command("PING").starts_with("+PONG"), "the pause is over");
    let back = Instant::now();
    clients.each(|clients| clients.served_since(back + super::RECOVERY));
    let slow = Instant::now();
    for _ in 0..5 {
        assert!(redis.command("DEBUG SLEEP 0.1").starts_with("+OK"));
    }
    clients.each(|clients| clients.never_failed(slow));
    nodes.recovered(clients, back);
}

/// A full Redis takes nothing new; what is there is known, believed, and can be ended.
#[test]
fn a_redis_that_is_full() {
    let redis = Redis::start();
    let nodes = Nodes::of(&redis.url());
    let clients = nodes.clients();
    let kept = nodes.denies.token("notes:read");
    let fault = Instant::now();
    assert!(redis.command("CONFIG SET maxmemory 1").starts_with("+OK"));
    clients.each(|clients| clients.without(&[Asked::Issued], fault));
    let full = Instant::now();
    for node in [&nodes.serves, &nodes.denies] {
        node.get("/notes/1").bearer(&kept).send().expect(200);
    }
    let revoke = nodes.denies.post("/oauth2/revoke").basic(crate::harness::SERVICE).form(&[("token", &kept)]);
    revoke.send().expect(200);
    eventually("it has ended", || nodes.serves.get("/notes/1").bearer(&kept).send().status == 401);
    assert_eq!(nodes.denies.telemetry("/readyz").status, 200, "it answers");
    clients.each(|clients| clients.went_on(&[Asked::Cached, Asked::Introspected], full));
    assert!(redis.command("CONFIG SET maxmemory 0").starts_with("+OK"));
    nodes.recovered(clients, Instant::now());
}

/// It reads what it had, and answers `LOADING` to everything.
#[test]
fn a_redis_that_is_loading() {
    let mut redis = Redis::start_with(&[
        "--enable-debug-command",
        "yes",
        "--aof-use-rdb-preamble",
        "yes",
        "--loading-process-events-interval-bytes",
        "1024",
        "--key-load-delay",
        "1000",
    ]);
    let nodes = Nodes::of(&redis.url());
    let clients = nodes.clients();
    assert!(redis.command("DEBUG POPULATE 2500 junk 1000").starts_with("+OK"));
    redis.command("BGREWRITEAOF");
    eventually("it is written", || redis.cli(&["info", "persistence"]).contains("aof_rewrite_in_progress:0"));
    let fault = Instant::now();
    redis.stop();
    redis.begin_again();
    assert!(redis.command("GET x").starts_with("-LOADING"));
    let loading = Instant::now();
    clients.each(|clients| clients.without_a_store(loading.max(fault)));
    assert!(redis.command("GET x").starts_with("-LOADING"), "it is loading all the while");
    eventually("it has read everything", || redis.command("GET x").starts_with('$'));
    nodes.recovered(clients, Instant::now());
}

/// A replica refuses what changes something; and what it does not know may be known to its master.
#[test]
fn a_redis_that_has_become_a_replica() {
    let (redis, master) = (Redis::start(), Redis::start());
    let nodes = Nodes::of(&redis.url());
    let clients = nodes.clients();
    let fault = Instant::now();
    // It is told to follow, and never reaches whom it follows: what it has gets old.
    master.freeze();
    assert!(redis.command(&format!("REPLICAOF 127.0.0.1 {}", master.port())).starts_with("+OK"));
    clients.each(|clients| clients.without_a_store(fault));
    assert_eq!(nodes.denies.telemetry("/readyz").status, 503);
    assert!(redis.command("REPLICAOF NO ONE").starts_with("+OK"));
    nodes.recovered(clients, Instant::now());
    master.thaw();
}
