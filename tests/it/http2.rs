//! HTTP/2 with clients and with upstreams: well-behaved peers are played by the library of Rust's HTTP/2, the others by hand.

use crate::harness::frames::{CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, PING, RESET, Raw, SETTINGS};
use crate::harness::{Config, Gateway, Upstream, notes};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request};
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};

mod tunnels;

fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), work).await.expect("within 20 s") })
}

async fn connect(gateway: &Gateway) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(("127.0.0.1", gateway.port())).await.unwrap();
    let (send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    send.ready().await.unwrap()
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://api.example.com{path}"))
}

#[derive(Debug)]
struct Answer {
    status: u16,
    fields: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
}

async fn read(mut body: RecvStream) -> Result<(Vec<u8>, HeaderMap), h2::Error> {
    let mut content = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        content.extend_from_slice(&piece);
    }
    Ok((content, body.trailers().await?.unwrap_or_default()))
}

async fn send(
    client: &SendRequest<Bytes>,
    request: http::request::Builder,
    body: Option<&[u8]>,
) -> Result<Answer, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, mut sending) = client.send_request(request.body(()).unwrap(), body.is_none())?;
    if let Some(body) = body {
        sending.send_data(Bytes::copy_from_slice(body), true)?;
    }
    let (parts, body) = response.await?.into_parts();
    let (body, trailers) = read(body).await?;
    Ok(Answer { status: parts.status.as_u16(), fields: parts.headers, body, trailers })
}

/// What HTTP/1.1 says of a request holds over HTTP/2 by prior knowledge: routes, tokens, fields, `Via`.
#[test]
fn a_request_over_http2_is_treated_as_one_over_http_1() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    block_on(async {
        let client = connect(&gateway).await;
        let refused = send(&client, request("GET", "/notes/1"), None).await.unwrap();
        assert_eq!(refused.status, 401);
        assert!(refused.fields.contains_key("www-authenticate") && !refused.fields.contains_key("connection"));
        let bearer = request("GET", "/notes/a%20b?q=1").header("authorization", format!("Bearer {token}"));
        let answer = send(&client, bearer.header("cookie", "a=1").header("cookie", "b=2"), None).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (200, b"ok".as_slice()));
        assert_eq!(answer.fields["content-length"], "2");
    });
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/notes/a%20b?q=1"));
    assert_eq!((seen.field("host"), seen.field("cookie")), ("api.example.com", "a=1; b=2"));
    assert!(seen.field("via").starts_with("2.0 "), "{seen:?}");
}

/// PATH-16
#[test]
fn a_path_of_http2_is_checked_like_any_other() {
    let (upstream, gateway) = notes();
    block_on(async {
        let client = connect(&gateway).await;
        for path in ["/public/../admin/x", "/public/%2e%2e/admin/x", "/public//x", "/public/%2fx", "/public/%00"] {
            let answer = send(&client, request("GET", path), None).await.unwrap();
            assert!([400, 401, 404].contains(&answer.status), "{path}: {answer:?}");
        }
    });
    upstream.expect_nothing();
}

/// H-body-4, H-1xx: content goes both ways at the same time, whatever its size.
#[test]
fn content_passes_both_ways() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:write");
    let content: Vec<u8> = (0..60_000_u32).map(|octet| octet.to_le_bytes()[0]).collect();
    block_on(async {
        let client = connect(&gateway).await;
        for (length, expect) in [(true, false), (false, false), (true, true)] {
            let mut head = request("POST", "/notes/1").header("authorization", format!("Bearer {token}"));
            if length {
                head = head.header("content-length", content.len());
            }
            if expect {
                head = head.header("expect", "100-continue");
            }
            assert_eq!(send(&client, head, Some(&content)).await.unwrap().status, 200);
            assert_eq!(upstream.last().body, content);
        }
    });
}

