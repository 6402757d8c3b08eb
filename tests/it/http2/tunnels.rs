//! Tunnels over HTTP/2 (RFC 8441), from clients and to upstreams.

use super::{block_on, connect, request};
use crate::harness::{Config, Connection, Gateway, Upstream, eventually};
use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http::Method;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};

const PUBLIC: &str = "path = \"/public/{*rest}\"\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, talk\r\nOrigin: https://b\r\n{more}\r\n"
    )
}

fn extended(path: &str) -> http::Request<()> {
    let mut head = request("CONNECT", path).body(()).unwrap();
    head.extensions_mut().insert(Protocol::from_static("websocket"));
    head
}

/// A client that knows that the gateway takes extended CONNECT.
async fn connected(gateway: &Gateway) -> SendRequest<Bytes> {
    let client = connect(gateway).await;
    while !client.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    client
}

/// A server of HTTP/2 that sends back what comes through a tunnel; `/refused` is refused, anything else is `ok`.
struct TunnelServer {
    port: u16,
    asked: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl TunnelServer {
    /// `takes`: it says that it takes extended CONNECT.
    fn start(takes: bool) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, takes, Arc::clone(&log)));
                }
            });
        });
        Self { port, asked }
    }

    fn config(&self) -> Config {
        Config::notes(&Upstream::start())
            .set("upstreams.notes.servers", &format!("[\"http://127.0.0.1:{}\"]", self.port))
            .set("upstreams.notes.http2", "true")
            .set("server.workers", "1")
    }

    fn asked(&self) -> Vec<http::request::Parts> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, takes: bool, log: Arc<Mutex<Vec<http::request::Parts>>>) {
    let mut builder = h2::server::Builder::new();
    if takes {
        builder.enable_connect_protocol();
    }
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let (parts, mut body) = request.into_parts();
        log.lock().unwrap().push(parts.clone());
        tokio::spawn(async move {
            let head = http::Response::builder().header("sec-websocket-protocol", "chat");
            if parts.method != Method::CONNECT || parts.uri.path().ends_with("/refused") {
                let status = if parts.method == Method::CONNECT { 403 } else { 200 };
                let mut sending = respond.send_response(head.status(status).body(()).unwrap(), false).unwrap();
                return sending.send_data("ok".into(), true).unwrap();
            }
            let mut sending = respond.send_response(head.body(()).unwrap(), false).unwrap();
            while let Some(Ok(piece)) = body.data().await {
                let _ = body.flow_control().release_capacity(piece.len());
                if piece == "reset" {
                    return sending.send_reset(Reason::INTERNAL_ERROR);
                }
                let _ = sending.send_data(piece, false);
            }
            let _ = sending.send_data("end".into(), true);
        });
    }
}

/// A tunnel of a client of HTTP/1.1.
fn tunnel(gateway: &Gateway) -> Connection {
    let mut connection = gateway.connect();
    connection.send(handshake("/public/x", "")).response().expect(101);
    connection
}

/// RFC 8441, WS-1, WS-2: the handshake of HTTP/1.1 is an extended CONNECT to an upstream of HTTP/2, its 200 the switch;
/// the first one waits until the server has said that it takes them.
#[test]
fn an_upgrade_is_an_extended_connect_to_an_http2_upstream() {
    let server = TunnelServer::start(true);
    let gateway = Gateway::start(server.config());
    let token = gateway.token("notes:read");
    gateway.connect().send(handshake("/notes/x", "")).response().expect(401);
    assert!(server.asked().is_empty());
    for _ in 0..2 {
        let mut connection = gateway.connect();
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let switch = connection.send(handshake("/notes/x?a=b", &bearer)).response();
        switch.expect(101);
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-accept", ACCEPT),
            ("sec-websocket-protocol", "chat"),
        ] {
            assert_eq!(switch.field(name), value);
        }
        assert_eq!(connection.send("\0any octets\r\n\r\n").read_some(15), b"\0any octets\r\n\r\n");
        assert_eq!(connection.finish().rest(), b"end", "the end of one direction does not end the other");
        let event = gateway.event(&switch);
        assert_eq!((&event["status"], &event["sent"], &event["received"]), (&101.into(), &18.into(), &15.into()));
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    asked.iter().for_each(check_handshake);
}

