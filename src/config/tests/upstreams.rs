//! `[upstreams.NAME]`: what is taken and what is refused.

use super::*;
use crate::proxy::upstream::{Ejection, Server, Upstream};
use std::time::Duration;

const SERVERS: &str = "servers = [\"http://127.0.0.1:9\"]";

fn file(upstream: &str) -> String {
    let server =
        "server = { listen = \"127.0.0.1:1\", public_url = \"http://127.0.0.1:1\" }\nstore.url = \"memory:\"\n";
    format!("{server}[[routes]]\npath = \"/\"\naccess = \"public\"\nupstream = \"a\"\n[upstreams.a]\n{upstream}\n")
}

fn upstream(lines: &str) -> Upstream {
    (*right(&file(lines)).plan.upstreams[0]).clone()
}

#[test]
fn servers_have_weights() {
    let upstream =
        upstream("servers = [\"unix:a.sock\", { url = \"http://127.0.0.1:9\", weight = 3 }, { url = \"http://b\" }]");
    let weights: Vec<(String, u32)> =
        upstream.servers.iter().map(|weighted| (weighted.server.to_string(), weighted.weight)).collect();
    let expected = [("unix:a.sock", 1), ("http://127.0.0.1:9", 3), ("http://b", 1)];
    assert_eq!(weights, expected.map(|(server, weight)| (server.to_owned(), weight)));
}

#[test]
fn what_is_not_said_has_defaults() {
    let upstream = upstream(SERVERS);
    assert_eq!(upstream.servers[0].server, Server::Http { host: "127.0.0.1".to_owned(), port: 9 });
    assert_eq!(upstream.ejection, Some(Ejection { failures: 5, time: Duration::from_secs(10) }));
    assert!(upstream.health.is_none() && upstream.read_timeout.is_none());
    assert_eq!((upstream.connections, upstream.pending), (10_000, 100));
}

#[test]
fn ejection_can_be_switched_off_and_health_on() {
    let upstream = upstream(&format!("{SERVERS}\nejection = false\nhealth = {{ path = \"/up\", status = \"204\" }}"));
    assert!(upstream.ejection.is_none());
    let health = upstream.health.unwrap();
    assert_eq!((health.path.as_str(), health.status), ("/up", 204..=204));
    assert_eq!((health.interval, health.timeout), (Duration::from_secs(5), Duration::from_secs(1)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (lines, message) in [
        ("servers = []", "needs a server"),
        ("servers = [{ url = \"http://a/path\" }]", "this is no server"),
        ("servers = [{ weight = 2 }]", "`url` is missing"),
        ("servers = [{ url = \"http://a\", weight = 0 }]", "`weight`"),
        ("servers = [\"http://a\", { url = \"http://a:80\" }]", "listed twice"),
        (&format!("{SERVERS}\nhealth = {{ interval = \"5s\" }}"), "`path` is missing"),
        (&format!("{SERVERS}\nhealth = {{ path = \"up\" }}"), "this is no path"),
        (&format!("{SERVERS}\nhealth = {{ path = \"/\", status = \"2xx\" }}"), "no status codes"),
        (&format!("{SERVERS}\nhealth = true"), "`health`"),
        (&format!("{SERVERS}\nejection = \"no\""), "`ejection`"),
        (&format!("{SERVERS}\nejection = {{ failures = 0 }}"), "`failures`"),
        (&format!("{SERVERS}\nconnections = 0"), "`connections`"),
    ] {
        let all = problems(&file(lines));
        assert!(all.len() == 1 && all[0].1.contains(message), "{lines}: {all:?}");
    }
}