/// H-body-3
#[test]
fn a_response_that_breaks_off_resets_its_stream_and_no_other() {
    let upstream = Upstream::answering_and_closing(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    let gateway = Gateway::start(Config::notes(&upstream));
    block_on(async {
        let client = connect(&gateway).await;
        let error = send(&client, request("GET", "/public/x"), None).await.unwrap_err();
        assert_eq!((error.is_reset(), error.reason()), (true, Some(Reason::INTERNAL_ERROR)), "{error}");
        assert_eq!(send(&client, request("GET", "/nowhere"), None).await.unwrap().status, 404);
    });
}

/// LIM-431, SMUG-18, H2-1, H2-3
#[test]
fn what_is_malformed_never_reaches_an_upstream() {
    let (upstream, gateway) = notes();
    block_on(async {
        let client = connect(&gateway).await;
        let other = request("GET", "/public/x").header("host", "other.example");
        assert_eq!(send(&client, other, None).await.unwrap().status, 400);
        let edge = request("GET", "/public/x").header("x-a", " b");
        assert_eq!(send(&client, edge, None).await.unwrap().status, 400);
        let large = request("GET", "/public/x").header("x-a", "b".repeat(40_000));
        assert_eq!(send(&client, large, None).await.unwrap().status, 431);
        let connect = Request::builder().method("CONNECT").uri("api.example.com:443");
        let answer = send(&client, connect, None).await;
        assert!(answer.as_ref().map_or(true, |answer| answer.status >= 400), "{answer:?}");
    });
    let ok: &[(&str, &str)] = &[(":method", "GET"), (":scheme", "http"), (":path", "/public/x"), (":authority", "a")];
    let with = |field: (&'static str, &'static str)| [ok, &[field]].concat();
    for fields in [
        with(("connection", "x-a")),
        with(("transfer-encoding", "chunked")),
        with(("te", "gzip")),
        with(("X-Upper", "a")),
        with(("x-a", "b\r\nx-c: d")),
        with(("x-a", "b\0")),
        with(("x a", "b")),
        with(("x:a", "b")),
        with(("content-length", "5")),
        with((":path", "/admin/x")),
        with((":unknown", "x")),
        [&[("x-a", "b")], ok].concat(),
        [&[(":path", "/public/x HTTP/1.1\r\nx: y")], &ok[..2]].concat(),
        [&[(":authority", "a\r\nb")], &ok[..3]].concat(),
        [&[(":method", "GET /admin HTTP/1.1\r\n")], &ok[1..]].concat(),
        ok[1..].to_vec(),
        ok[..2].to_vec(),
    ] {
        let mut raw = Raw::connect(&gateway);
        raw.headers(1, END_STREAM | END_HEADERS, &fields);
        assert!(raw.is_refused(), "{fields:?}");
    }
    let mut raw = Raw::connect(&gateway);
    raw.headers(1, END_HEADERS, &with(("content-length", "2"))).frame(DATA, END_STREAM, 1, b"four");
    assert!(raw.is_refused());
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
}

/// Sends the frames of one turn.
type Flood<'f> = &'f dyn Fn(&mut Raw, u32);

/// H2-4, hazard 26: what costs the client little and the gateway much ends the connection, and nobody else notices.
#[test]
fn floods_are_bounded() {
    let (_upstream, gateway) = notes();
    let request: &[(&str, &str)] =
        &[(":method", "GET"), (":scheme", "http"), (":path", "/public/x"), (":authority", "a")];
    let floods: [(&str, Flood<'_>); 5] = [
        ("reset", &|raw, number| {
            raw.headers(number * 2 + 1, END_STREAM | END_HEADERS, request).frame(
                RESET,
                0,
                number * 2 + 1,
                &[0, 0, 0, 8],
            );
        }),
        ("continuation", &|raw, number| {
            if number == 0 {
                raw.headers(1, 0, request);
            }
            raw.frame(CONTINUATION, 0, 1, &[0; 1024]);
        }),
        ("empty content", &|raw, number| {
            if number == 0 {
                raw.headers(1, END_HEADERS, request);
            }
            raw.frame(DATA, 0, 1, &[]);
        }),
        ("settings", &|raw, _| {
            raw.frame(SETTINGS, 0, 0, &[]);
        }),
        ("ping", &|raw, _| {
            raw.frame(PING, 0, 0, &[0; 8]);
        }),
    ];
    for (name, flood) in floods {
        let mut raw = Raw::connect(&gateway);
        raw.patience(Duration::from_secs(1));
        for number in 0..5_000 {
            flood(&mut raw, number);
            if raw.failed {
                break;
            }
        }
        let is_endless = ["continuation", "empty content"].contains(&name);
        assert!(raw.failed || !is_endless, "{name}: all of it was taken");
        gateway.get("/public/x").send().expect(200);
    }
}

/// A connection without streams ends after `idle_timeout`, and is told so.
#[test]
fn an_idle_connection_is_ended_with_goaway() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("limits.idle_timeout", "\"1s\""));
    let start = Instant::now();
    let frames = Raw::connect(&gateway).frames();
    assert!(frames.iter().any(|(kind, ..)| *kind == GOAWAY), "{frames:?}");
    assert!((1..8).contains(&start.elapsed().as_secs()));
}

