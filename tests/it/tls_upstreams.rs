//! TLS to upstreams: who is believed, what is shown, and connections that are kept.

use crate::harness::{Authority, Config, Ending, Front, Gateway, Next, Upstream, eventually};
use std::io::Write as _;

/// The notes API behind `front`, with `tls` as it is written.
fn config(front: &Front, host: &str, tls: &str) -> Config {
    let config = Config::notes(&Upstream::start())
        .set("upstreams.notes.servers", &format!(r#"["https://{host}:{}"]"#, front.port()))
        .set("upstreams.notes.connect_timeout", r#""5s""#);
    if tls.is_empty() { config } else { config.set("upstreams.notes.tls", tls) }
}

fn authority() -> Authority {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    authority
}

fn believing(authority: &Authority, more: &str) -> String {
    format!("{{ ca = {}{more} }}", authority.quoted("ca.pem"))
}

/// Its own authority, one connection for many requests, and the client's host is not the server's name.
#[test]
fn an_upstream_over_https_is_reached_over_one_connection() {
    let (authority, upstream) = (authority(), Upstream::start());
    let front = Front::start(authority.server("server", false), upstream.port(), Ending::Said);
    let gateway = Gateway::start(config(&front, "localhost", &believing(&authority, "")).set("server.workers", "1"));
    let mut connection = gateway.connect();
    for _ in 0..5 {
        gateway.get("/public/1").host("a.example").send_on(&mut connection).expect(200);
        gateway.post("/public/1").body(vec![b'x'; 200_000]).send_on(&mut connection).expect(200);
    }
    assert_eq!(upstream.requests().len(), 10);
    assert_eq!(upstream.last().body.len(), 200_000);
    assert_eq!(front.connections(), 1);
}

/// LIM-502, TLS-3: unknown authority, wrong name, expired: 502, and the log says why.
#[test]
fn an_upstream_that_is_not_verified_is_502_and_the_log_says_why() {
    let (authority, upstream, stranger) = (authority(), Upstream::start(), Authority::new());
    authority.issue("other", &["other.example"]);
    authority.issue_until("expired", &["localhost"], 2021);
    stranger.issue("server", &["localhost"]);
    let ca = believing(&authority, "");
    for (of, file, tls, cause) in [
        (&stranger, "server", ca.as_str(), "UnknownIssuer"),
        (&authority, "other", &ca, "not valid for name"),
        (&authority, "expired", &ca, "expired"),
        (&authority, "server", "", "UnknownIssuer"),
    ] {
        let front = Front::start(of.server(file, false), upstream.port(), Ending::Said);
        let gateway = Gateway::start(config(&front, "localhost", tls));
        let response = gateway.get("/public/1").send();
        response.expect_error(502, "bad_gateway");
        let server = format!("https://localhost:{}", front.port());
        eventually("the log says why", || {
            let output = gateway.output();
            output.lines().any(|line| line.contains(&server) && line.contains(cause))
        });
        assert!(!response.whole().contains(cause), "that is for the operator");
    }
    upstream.expect_nothing();
}

/// TLS-3
#[test]
fn the_name_that_is_expected_may_be_configured_and_the_check_switched_off() {
    let (authority, upstream, stranger) = (authority(), Upstream::start(), Authority::new());
    authority.issue("other", &["other.example"]);
    stranger.issue("server", &["x"]);
    let front = Front::start(authority.server("other", false), upstream.port(), Ending::Said);
    let tls = believing(&authority, r#", server_name = "other.example""#);
    let gateway = Gateway::start(config(&front, "127.0.0.1", &tls));
    gateway.get("/public/1").send().expect(200);
    let front = Front::start(stranger.server("server", false), upstream.port(), Ending::Said);
    let gateway = Gateway::start(config(&front, "127.0.0.1", "{ verify = false }"));
    gateway.get("/public/1").send().expect(200);
    eventually("it is said at each start", || gateway.output().contains("whoever answers is believed"));
}

#[test]
fn an_upstream_that_asks_who_we_are_is_shown_our_certificate() {
    let (authority, upstream) = (authority(), Upstream::start());
    authority.issue("gateway", &["gateway.example"]);
    let front = Front::start(authority.server("server", true), upstream.port(), Ending::Said);
    let gateway = Gateway::start(config(&front, "localhost", &believing(&authority, "")));
    gateway.get("/public/1").send().expect_error(502, "bad_gateway");
    let (cert, key) = (authority.quoted("gateway.pem"), authority.quoted("gateway.key"));
    let tls = believing(&authority, &format!(", cert = {cert}, key = {key}"));
    let gateway = Gateway::start(config(&front, "localhost", &tls));
    gateway.get("/public/1").send().expect(200);
}

/// SMUG-20: a request that must not be repeated meets no connection that the server has ended.
#[test]
fn a_kept_connection_that_the_server_has_ended_is_not_used() {
    let authority = authority();
    let upstream = Upstream::with(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Next::Close
    });
    for ending in [Ending::Said, Ending::Cut] {
        let front = Front::start(authority.server("server", false), upstream.port(), ending);
        let gateway =
            Gateway::start(config(&front, "localhost", &believing(&authority, "")).set("server.workers", "1"));
        for _ in 0..5 {
            gateway.post("/public/1").body("once").send().expect(200);
            // The end is on its way: a moment for it to arrive.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(front.connections(), 5);
    }
    assert_eq!(upstream.requests().len(), 10, "each once");
}

/// H-body-3: content that ends with its connection is whole only where the server says so.
#[test]
fn content_without_a_length_that_is_cut_is_not_whole() {
    let authority = authority();
    let upstream = Upstream::answering_and_closing("HTTP/1.1 200 OK\r\n\r\nsome content");
    for (ending, whole) in [(Ending::Said, true), (Ending::Cut, false)] {
        let front = Front::start(authority.server("server", false), upstream.port(), ending);
        let gateway = Gateway::start(config(&front, "localhost", &believing(&authority, "")));
        let mut connection = gateway.connect();
        connection.send(gateway.get("/public/1").bytes());
        let response = connection.try_response("GET").unwrap();
        assert_eq!((response.complete, response.body.as_slice()), (whole, &b"some content"[..]), "{ending:?}");
    }
}

/// A server that accepts and says nothing: the handshake has the time of a connect.
#[test]
fn a_handshake_that_does_not_end_is_504() {
    let silent = Upstream::raw(|stream| {
        std::thread::sleep(std::time::Duration::from_secs(10));
        drop(stream);
    });
    let authority = authority();
    let config = Config::notes(&Upstream::start())
        .set("upstreams.notes.servers", &format!(r#"["https://localhost:{}"]"#, silent.port()))
        .set("upstreams.notes.connect_timeout", r#""500ms""#)
        .set("upstreams.notes.tls", &believing(&authority, ""));
    Gateway::start(config).get("/public/1").send().expect_error(504, "gateway_timeout");
}

/// New authorities count for new connections, without a restart.
#[test]
fn what_is_believed_is_reloaded() {
    let (authority, upstream, next) = (authority(), Upstream::start(), authority());
    let front = Front::start(next.server("server", false), upstream.port(), Ending::Said);
    let gateway = Gateway::start(config(&front, "localhost", &believing(&authority, "")));
    gateway.get("/public/1").send().expect(502);
    std::fs::copy(next.path("ca.pem"), authority.path("ca.pem")).unwrap();
    eventually("it is believed", || gateway.get("/public/1").send().status == 200);
}

/// HTTP/2 to an upstream over TLS: a gateway behind a gateway. One that speaks HTTP/1.1 alone is not taken for another.
#[test]
fn http2_is_agreed_on_with_an_upstream() {
    let (authority, upstream) = (authority(), Upstream::start());
    let inner = Config::notes(&upstream).set("server.tls", &authority.pair("server", ""));
    let inner = Gateway::start(inner);
    let tls = believing(&authority, "");
    let outer = |port: u16| {
        Config::notes(&upstream)
            .set("upstreams.notes.servers", &format!(r#"["https://localhost:{port}"]"#))
            .set("upstreams.notes.connect_timeout", r#""5s""#)
            .set("upstreams.notes.http2", "true")
            .set("upstreams.notes.tls", &tls)
    };
    let gateway = Gateway::start(outer(inner.port()));
    for _ in 0..3 {
        gateway.post("/public/1").body(vec![b'x'; 200_000]).send().expect(200);
    }
    let seen = upstream.last();
    assert_eq!(seen.body.len(), 200_000);
    assert!(seen.values("via").iter().any(|via| via.starts_with("2.0 ")));
    let old = Front::start(authority.server("server", false), upstream.port(), Ending::Said);
    let refused = Gateway::start(outer(old.port()));
    refused.get("/public/1").send().expect_error(502, "bad_gateway");
    eventually("the log says why", || refused.output().contains("another version of HTTP"));
}
