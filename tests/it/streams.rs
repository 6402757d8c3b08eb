//! Exchanges that go on for long: Server-Sent Events, WebSocket.

use crate::harness::{ALICE, Config, Gateway, SERVICE, Upstream, eventually, notes};
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

/// An upstream that answers the first head with `answer`, and holds the connection until it is ended.
fn holding(answer: &'static str) -> Upstream {
    Upstream::raw(move |mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(answer.as_bytes());
        while matches!(stream.read(&mut buffer), Ok(1..)) {}
    })
}

/// PX-15, WS-1: what goes on ends once its token is revoked or has expired; without a token nothing begins.
#[test]
fn long_exchanges_end_with_their_token() {
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    for (answer, status) in [(events, "200"), (switch, "101")] {
        for revoked in [true, false] {
            let upstream = holding(answer);
            let mut config = Config::notes(&upstream).set("bearer.recheck", r#""1s""#);
            if !revoked {
                config = config.set("oauth.access_token_ttl", r#""2s""#);
            }
            let gateway = Gateway::start(config);
            let handshake = |field: &str| {
                format!("GET /notes/x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{field}\r\n")
            };
            gateway.connect().send(handshake("")).response().expect(401);
            let token = gateway.token("notes:read");
            let mut connection = gateway.connect();
            connection.send(handshake(&format!("Authorization: Bearer {token}\r\n")));
            let start = connection.read_some(12);
            assert!(start.ends_with(status.as_bytes()), "{}", String::from_utf8_lossy(&start));
            if revoked {
                gateway.post("/oauth2/revoke").basic(SERVICE).form(&[("token", &token)]).send().expect(200);
            }
            let began = Instant::now();
            let rest = connection.rest();
            assert!(began.elapsed() < Duration::from_secs(8), "it ends with its token");
            assert!(!rest.ends_with(b"0\r\n\r\n"), "it does not look complete");
        }
    }
}

/// PX-15, TOK-13: a reload that removes a user ends what that user has going on; what others have goes on.
#[test]
fn a_long_exchange_ends_with_its_user() {
    let upstream = Upstream::raw(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream.write_all(b"1\r\n.\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let config = || Config::notes(&upstream).set("bearer.recheck", r#""1s""#);
    let gateway = Gateway::start(config());
    let (removed, kept) = (gateway.login(ALICE).access, gateway.token("notes:read"));
    let mut exchanges = [&removed, &kept].map(|token| {
        let mut connection = gateway.connect();
        connection.send(gateway.get("/notes/x").bearer(token).bytes());
        assert!(connection.read_some(12).ends_with(b"200"));
        connection
    });
    gateway.configure(config().replace("name = \"alice\"", "name = \"alina\""));
    gateway.signal("HUP");
    let [removed, kept] = &mut exchanges;
    let began = Instant::now();
    assert!(!removed.rest().ends_with(b"0\r\n\r\n"), "it does not look complete");
    assert!(began.elapsed() < Duration::from_secs(8), "it ends with its user");
    assert_eq!(kept.read_some(40 * 6).len(), 40 * 6, "it goes on: four seconds of events");
    assert!(gateway.output().contains("token_ended"));
}

/// What is cut at the end of `shutdown_grace` leaves its line in the log, with what had passed until then.
#[test]
fn what_the_gateways_end_cuts_off_is_recorded() {
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nabc";
    for (answer, status) in [(events, 200), (switch, 101), ("", 0)] {
        let upstream = holding(answer);
        let gateway = Gateway::start(Config::notes(&upstream).set("server.shutdown_grace", r#""1s""#));
        let mut connection = gateway.connect();
        connection.send("GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        if status > 0 {
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains("abc") {
                seen.extend(connection.read_some(1));
            }
            connection.send("from the client");
        }
        std::thread::sleep(Duration::from_millis(100));
        assert!(gateway.terminate().success());
        let line = gateway.events().into_iter().find(|event| event["path"] == "/public/x").expect("a line");
        assert_eq!(
            (&line["status"], &line["reason"], &line["verdict"]),
            (&status.into(), &"shutdown".into(), &"public".into())
        );
        assert_eq!(line["sent"], if status > 0 { 3 } else { 0 });
        assert_eq!(line["received"].as_u64().unwrap_or_default(), if status == 101 { 15 } else { 0 });
        assert!(line["duration_ms"].as_f64().is_some_and(|duration| duration > 900.0), "{line}");
    }
}

/// The metrics count content both ways, by route.
#[test]
fn content_is_counted_both_ways() {
    let (_upstream, gateway) = notes();
    gateway.post("/public/x").body("twelve chars").send().expect(200);
    let mut connection = gateway.connect();
    connection.send("POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send("3\r\nabc\r\n").send("0\r\n\r\n").response().expect(200);
    gateway.get("/public/x").send().expect(200);
    for line in
        ["tollgate_received_bytes_total{route=\"public\"} 15\n", "tollgate_sent_bytes_total{route=\"public\"} 6\n"]
    {
        eventually(line, || gateway.metrics().contains(line));
    }
}