/// H-fwd-1: a gRPC response of trailers alone says nothing of a length, any other keeps what it says.
#[test]
fn only_grpc_goes_without_a_length_of_nothing() {
    for (kind, has_length) in [("application/grpc+proto", false), ("text/plain", true)] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 0\r\n\r\n");
        let upstream = Upstream::answering(answer);
        let gateway = Gateway::start(Config::notes(&upstream));
        block_on(async {
            let answer = send(&connect(&gateway).await, request("POST", "/public/x"), None).await.unwrap();
            assert_eq!(answer.fields.contains_key("content-length"), has_length, "{answer:?}");
        });
    }
}

/// A stream in flight finishes when the gateway is told to end.
#[test]
fn draining_lets_streams_finish() {
    let upstream = Upstream::with(|_, stream| {
        std::thread::sleep(Duration::from_millis(800));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        crate::harness::Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    block_on(async {
        let client = connect(&gateway).await;
        let slow = send(&client, request("GET", "/public/x"), None);
        let end = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            gateway.signal("TERM");
        };
        let (answer, ()) = tokio::join!(slow, end);
        assert_eq!(answer.unwrap().status, 200);
    });
}

/// Clients as people have them.
#[test]
fn curl_nghttp_and_h2load_are_served() {
    let (upstream, gateway) = notes();
    let url = format!("{}/public/x", gateway.url());
    let said = |name: &str, arguments: &[&str]| {
        let output = std::process::Command::new(name).args(arguments).arg(&url).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let curl =
        said("curl", &["-sS", "--http2-prior-knowledge", "--noproxy", "*", "-w", " %{http_version} %{http_code}"]);
    assert_eq!(curl, "ok 2 200");
    let nghttp = said("nghttp", &["-v", "-H", "te: trailers"]);
    assert!(nghttp.contains(":status: 200"), "{nghttp}");
    // More at a time than the upstream's backlog holds would wait for a second, and then be refused.
    let load = said("h2load", &["-n", "2000", "-c", "4", "-m", "25"]);
    assert!(load.contains("2000 succeeded, 0 failed"), "{load}");
    assert_eq!(upstream.requests().len(), 2002);
}

/// An upstream of HTTP/2: what it was asked, and over how many connections.
#[derive(Clone, Default)]
struct Http2Upstream {
    asked: Arc<Mutex<Vec<http::request::Parts>>>,
    connections: Arc<AtomicUsize>,
    /// So many requests are refused before they are looked at.
    refusals: Arc<AtomicUsize>,
    /// So many streams at a time.
    most: Option<u32>,
}

impl Http2Upstream {
    async fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                this.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(this.clone().serve(stream));
            }
        });
        port
    }

    async fn serve(self, stream: TcpStream) {
        let mut builder = h2::server::Builder::new();
        if let Some(most) = self.most {
            builder.max_concurrent_streams(most);
            // It says so late.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                respond.send_reset(Reason::REFUSED_STREAM);
                continue;
            }
            let asked = Arc::clone(&self.asked);
            tokio::spawn(async move {
                let (parts, body) = request.into_parts();
                let path = parts.uri.path().to_owned();
                asked.lock().unwrap().push(parts);
                if path.ends_with("/reset") {
                    return respond.send_reset(Reason::INTERNAL_ERROR);
                }
                let (content, mut trailers) = read(body).await.unwrap();
                let head = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
                let mut sending = respond.send_response(head, false).unwrap();
                sending.send_data(content.into(), false).unwrap();
                if path.ends_with("/half") {
                    return sending.send_reset(Reason::INTERNAL_ERROR);
                }
                trailers.insert("grpc-status", "0".parse().unwrap());
                sending.send_trailers(trailers).unwrap();
            });
        }
    }
}

async fn behind(upstream: &Http2Upstream) -> Gateway {
    let port = upstream.start().await;
    let other = Upstream::start();
    let config = Config::notes(&other)
        .set("upstreams.notes.servers", &format!("[\"http://127.0.0.1:{port}\"]"))
        .set("upstreams.notes.http2", "true");
    tokio::task::spawn_blocking(|| Gateway::start(config)).await.unwrap()
}

