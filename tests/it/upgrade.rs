//! Connections that are switched to another protocol, and those that must not be.

use crate::harness::{Config, Connection, Gateway, Upstream, eventually, notes};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
const CLOSED: &str = "[[routes]]\nname = \"closed\"\npath = \"/closed/{*rest}\"\naccess = \"public\"\nupgrade = false\n\
                      upstream = \"notes\"\n";

fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, talk\r\nOrigin: https://b\r\n{more}\r\n"
    )
}

/// Reads a head, octet by octet: what follows is not read.
fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut octet) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|count| count == 1) {
        head.extend_from_slice(&octet);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// An upstream that records each head, answers it with `answer`, and sends back what follows.
fn reflecting(answer: &'static str) -> (Upstream, Arc<Mutex<Vec<String>>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&got);
    let upstream = Upstream::raw(move |mut stream| {
        let first = head(&mut stream);
        log.lock().unwrap().push(first);
        let _ = stream.write_all(answer.as_bytes());
        let mut buffer = [0; 16384];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            log.lock().unwrap().push(String::from_utf8_lossy(&buffer[..count]).into_owned());
            if answer == SWITCH {
                let _ = stream.write_all(&buffer[..count]);
            }
        }
        let _ = stream.write_all(b"end");
    });
    (upstream, got)
}

/// A tunnel on a public route.
fn tunnel(gateway: &Gateway) -> Connection {
    let mut connection = gateway.connect();
    connection.send(handshake("/public/x", "")).response().expect(101);
    connection
}

/// H-upg-1, WS-2: the handshake passes unchanged, octets go both ways, either end may finish.
#[test]
fn an_upgrade_that_is_allowed_is_tunnelled() {
    let (upstream, got) = reflecting(SWITCH);
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    let switch = connection.send(handshake("/public/x", "")).response();
    switch.expect(101);
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(switch.field(name), value);
    }
    let seen = got.lock().unwrap()[0].clone();
    for line in handshake("", "").lines().filter(|line| line.starts_with("Sec-") || line.starts_with("Origin")) {
        assert!(seen.contains(line), "{line} in {seen}");
    }
    assert_eq!(connection.send("\0any octets\r\n\r\n").read_some(15), b"\0any octets\r\n\r\n");
    assert_eq!(connection.finish().rest(), b"end", "the end of one direction does not end the other");
    let event = gateway.event(&switch);
    assert_eq!((&event["status"], &event["sent"], &event["received"]), (&101.into(), &18.into(), &15.into()));
}

/// PX-10, LIM-429: a switch says what every response of its route says, and the upstream says nothing else of it.
#[test]
fn a_switch_has_the_fields_that_the_gateway_says_of_its_route() {
    let answer = SWITCH.replace("\r\n\r\n", "\r\nAccess-Control-Allow-Origin: *\r\n\r\n");
    let upstream = Upstream::answering(answer);
    let more = "cors = { origins = [\"https://b\"] }\nrate_limit = { requests = 3, per = \"1h\", by = \"ip\" }\n";
    let config = Config::notes(&upstream);
    let gateway = Gateway::start(config.replace("name = \"public\"\n", &format!("name = \"public\"\n{more}")));
    let switch = gateway.connect().send(handshake("/public/x", "")).response();
    switch.expect(101);
    assert_eq!(switch.field("access-control-allow-origin"), "https://b");
    assert!(switch.field("access-control-expose-headers").contains("ratelimit"), "{switch:?}");
    assert_eq!(switch.field("vary"), "Origin");
    assert!(switch.field("ratelimit").starts_with("\"ip\";r=2"), "{switch:?}");
    assert_eq!(switch.field("ratelimit-policy"), "\"ip\";q=3;w=3600");
    let other = handshake("/public/x", "").replace("https://b", "https://c");
    assert!(!gateway.connect().send(other).response().expect(101).has("access-control-allow-origin"));
}