#[track_caller]
fn check_handshake(parts: &http::request::Parts) {
    assert_eq!((&parts.method, parts.uri.path_and_query().unwrap().as_str()), (&Method::CONNECT, "/notes/x?a=b"));
    assert_eq!(parts.extensions.get::<Protocol>().unwrap().as_str(), "websocket");
    assert_eq!((parts.uri.scheme_str(), parts.uri.authority().unwrap().as_str()), (Some("http"), "a"));
    for (name, value) in
        [("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat, talk"), ("origin", "https://b")]
    {
        assert_eq!(parts.headers[name], value);
    }
    let none = ["sec-websocket-key", "connection", "upgrade", "authorization", "host"];
    assert!(none.iter().all(|name| !parts.headers.contains_key(*name)), "{parts:?}");
}

/// RFC 8441: HTTP/2 on both sides.
#[test]
fn an_extended_connect_reaches_an_http2_upstream() {
    let server = TunnelServer::start(true);
    let limit = "rate_limit = { requests = 3, per = \"1h\", by = \"ip\" }\n";
    let gateway = Gateway::start(server.config().replace(PUBLIC, &format!("{PUBLIC}{limit}")));
    block_on(async {
        let mut client = connected(&gateway).await;
        let (refused, _sending) = client.send_request(extended("/public/refused"), false).unwrap();
        assert_eq!(refused.await.unwrap().status(), 403);
        let (response, mut sending) = client.send_request(extended("/public/x"), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["sec-websocket-protocol"]),
            (200, &"chat".parse().unwrap())
        );
        assert_eq!(response.headers()["ratelimit-policy"], "\"ip\";q=3;w=3600");
        for name in ["sec-websocket-accept", "connection", "upgrade"] {
            assert!(!response.headers().contains_key(name), "{response:?}");
        }
        let mut body = response.into_body();
        for word in ["one", "two"] {
            sending.send_data(Bytes::from(word), false).unwrap();
            assert_eq!(body.data().await.unwrap().unwrap(), word);
        }
        sending.send_data(Bytes::new(), true).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), "end");
    });
    let asked = server.asked();
    assert_eq!((asked.len(), &asked[1].method), (2, &Method::CONNECT));
}

/// RFC 8441 section 3: without the setting there is no tunnel, which is no failure of the server.
#[test]
fn an_upstream_that_takes_no_extended_connect_gets_none() {
    let server = TunnelServer::start(false);
    let gateway = Gateway::start(server.config().set("upstreams.notes.ejection", "{ failures = 1 }"));
    for _ in 0..3 {
        let answer = gateway.connect().send(handshake("/public/x", "")).response();
        answer.expect_error(502, "bad_gateway");
    }
    assert!(server.asked().is_empty());
    gateway.get("/public/x").send().expect(200);
    eventually("each has its line", || {
        gateway.events().iter().filter(|event| event["reason"] == "upstream_without_tunnels").count() == 3
    });
    assert!(gateway.output().contains("ENABLE_CONNECT_PROTOCOL"), "{}", gateway.output());
}

/// H-upg-1, RFC 6455 section 4.2.1: what is no handshake of a WebSocket goes on as a plain request.
#[test]
fn only_a_websocket_becomes_an_extended_connect() {
    let server = TunnelServer::start(true);
    let gateway = Gateway::start(server.config().replace(PUBLIC, &format!("{PUBLIC}upgrade = \"any\"\n")));
    let whole = handshake("/public/x", "");
    for request in [
        whole.replace("Upgrade: websocket", "Upgrade: spdy/3.1"),
        whole.replace("Connection: Upgrade\r\n", ""),
        whole.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="),
    ] {
        gateway.connect().send(&request).response().expect(200);
    }
    let refused = gateway.connect().send(handshake("/public/refused", "")).response();
    assert_eq!((refused.expect(403).body.as_slice(), refused.has("upgrade")), (b"ok".as_slice(), false));
    let methods: Vec<_> = server.asked().into_iter().map(|parts| parts.method).collect();
    assert_eq!(methods, [Method::GET, Method::GET, Method::GET, Method::CONNECT]);
}