/// PX-17, H-te-1, H-trl-1: requests share a connection, content passes in both directions.
#[test]
fn requests_to_an_http2_upstream_share_a_connection() {
    block_on(async {
        let upstream = Http2Upstream::default();
        let gateway = behind(&upstream).await;
        let client = connect(&gateway).await;
        let calls = (0..20).map(|number| {
            let client = client.clone();
            async move {
                let content = format!("message {number}");
                let head = request("POST", "/public/call").header("te", "trailers");
                let answer = send(&client, head, Some(content.as_bytes())).await.unwrap();
                assert_eq!((answer.status, answer.body), (200, content.into_bytes()));
                answer.trailers
            }
        });
        let tasks: Vec<_> = calls.map(tokio::spawn).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap()["grpc-status"], "0");
        }
        // One for each worker at most.
        assert!(upstream.connections.load(Ordering::SeqCst) <= 2, "{:?}", upstream.connections);
        let asked = upstream.asked.lock().unwrap();
        assert_eq!(asked.len(), 20);
        for parts in asked.iter() {
            assert_eq!(parts.uri.authority().unwrap(), "api.example.com");
            assert_eq!(parts.headers["te"], "trailers");
            assert!(!parts.headers.contains_key("connection") && !parts.headers.contains_key("host"));
        }
    });
}

/// H-retry: a request that was refused before it was looked at is sent again; one that may have been looked at is not.
#[test]
fn only_what_was_not_looked_at_is_sent_again() {
    block_on(async {
        let upstream = Http2Upstream::default();
        let gateway = behind(&upstream).await;
        let client = connect(&gateway).await;
        let posted = || request("POST", "/public/call").header("content-length", "2");
        assert_eq!(send(&client, posted(), Some(b"hi")).await.unwrap().status, 200);
        upstream.refusals.store(1, Ordering::SeqCst);
        assert_eq!(send(&client, posted(), Some(b"hi")).await.unwrap().status, 200);
        upstream.asked.lock().unwrap().clear();
        let answer = send(&client, request("POST", "/public/reset").header("content-length", "2"), Some(b"hi")).await;
        assert_eq!(answer.unwrap().status, 502);
        assert_eq!(upstream.asked.lock().unwrap().len(), 1);
        // Whether the client has seen the head by then is a matter of time.
        let half = send(&client, request("GET", "/public/half"), None).await;
        assert!(half.as_ref().map_or_else(h2::Error::is_reset, |answer| answer.status == 502), "{half:?}");
    });
}

/// PATH-10, H2-3: what is in no URI is escaped for an upstream of HTTP/2, which would not take it otherwise: that is no
/// failure of the server.
#[test]
fn characters_that_http2_does_not_take_are_escaped() {
    block_on(async {
        let upstream = Http2Upstream::default();
        let gateway = behind(&upstream).await;
        let work = move || {
            for target in ["/public/a<b>`c\"?q=<`\">|", "/public/a|b^{c}?q=%3C|"] {
                gateway.post(target).send().expect(200);
            }
        };
        tokio::task::spawn_blocking(work).await.unwrap();
        let asked = upstream.asked.lock().unwrap();
        let targets: Vec<_> = asked.iter().map(|parts| parts.uri.path_and_query().unwrap().as_str()).collect();
        assert_eq!(targets, ["/public/a%3Cb%3E%60c%22?q=%3C%60%22%3E%7C", "/public/a|b^{c}?q=%3C|"]);
    });
}

/// LIM-conn: a server that takes few streams at a time gets no more, from the first on; the others wait or have another
/// connection.
#[test]
fn a_server_that_takes_few_streams_is_not_asked_for_more() {
    block_on(async {
        let upstream = Http2Upstream { most: Some(3), ..Http2Upstream::default() };
        let gateway = behind(&upstream).await;
        let client = connect(&gateway).await;
        let call = |number: usize| {
            let client = client.clone();
            tokio::spawn(async move {
                let content = format!("message {number}");
                send(&client, request("POST", "/public/call"), Some(content.as_bytes())).await.unwrap().status
            })
        };
        for task in (0..60).map(call).collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), 200);
        }
        assert_eq!(upstream.asked.lock().unwrap().len(), 60);
        assert!((2..=8 * 4).contains(&upstream.connections.load(Ordering::SeqCst)));
    });
}

/// A client of HTTP/1.1 in front of an upstream of HTTP/2.
#[test]
fn a_client_of_http_1_reaches_an_http2_upstream() {
    block_on(async {
        let upstream = Http2Upstream::default();
        let gateway = behind(&upstream).await;
        let work = move || gateway.post("/public/call").body(b"hello").send();
        let answer = tokio::task::spawn_blocking(work).await.unwrap();
        answer.expect(200);
        assert_eq!(answer.body, b"hello");
        assert_eq!(answer.field("transfer-encoding"), "chunked");
        assert_eq!(upstream.asked.lock().unwrap().len(), 1);
    });
}