/// SMUG-24: the handshake, and the 101 with what follows it, cut in two at each offset.
#[test]
fn the_pieces_that_an_upgrade_comes_in_do_not_matter() {
    let answer = format!("{SWITCH}hello");
    let cut = Arc::new(Mutex::new(0));
    let at = Arc::clone(&cut);
    let upstream = Upstream::raw(move |mut stream| {
        head(&mut stream);
        let (first, second) = answer.split_at(*at.lock().unwrap());
        let _ = stream.write_all(first.as_bytes());
        std::thread::sleep(Duration::from_millis(1));
        let _ = stream.write_all(second.as_bytes());
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let _ = stream.write_all(&rest);
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let request = handshake("/public/x", "") + "early";
    for at in 1..SWITCH.len() + 5 {
        *cut.lock().unwrap() = at;
        let (first, second) = request.split_at(at.min(request.len() - 1));
        let mut connection = gateway.connect();
        connection.send(first);
        std::thread::sleep(Duration::from_millis(1));
        connection.send(second).response().expect(101);
        assert_eq!(connection.finish().rest(), b"helloearly", "cut at {at}");
    }
}

/// WS-1, PX-1: who may not, gets an ordinary answer, and the upstream hears nothing.
#[test]
fn a_handshake_needs_what_any_request_needs() {
    let (upstream, got) = reflecting(SWITCH);
    let gateway = Gateway::start(Config::notes(&upstream));
    let token = gateway.token("notes:read");
    let bearer = format!("Authorization: Bearer {token}\r\n");
    gateway.connect().send(handshake("/notes/x", "")).response().expect(401);
    gateway.connect().send(handshake("/notes/x", "Authorization: Bearer x\r\n")).response().expect(401);
    gateway.connect().send(handshake("/admin/x", &bearer)).response().expect(403);
    gateway.connect().send(handshake("/nowhere", &bearer)).response().expect(404);
    upstream.expect_nothing();
    gateway.connect().send(handshake("/notes/x", &bearer)).response().expect(101);
    gateway.connect().send(handshake(&format!("/notes/x?access_token={token}&a=b"), "")).response().expect(101);
    let got = got.lock().unwrap().clone();
    assert!(got[1].starts_with("GET /notes/x?a=b HTTP/1.1\r\n") && got.iter().all(|head| !head.contains(&token)));
}

/// H-upg-1, H-upg-2: what is not allowed is not offered, and a plain request goes on.
#[test]
fn an_upgrade_that_is_not_allowed_is_a_plain_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).add(CLOSED));
    let whole = handshake("/public/x", "");
    let settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    for request in [
        handshake("/closed/x", ""),
        whole.replace("Connection: Upgrade\r\n", ""),
        whole.replace("GET", "POST"),
        whole.replace("HTTP/1.1", "HTTP/1.0"),
        whole
            .replace("websocket", "h2c")
            .replace("Connection: Upgrade", "Connection: Upgrade, HTTP2-Settings")
            .replace("Origin", &format!("{settings}Origin")),
        whole.replace("websocket", "H2C"),
        whole.replace("websocket", "HTTP/2.0"),
        whole.replace("websocket", "TLS/1.3"),
        whole.replace("websocket", "spdy/3.1"),
        whole.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"),
    ] {
        let answer = gateway.connect().send(&request).response();
        assert!(!answer.expect(200).has("upgrade"));
        let seen = upstream.last();
        assert!(!seen.has("upgrade") && !seen.has("connection") && !seen.has("http2-settings"), "{seen:?}");
    }
}