/// WS-2: whichever end is lost, the other one is told.
#[test]
fn an_end_of_a_tunnel_over_http2_that_is_lost_ends_both() {
    let server = TunnelServer::start(true);
    let gateway = Gateway::start(server.config());
    assert!(tunnel(&gateway).send("reset").is_closed());
    let mut connection = tunnel(&gateway);
    assert_eq!(connection.send("x").read_some(1), b"x");
    drop(connection);
    eventually("both tunnels are in the log", || {
        gateway.events().iter().filter(|event| event["status"] == 101).count() == 2
    });
    gateway.get("/public/x").send().expect(200);
}

/// H2-4, RFC 8441: a WebSocket over HTTP/2 is an ordinary handshake to its upstream, and octets go both ways.
#[test]
fn a_websocket_over_http2_is_tunnelled() {
    let upstream = Upstream::raw(|mut stream| {
        let (mut head, mut octet) = (Vec::new(), [0; 1]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|count| count == 1) {
            head.extend_from_slice(&octet);
        }
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let offered = head.starts_with("get /public/ws ") && head.contains("\r\nupgrade: websocket\r\n");
        let answer = if offered && head.contains("\r\nsec-websocket-key: ") { "101 Switching" } else { "400 No" };
        let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n";
        let _ = stream.write_all(format!("HTTP/1.1 {answer}\r\n{fields}\r\n").as_bytes());
        let mut buffer = [0; 16384];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let _ = stream.write_all(&buffer[..count]);
        }
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    block_on(async {
        let mut client = connected(&gateway).await;
        let (refused, _) = client.send_request(extended("/notes/1"), false).unwrap();
        assert_eq!(refused.await.unwrap().status(), 401);
        let (response, mut sending) = client.send_request(extended("/public/ws"), false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200, "{response:?}");
        assert!(!response.headers().contains_key("upgrade") && !response.headers().contains_key("connection"));
        let mut body = response.into_body();
        for word in ["one", "two"] {
            sending.send_data(Bytes::from(word), false).unwrap();
            assert_eq!(body.data().await.unwrap().unwrap(), word);
        }
        sending.send_data(Bytes::new(), true).unwrap();
        assert!(body.data().await.is_none_or(|piece| piece.is_ok_and(|piece| piece.is_empty())));
    });
}

/// RFC 8441 section 5, WS-1: a success is the tunnel for a client of HTTP/2. A response without a switch, be it of the upstream
/// or of the gateway itself, is none.
#[test]
fn a_response_without_a_switch_is_no_success_of_an_extended_connect() {
    let upstream = Upstream::start();
    let closed = "[[routes]]\npath = \"/closed/{*rest}\"\naccess = \"public\"\nupstream = \"notes\"\nupgrade = false\n";
    let gateway = Gateway::start(Config::notes(&upstream).add(closed));
    block_on(async {
        let mut client = connected(&gateway).await;
        for path in ["/public/x", "/closed/x", "/.well-known/oauth-authorization-server"] {
            let (response, mut sending) = client.send_request(extended(path), false).unwrap();
            let response = response.await.unwrap();
            assert_eq!(response.status(), 501, "{path}: {response:?}");
            let _ = sending.send_data(Bytes::from("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"), true);
        }
        let (response, _) = client.send_request(request("GET", "/public/y").body(()).unwrap(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
    let targets: Vec<String> = upstream.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/public/x", "/closed/x", "/public/y"]);
}
