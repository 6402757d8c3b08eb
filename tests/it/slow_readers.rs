//! Clients that ask and never read the answers: their time is bounded as that of any other.

use crate::harness::frames::{END_HEADERS, END_STREAM, Raw, SETTINGS};
use crate::harness::{Authority, Config, Gateway, Upstream, eventually};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

/// Nobody is given longer than this.
const LIMIT: &str = "\"500ms\"";

fn config(upstream: &Upstream) -> Config {
    Config::notes(upstream).set("limits.body_timeout", LIMIT).set("server.workers", "1")
}

/// How many connections of clients there are.
#[track_caller]
fn connections(gateway: &Gateway) -> u64 {
    let metrics = gateway.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix("tollgate_connections "));
    line.expect("the gauge").parse().unwrap()
}

/// Sends again and again until nothing more is taken.
fn fill(socket: &mut TcpStream, mut send: impl FnMut(&mut TcpStream) -> std::io::Result<()>) {
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    while send(socket).is_ok() {}
}

/// LIM-conn, LIM-408: over HTTP/1.1, whether the gateway itself answers, refuses or echoes.
#[test]
fn who_never_reads_loses_its_connection() {
    let echo = "[upstreams.echo]\nservers = [\"echo:\"]\n[[routes]]\npath = \"/echo/{*rest}\"\naccess = \"public\"\nupstream = \"echo\"\n";
    let gateway = Gateway::start(config(&Upstream::start()).add(echo));
    for target in ["/none", "/notes/1", "/echo/x", "/token"] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(100);
        let mut socket = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
        fill(&mut socket, |socket| socket.write_all(request.as_bytes()));
        eventually("the connection is given up", || connections(&gateway) == 0);
    }
}

/// LIM-conn: over TLS the end of a connection is something to read as well.
#[test]
fn who_never_reads_over_tls_loses_its_connection() {
    let authority = Authority::new();
    authority.issue("a", &["a.example"]);
    let config = config(&Upstream::start()).set("server.public_url", r#""https://a.example""#);
    let gateway = Gateway::start(config.set("server.tls", &authority.pair("a", "")));
    let mut socket = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    let name = "a.example".try_into().unwrap();
    let mut tls = rustls::ClientConnection::new(authority.client(), name).unwrap();
    tls.complete_io(&mut socket).unwrap();
    let request = "GET /none HTTP/1.1\r\nHost: a.example\r\n\r\n".repeat(100);
    fill(&mut socket, |socket| {
        tls.writer().write_all(request.as_bytes())?;
        while tls.wants_write() {
            tls.write_tls(socket)?;
        }
        Ok(())
    });
    eventually("the connection is given up", || connections(&gateway) == 0);
}

/// LIM-conn, H2-4: over HTTP/2, with a window that never opens.
#[test]
fn streams_whose_window_never_opens_are_given_up() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(config(&upstream).set("limits.idle_timeout", "\"1s\""));
    let mut raw = Raw::connect(&gateway);
    raw.frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for (number, path) in (0_u32..).zip(["/none", "/notes/1", "/public/x", "/token"]) {
        let request = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")];
        raw.headers(number * 2 + 1, END_STREAM | END_HEADERS, &request);
    }
    eventually("the connection is given up", || connections(&gateway) == 0);
}