/// SMUG-22: a switch that was not asked for is 502, and what follows it never arrives.
#[test]
fn a_switch_that_nobody_asked_for_is_502() {
    let (upstream, _) = reflecting(SWITCH);
    let gateway = Gateway::start(Config::notes(&upstream).add(CLOSED));
    for request in [
        "GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        handshake("/closed/x", ""),
        handshake("/public/x", "").replace("websocket", "h2c"),
        handshake("/public/x", "").replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"),
    ] {
        let answer = gateway.connect().send(&request).response();
        assert!(!answer.expect(502).has("sec-websocket-accept"), "{request}");
    }
    let (upstream, _) = reflecting("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    let gateway = Gateway::start(Config::notes(&upstream));
    gateway.connect().send(handshake("/public/x", "")).response().expect(502);
}

/// Hazard 21, SMUG-22: what stands behind a refused upgrade is a request like any other, or a body; it is never
/// handed on unseen.
#[test]
fn what_follows_a_refused_upgrade_is_held_against_the_rules() {
    let (upstream, gateway) = notes();
    let smuggled = "GET /admin/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut connection = gateway.connect();
    connection.send(handshake("/public/x", "") + smuggled);
    connection.response().expect(200);
    connection.response().expect(401);
    let body = format!("Content-Length: {}\r\n", smuggled.len());
    connection.send(handshake("/public/x", &body) + smuggled).response().expect(200);
    assert_eq!(upstream.last().body, smuggled.as_bytes(), "a body is a body");
    let chunked = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
    connection.send(handshake("/public/x", "Transfer-Encoding: chunked\r\n") + &chunked).response().expect(200);
    assert_eq!(upstream.last().body, smuggled.as_bytes());
    assert!(upstream.requests().iter().all(|request| request.target == "/public/x"), "{:?}", upstream.requests());
    // An upstream that refuses, and would take what follows for a request of its own.
    let (upstream, got) = reflecting(REFUSAL);
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send(handshake("/public/x", "") + smuggled);
    connection.response().expect(400);
    connection.response().expect(401);
    assert_eq!(got.lock().unwrap().len(), 1, "{got:?}");
}

/// Hazard 21: nothing is handed on before the upstream has said that it switches.
#[test]
fn nothing_is_tunnelled_before_the_switch() {
    let early = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&early);
    let upstream = Upstream::raw(move |mut stream| {
        head(&mut stream);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut buffer = [0; 64];
        *seen.lock().unwrap() = stream.read(&mut buffer).ok();
        stream.set_read_timeout(None).unwrap();
        let _ = stream.write_all(SWITCH.as_bytes());
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(&buffer[..5]);
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send(handshake("/public/x", "")).send("hello").response().expect(101);
    assert_eq!(connection.read_some(5), b"hello");
    assert_eq!(*early.lock().unwrap(), None, "the upstream got something before its answer");
}

/// WS-3: neither a connection that was switched nor one that refused to be serves another request.
#[test]
fn a_connection_that_was_offered_another_protocol_serves_nobody_else() {
    let upstream = Upstream::answering(REFUSAL);
    let gateway = Gateway::start(Config::notes(&upstream).set("server.workers", "1"));
    for expected in 1..4 {
        gateway.connect().send(handshake("/public/x", "")).response().expect(400);
        assert_eq!(upstream.connections(), expected);
    }
    let (upstream, got) = reflecting(SWITCH);
    let gateway = Gateway::start(Config::notes(&upstream).set("server.workers", "1"));
    for expected in 1..4 {
        assert_eq!(tunnel(&gateway).finish().rest(), b"end");
        assert_eq!((upstream.connections(), got.lock().unwrap().len()), (expected, expected));
    }
}

/// WS-2: whichever end is lost, the other one is told, and the log has its line.
#[test]
fn an_end_that_is_lost_ends_both() {
    let (upstream, _) = reflecting(SWITCH);
    let gateway = Gateway::start(Config::notes(&upstream));
    for _ in 0..2 {
        let mut connection = tunnel(&gateway);
        assert_eq!(connection.send("x").read_some(1), b"x");
        drop(connection);
    }
    eventually("both tunnels are in the log", || {
        gateway.events().iter().filter(|event| event["status"] == 101).count() == 2
    });
    let upstream = Upstream::raw(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(SWITCH.as_bytes());
        let _ = stream.read(&mut [0; 1]);
        // What is unread makes this a reset.
        let _ = stream.shutdown(Shutdown::Write);
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    assert!(tunnel(&gateway).send("much more than one octet").is_closed());
}
