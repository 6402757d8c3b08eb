//! What the tests stand on: the real binary on free loopback ports, a raw HTTP client that can send any octets, an upstream
//! that records the octets it gets, a real Redis, the command line. Whatever is started is stopped by its process id when the
//! value is dropped; when a test fails, the configuration, the log and the traffic are printed.

mod browser;
mod command;
mod config;
pub(crate) mod dance;
pub(crate) mod frames;
mod gateway;
mod http;
mod ports;
mod provider;
mod redis;
mod relay;
mod tls;
mod upstream;

pub(crate) use browser::{Browser, Form};
pub(crate) use command::{Command, Output};
pub(crate) use config::{ALICE, BILLING, BOB, Config, Credentials, READER, SERVICE, WEB};
pub(crate) use gateway::Gateway;
pub(crate) use http::{Connection, Request, Response, Tokens, form_encoded};
pub(crate) use ports::free_port;
pub(crate) use provider::{GATE, Provider};
pub(crate) use redis::Redis;
pub(crate) use relay::Relay;
pub(crate) use tls::{Authority, Ending, Front};
pub(crate) use upstream::{Next, Recorded, Upstream, read_request};

use std::time::{Duration, Instant};

/// Waits until `done` holds, ten seconds at most.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Bytes as text, with what cannot be printed escaped.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let end = bytes.len().min(4096);
    let text = bytes[..end].escape_ascii().to_string().replace("\\r\\n", "\r\n").replace("\\n", "\n");
    if end < bytes.len() { format!("{text}… ({} octets)", bytes.len()) } else { text }
}

/// The notes API behind a gateway with the usual configuration.
pub(crate) fn notes() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream));
    (upstream, gateway)
}
