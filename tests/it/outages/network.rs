//! What may happen between a node and its Redis: nothing passes and nothing is closed, a router forgets connections, they are
//! closed, the address leads elsewhere. And what another node ends meanwhile, which reaches Redis all the while.

use super::clients::Clients;
use super::{Both, FEED_TIMEOUT, Nodes, RECOVERY, TIMEOUT, config};
use crate::harness::{Gateway, Redis, Relay, SERVICE, eventually};
use std::time::{Duration, Instant};

fn revoke(node: &Gateway, token: &str) {
    node.post("/oauth2/revoke").basic(SERVICE).form(&[("token", token)]).send().expect(200);
}

fn status(node: &Gateway, token: &str) -> u16 {
    node.get("/notes/1").bearer(token).send().status
}

/// Hazards 2.9: what dropped packets look like from both sides.
#[test]
fn a_network_that_drops_everything() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let nodes = Nodes::of(&relay.url());
    let clients = nodes.clients();
    let fault = Instant::now();
    relay.hold();
    clients.each(|clients| clients.without_a_store(fault));
    assert!(fault.elapsed() > TIMEOUT && fault.elapsed() < FEED_TIMEOUT * 4, "{:?}", fault.elapsed());
    relay.release();
    nodes.recovered(clients, Instant::now());
}

/// A router that was restarted knows no connection any more, and says so to nobody: that is found out once, not by each
/// worker with a request of somebody's.
#[test]
fn connections_that_were_forgotten_on_the_way() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let nodes = Nodes::of(&relay.url());
    // Every worker has spoken with it.
    nodes.clients().each(|clients| clients.served_since(Instant::now() + TIMEOUT));
    // Nobody asks while it happens, so that only the feed can notice.
    let cleared = nodes.notices_of_recovery();
    relay.forget();
    eventually("the feed is back", || nodes.notices_of_recovery() >= cleared + 2);
    let begun = Instant::now();
    let clients = nodes.clients();
    clients.each(|clients| clients.served_since(begun));
    clients.each(|clients| clients.never_failed(begun));
    // Under load it is found out by whoever comes first.
    let fault = Instant::now();
    relay.forget();
    nodes.recovered(clients, fault);
}

/// Connections are closed, those of the workers and the one that listens: everything is asked again, and nobody notices.
#[test]
fn connections_that_are_closed_cost_nobody_anything() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let nodes = Nodes::of(&relay.url());
    let clients = nodes.clients();
    let fault = Instant::now();
    for round in 0..6 {
        if round % 2 == 0 {
            assert!(redis.close("normal") > 0);
        } else {
            relay.cut();
        }
        let now = Instant::now();
        clients.each(|clients| clients.served_since(now));
    }
    clients.each(|clients| clients.never_failed(fault));
    nodes.recovered(clients, Instant::now());
}

/// An address leads to another Redis after a failover, and connections to the former one live on, which is a replica by
/// now and does not hear of its master: it is not believed.
#[test]
fn a_former_master_is_left_although_its_connections_live() {
    let (former, next) = (Redis::start(), Redis::start());
    assert!(next.command(&format!("REPLICAOF 127.0.0.1 {}", former.port())).starts_with("+OK"));
    eventually("a replica", || next.cli(&["info", "replication"]).contains("master_link_status:up"));
    let relay = Relay::to(former.port());
    let nodes = Nodes::of(&relay.url());
    let clients = nodes.clients();
    let [kept, ended] = [(); 2].map(|()| nodes.denies.token("notes:read"));
    eventually("it has it all", || former.command("DBSIZE") == next.command("DBSIZE"));
    for (node, token) in [(&nodes.denies, &kept), (&nodes.denies, &ended), (&nodes.serves, &ended)] {
        assert_eq!(status(node, token), 200);
    }
    // Nothing more reaches the next one; the clients' promises are not those of this test.
    drop(clients);
    assert!(next.command("REPLICAOF NO ONE").starts_with("+OK"));
    relay.lead_to(next.port());
    assert!(former.command("REPLICAOF 127.0.0.1 1").starts_with("+OK"));
    let switched = Instant::now();
    let other = Gateway::start(config(&nodes.upstream, &next.url()));
    revoke(&other, &ended);
    let fresh = other.token("notes:read");
    for node in [&nodes.denies, &nodes.serves] {
        eventually("it has left the former one", || status(node, &ended) == 401);
        assert!(switched.elapsed() < RECOVERY * 2, "{:?}", switched.elapsed());
        eventually("it has found the next one", || status(node, &fresh) == 200);
        assert_eq!(status(node, &kept), 200);
    }
    let begun = Instant::now();
    Both([Clients::of(&nodes.denies, false), Clients::of(&nodes.serves, true)])
        .each(|clients| clients.never_failed(begun));
}

/// Promise 1: a node that is cut off does not go on for longer than it was told to with what another one has ended.
#[test]
fn what_ended_while_a_node_was_cut_off() {
    let redis = Redis::start();
    let relay = Relay::to(redis.port());
    let nodes = Nodes::of(&relay.url());
    let other = Gateway::start(config(&nodes.upstream, &redis.url()));
    let ttl = Duration::from_secs(3);
    let serves_briefly = config(&nodes.upstream, &relay.url())
        .set("cache.on_store_outage", "\"serve-cached\"")
        .set("cache.ttl", &format!("\"{}s\"", ttl.as_secs()));
    let serves_briefly = Gateway::start(serves_briefly);
    let [kept, ended] = [(); 2].map(|()| other.token("notes:read"));
    let cached = Instant::now();
    for node in [&nodes.denies, &nodes.serves, &serves_briefly, &other] {
        assert_eq!((status(node, &kept), status(node, &ended)), (200, 200));
    }
    relay.hold();
    let cut = Instant::now();
    revoke(&other, &ended);
    assert_eq!(status(&other, &ended), 401);
    while status(&nodes.denies, &ended) == 200 {
        assert!(cut.elapsed() < FEED_TIMEOUT + TIMEOUT, "believed for {:?}", cut.elapsed());
    }
    for token in [&kept, &ended] {
        assert_eq!((status(&nodes.denies, token), status(&nodes.serves, token)), (503, 200));
    }
    eventually("the ttl is over", || status(&serves_briefly, &ended) == 503);
    assert!(cached.elapsed() < ttl + TIMEOUT * 3, "{:?}", cached.elapsed());
    relay.release();
    let back = Instant::now();
    for node in [&nodes.denies, &nodes.serves, &serves_briefly] {
        eventually("it knows", || status(node, &ended) == 401);
        eventually("it is served", || status(node, &kept) == 200);
        assert!(back.elapsed() < RECOVERY, "{:?}", back.elapsed());
    }
}
