//! Checks over the connections that requests to an upstream of HTTP/2 take.

use crate::harness::{Authority, Config, Ending, Front, Gateway, Upstream, eventually};
use http::request::Parts;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};

/// A server of HTTP/2 that answers 200, and to its checks what the switch says.
#[derive(Clone, Default)]
struct Server {
    is_well: Arc<AtomicBool>,
    checks: Arc<Mutex<Vec<Parts>>>,
    served: Arc<AtomicUsize>,
    /// Connections that have not ended.
    open: Arc<AtomicUsize>,
}

impl Server {
    fn start(&self) -> u16 {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = self.clone();
        // It ends with the process: nothing of it outlives the tests.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(this.clone().serve(stream));
                }
            });
        });
        port
    }

    async fn serve(self, stream: TcpStream) {
        self.open.fetch_add(1, Ordering::SeqCst);
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (parts, _) = request.into_parts();
            let is_check = parts.uri.path() == "/healthz";
            let is_bad = is_check && !self.is_well.load(Ordering::SeqCst);
            if is_check {
                self.checks.lock().unwrap().push(parts);
            } else {
                self.served.fetch_add(1, Ordering::SeqCst);
            }
            let head = http::Response::builder().status(if is_bad { 503 } else { 200 }).body(()).unwrap();
            let _ = respond.send_response(head, true);
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How a server at `url` passes, fails and passes its checks again.
#[track_caller]
fn follow(server: &Server, url: &str, config: Config) {
    server.is_well.store(true, Ordering::SeqCst);
    let gateway = Gateway::start(
        config
            .set("server.workers", "1")
            .set("upstreams.notes.servers", &format!("[\"{url}\"]"))
            .set("upstreams.notes.http2", "true")
            .set("upstreams.notes.connect_timeout", r#""5s""#)
            .set("upstreams.notes.health", super::EVERY_100_MS),
    );
    let healthy = |value: u32| {
        let line = format!("tollgate_upstream_healthy{{upstream=\"notes\",server=\"{url}\"}} {value}\n");
        eventually(&format!("its health is {value}"), || gateway.metrics().contains(&line));
    };
    eventually("it is checked", || server.checks.lock().unwrap().len() >= 2);
    healthy(1);
    gateway.get("/public/x").send().expect(200);
    server.is_well.store(false, Ordering::SeqCst);
    healthy(0);
    let before = server.served.load(Ordering::SeqCst);
    gateway.get("/public/x").send().expect_error(503, "temporarily_unavailable");
    assert_eq!(server.served.load(Ordering::SeqCst), before);
    server.is_well.store(true, Ordering::SeqCst);
    healthy(1);
    gateway.get("/public/x").send().expect(200);
    assert!(gateway.output().contains("its status is 503"));
    // The one that requests take, and at most one of a check that is under way.
    eventually("a check leaves no connection", || server.open.load(Ordering::SeqCst) <= 2);
}

#[test]
fn a_server_of_http2_is_checked_over_http2() {
    let server = Server::default();
    let url = format!("http://127.0.0.1:{}", server.start());
    follow(&server, &url, Config::notes(&Upstream::start()));
    let checks = server.checks.lock().unwrap();
    for parts in checks.iter() {
        assert_eq!((parts.method.as_str(), parts.uri.to_string()), ("GET", format!("{url}/healthz")));
        assert!(parts.headers["user-agent"].to_str().unwrap().contains("(health)"), "{parts:?}");
    }
}

/// TLS-3: over TLS by ALPN. One that speaks HTTP/1.1 alone is unhealthy, whatever it would answer.
#[test]
fn a_server_of_http2_over_tls_is_checked_over_it() {
    let (authority, server) = (Authority::new(), Server::default());
    authority.issue("server", &["localhost"]);
    let tls = format!(r#"{{ ca = {}, server_name = "localhost" }}"#, authority.quoted("ca.pem"));
    let mut config = authority.server("server", false);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let front = Front::start(config, server.start(), Ending::Said);
    let url = format!("https://127.0.0.1:{}", front.port());
    follow(&server, &url, Config::notes(&Upstream::start()).set("upstreams.notes.tls", &tls));
    assert!(server.checks.lock().unwrap().iter().all(|parts| parts.uri.scheme_str() == Some("https")));

    let upstream = Upstream::start();
    let front = Front::start(authority.server("server", false), upstream.port(), Ending::Said);
    let gateway = Gateway::start(
        Config::notes(&upstream)
            .set("upstreams.notes.servers", &format!("[\"https://127.0.0.1:{}\"]", front.port()))
            .set("upstreams.notes.http2", "true")
            .set("upstreams.notes.tls", &tls)
            .set("upstreams.notes.health", super::EVERY_100_MS),
    );
    eventually("it is unhealthy", || gateway.output().contains("a server is unhealthy"));
    assert!(gateway.output().contains("another version of HTTP"));
    assert!(upstream.requests().is_empty());
}
