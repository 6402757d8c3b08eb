//! Exchanges that go on for long: Server-Sent Events, WebSocket.

use crate::harness::{Config, Gateway, SERVICE, Upstream};
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
