//! Streaming both ways, connections to upstreams, retries and time limits.

use crate::harness::{ALICE, Config, Connection, Gateway, Next, Upstream, eventually, free_port, notes};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// H-fwd-1, H-fwd-2: the request arrives as it was sent, less what must not pass.
#[test]
fn a_request_arrives_as_it_was_sent() {
    let (upstream, gateway) = notes();
    let token = gateway.login(ALICE).access;
    let body: Vec<u8> = (0..=255).collect();
    let request = gateway
        .post("/notes/a%20b?q=%2F&r")
        .host("api.example.com")
        .bearer(&token)
        .field("X-Custom", "one")
        .field("x-CUSTOM", "two")
        .field("Cookie", "a=1; b=2")
        .field("Accept-Encoding", "br;q=1.0, gzip;q=0.8")
        .field("Content-Type", "application/octet-stream")
        .field("Keep-Alive", "timeout=5")
        .field("Proxy-Connection", "keep-alive")
        .field("TE", "gzip")
        .body(&body);
    request.send().expect(200);
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/notes/a%20b?q=%2F&r"));
    assert_eq!(seen.body, body);
    assert_eq!(seen.values("x-custom"), ["one", "two"]);
    for (name, value) in [
        ("host", "api.example.com"),
        ("cookie", "a=1; b=2"),
        ("accept-encoding", "br;q=1.0, gzip;q=0.8"),
        ("content-type", "application/octet-stream"),
        ("content-length", "256"),
        ("x-auth-subject", "alice"),
    ] {
        assert_eq!(seen.field(name), value);
    }
    for name in ["authorization", "keep-alive", "proxy-connection", "te", "transfer-encoding"] {
        assert!(!seen.has(name), "{name} in\n{seen:?}");
    }
}

/// H-via, FWD-1, FWD-3.
#[test]
fn the_gateway_adds_its_own_forwarding_fields_once() {
    let (upstream, gateway) = notes();
    gateway.get("/public/x").host("api.example.com").field("Via", "1.0 fred").send().expect(200);
    let seen = upstream.last();
    let via = seen.values("via").join(", ");
    assert!(via.starts_with("1.0 fred, 1.1 "), "{via}");
    assert_eq!(seen.field("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.field("x-forwarded-host"), "api.example.com");
    assert_eq!(seen.field("x-forwarded-proto"), "http");
    let forwarded = seen.field("forwarded");
    assert!(forwarded.contains("for=127.0.0.1") && forwarded.contains("proto=http"), "{forwarded}");
    assert!(seen.has("x-request-id"));
}

/// FWD-3, IDH-3: the operator chooses what upstreams are told, and which names with underscores they get.
#[test]
fn forwarding_fields_and_names_with_underscores_may_be_chosen() {
    let upstream = Upstream::start();
    let route = "path = \"/public/{*rest}\"\n";
    let config = Config::notes(&upstream)
        .set("server.forwarded", "\"forwarded\"")
        .set("server.forwarded_parameters", "[\"proto\", \"host\"]");
    let gateway = Gateway::start(config.replace(route, &format!("{route}underscores = [\"X_Legacy_Id\"]\n")));
    let fields = [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1"), ("x_legacy_id", "7"), ("x_b", "8")];
    gateway.get("/public/x").host("api.example.com").fields(&fields).send().expect(200);
    let seen = upstream.last();
    assert_eq!((seen.field("forwarded"), seen.field("x_legacy_id")), ("proto=http;host=api.example.com", "7"));
    for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x_b"] {
        assert!(!seen.has(name), "{name} in\n{seen:?}");
    }
}

/// H-via: a request that comes back to the gateway ends.
#[test]
fn a_loop_ends() {
    let port = free_port();
    let itself = Config::people()
        .set("upstreams.itself.servers", &format!("[\"http://127.0.0.1:{port}\"]"))
        .add("[[routes]]\npath = \"/{*rest}\"\naccess = \"public\"\nupstream = \"itself\"\n");
    let gateway = Gateway::launch_on(itself, port);
    gateway.wait_until_ready();
    gateway.get("/x").send().expect(502);
}

/// `host_header = "upstream"`, `headers.request`, `headers.response`.
#[test]
fn a_route_edits_fields_and_an_upstream_may_want_its_own_host() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nServer: old\r\nX-Inner: y\r\nContent-Length: 0\r\n\r\n");
    let gateway = Gateway::start(Config::notes(&upstream).set("upstreams.notes.host_header", "\"upstream\"").add(
        r#"
[[routes]]
path = "/edited/{*rest}"
access = "public"
upstream = "notes"
headers.request = { set = { "x-tier" = "admin" }, remove = ["cookie"] }
headers.response = { set = { "strict-transport-security" = "max-age=31536000" }, remove = ["x-inner"] }
"#,
    ));
    let request = gateway.get("/edited/x").field("X-Tier", "forged").field("X_Tier", "forged").field("Cookie", "a=1");
    let response = request.host("api.example.com").send();
    let seen = upstream.last();
    assert_eq!(seen.field("x-tier"), "admin");
    assert!(!seen.has("cookie") && !seen.has("x_tier"), "{seen:?}");
    assert_eq!(seen.field("host"), format!("127.0.0.1:{}", upstream.port()));
    assert_eq!(response.expect(200).field("strict-transport-security"), "max-age=31536000");
    assert!(!response.has("x-inner") && response.field("server") == "old");
}

/// H-fwd-3: what an upstream compressed arrives as it is, and what it did not compress stays so.
#[test]
fn a_response_is_not_recoded() {
    let packed: Vec<u8> = [0x1f, 0x8b, 8, 0].into_iter().chain((0..=255).rev()).collect();
    let sent = packed.clone();
    let upstream = Upstream::with(move |request, stream| {
        let (coding, body) =
            if request.target == "/public/packed" { ("gzip", &sent[..]) } else { ("identity", &b"plain"[..]) };
        let head = format!(
            "HTTP/1.1 200 OK\r\nCache-Control: no-transform\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    for (path, accepted, coding, body) in
        [("/public/packed", "identity", "gzip", &packed[..]), ("/public/plain", "gzip, br", "identity", b"plain")]
    {
        let response = gateway.get(path).field("Accept-Encoding", accepted).send();
        let response = response.expect(200);
        assert_eq!((response.field("content-encoding"), response.field("cache-control")), (coding, "no-transform"));
        assert_eq!(response.body, body, "{path}");
    }
}

/// H-body-4: a response arrives piece by piece, not when it is complete.
#[test]
fn responses_are_streamed() {
    let (go, told) = channel::<()>();
    let told = Mutex::new(told);
    let upstream = Upstream::with(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
        told.lock().unwrap().recv().unwrap();
        stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
        Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send(gateway.get("/public/x").bytes());
    let mut seen = Vec::new();
    while !seen.ends_with(b"first") {
        seen.extend(connection.read_some(1));
        assert!(seen.len() < 4096, "{}", crate::harness::shown(&seen));
    }
    go.send(()).unwrap();
    while !seen.ends_with(b"0\r\n\r\n") {
        seen.extend(connection.read_some(1));
    }
    assert!(seen.windows(6).any(|window| window == b"second"));
}

/// H-body-4: so does a request.
#[test]
fn requests_are_streamed() {
    let (arrived, pieces) = channel::<Vec<u8>>();
    let arrived = Mutex::new(arrived);
    let upstream = Upstream::raw(move |mut stream| {
        let mut buffer = [0; 16384];
        let mut answered = false;
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            arrived.lock().unwrap().send(buffer[..count].to_vec()).unwrap();
            if !answered && buffer[..count].windows(3).any(|window| window == b"end") {
                stream.write_all(OK).unwrap();
                answered = true;
            }
        }
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbegin");
    until(&pieces, b"begin");
    connection.send("end").response().expect(200);
    until(&pieces, b"end");
}

fn until(pieces: &Receiver<Vec<u8>>, text: &[u8]) {
    let mut seen = Vec::new();
    while !seen.windows(text.len()).any(|window| window == text) {
        seen.extend(pieces.recv_timeout(Duration::from_secs(10)).expect("the next piece"));
    }
}

/// H-body-4, promise 8: 64 MiB each way, unchanged, in memory that does not grow with them.
#[test]
fn large_bodies_pass_in_bounded_memory() {
    const SIZE: usize = 64 << 20;
    let upstream = Upstream::raw(|mut stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
            head.push(byte[0]);
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").unwrap();
        let mut left = SIZE;
        let mut buffer = vec![0; 65536];
        while left > 0 {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the request ended early");
            stream.write_all(&buffer[..count]).unwrap();
            left -= count;
        }
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let before = resident(gateway.pid());
    let mut sender = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    let mut reader = sender.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        write!(sender, "POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").unwrap();
        for number in 0..SIZE / 65536 {
            sender.write_all(&block(number)).unwrap();
        }
    });
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        assert_eq!(reader.read(&mut byte).unwrap(), 1, "a response");
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", crate::harness::shown(&head));
    let mut got = vec![0; 65536];
    for number in 0..SIZE / 65536 {
        reader.read_exact(&mut got).unwrap();
        assert!(got == block(number), "block {number} was changed");
    }
    sending.join().unwrap();
    let grown = resident(gateway.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "memory grew by {grown} octets");
}

fn block(number: usize) -> Vec<u8> {
    (0..65536_usize).map(|index| (index.wrapping_mul(31) ^ number ^ (index >> 8)).to_le_bytes()[0]).collect()
}

/// The resident memory of a process, in octets.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// H-body-4, LIM-conn: a client that does not read holds up its upstream, not the gateway's memory.
#[test]
fn a_client_that_does_not_read_is_not_buffered_for() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let upstream = Upstream::with(move |_, stream| {
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 16384]).is_ok() {
            counter.fetch_add(16384, Ordering::SeqCst);
        }
        Next::Close
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let before = resident(gateway.pid());
    let mut connection = gateway.connect();
    connection.send(gateway.get("/public/x").bytes());
    let mut last = 0;
    eventually("the upstream is held up", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = sent.load(Ordering::SeqCst);
        std::mem::replace(&mut last, now) == now && now > 0
    });
    assert!(last < 64 << 20, "{last} octets were taken for a client that reads none");
    assert!(resident(gateway.pid()).saturating_sub(before) < 8 << 20);
}

/// SMUG-23: connections are used again.
#[test]
fn connections_to_an_upstream_are_used_again() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.workers", "1"));
    for _ in 0..50 {
        gateway.get("/public/x").send().expect(200);
    }
    assert!(upstream.connections() <= 2, "{} connections for 50 requests", upstream.connections());
}

/// H-retry, LIM-502: an upstream that closes idle connections whenever it likes is never seen by a GET.
#[test]
fn an_upstream_that_closes_idle_connections_is_never_seen() {
    let number = AtomicUsize::new(0);
    let upstream = Upstream::with(move |_, stream| {
        let _ = stream.write_all(OK);
        let number = number.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros([0, 100, 400, 1000, 2500][number % 5]));
        if number.is_multiple_of(3) { Next::Keep } else { Next::Close }
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    for number in 0_u64..400 {
        let response = gateway.get("/public/x").send_on(&mut connection);
        assert_eq!(response.status, 200, "request {number}\n{response:?}");
        std::thread::sleep(Duration::from_micros(number % 7 * 300));
    }
}

/// H-retry: a POST that may have been seen is never sent again.
#[test]
fn a_post_is_never_sent_twice() {
    let upstream = Upstream::with(|request, stream| {
        if request.method == "POST" || request.target.ends_with("cut") {
            return Next::Close;
        }
        let _ = stream.write_all(OK);
        Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    for round in 1..=5 {
        gateway.get("/public/warm").send().expect(200);
        gateway.post("/public/x").body("once").send().expect(502);
        let posts = upstream.requests().iter().filter(|request| request.method == "POST").count();
        assert_eq!(posts, round);
    }
    // a GET is tried once more, and no more
    upstream.forget();
    gateway.get("/public/cut").send().expect(502);
    assert!(upstream.requests().len() <= 2, "{:?}", upstream.requests());
}

/// A POST does not fail on a connection that the upstream closed long ago.
#[test]
fn a_post_does_not_fail_on_a_connection_closed_long_ago() {
    let upstream = Upstream::answering_and_closing(OK);
    let gateway = Gateway::start(Config::notes(&upstream).set("server.workers", "1"));
    for _ in 0..20 {
        gateway.post("/public/x").body("text").send().expect(200);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(upstream.requests().len(), 20);
}

fn in_front_of(servers: &str, more: &[(&str, &str)]) -> Gateway {
    let mut config = Config::people().set("upstreams.it.servers", servers);
    for (key, value) in more {
        config = config.set(&format!("upstreams.it.{key}"), value);
    }
    let routes = "[[routes]]\npath = \"/{*rest}\"\naccess = \"public\"\nupstream = \"it\"\n\
                  [[routes]]\npath = \"/limited/{*rest}\"\naccess = \"public\"\nupstream = \"it\"\nbody_limit = \"1KiB\"\ntimeout = \"600ms\"\n";
    Gateway::start(config.add(routes))
}

/// LIM-502, LIM-err: nobody listens there.
#[test]
fn a_refused_connection_is_502_and_shows_no_inner_address() {
    let port = free_port();
    let gateway = in_front_of(&format!("[\"http://127.0.0.1:{port}\"]"), &[]);
    for method in ["GET", "POST"] {
        let response = gateway.request(method, "/x").send();
        response.expect(502);
        assert!(response.json()["error"].is_string() && response.has("x-request-id"));
        assert!(!response.whole().contains(&port.to_string()));
    }
}

/// LIM-504: no answer in time, and the connection in between is not used again.
#[test]
fn an_upstream_that_does_not_answer_is_504() {
    let upstream = Upstream::with(|request, stream| {
        if request.target.ends_with("slow") {
            std::thread::sleep(Duration::from_millis(1500));
        }
        let _ = stream.write_all(OK);
        Next::Keep
    });
    let servers = format!("[\"{}\"]", upstream.url());
    let gateway = in_front_of(&servers, &[("response_timeout", "\"300ms\"")]);
    let start = Instant::now();
    gateway.post("/slow").body("x").send().expect(504);
    assert!(start.elapsed() < Duration::from_millis(1400), "{:?}", start.elapsed());
    assert_eq!(gateway.get("/x").send().expect(200).body, b"ok");
    let whole = in_front_of(&servers, &[]);
    whole.post("/limited/slow").body("x").send().expect(504);
}

/// LIM-504: connecting takes too long (a listener whose queue is full).
#[test]
fn connecting_for_too_long_is_504() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        if waiting.len() > 5000 {
            return;
        }
    }
    let servers = format!("[\"http://{address}\"]");
    let gateway = in_front_of(&servers, &[("connect_timeout", "\"300ms\""), ("retries", "0")]);
    gateway.get("/x").send().expect(504);
}

/// LIM-413: by its length at once, by counting while it streams.
#[test]
fn a_body_beyond_the_limit_is_413() {
    let upstream = Upstream::start();
    let gateway = in_front_of(&format!("[\"{}\"]", upstream.url()), &[]);
    gateway.post("/limited/x").body(vec![b'x'; 1024]).send().expect(200);
    upstream.forget();
    gateway.post("/limited/x").body(vec![b'x'; 1025]).send().expect(413);
    let chunked = format!(
        "POST /limited/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        format!("200\r\n{}\r\n", "x".repeat(0x200)).repeat(3)
    );
    gateway.connect().send(chunked).response().expect(413);
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
}

/// PX-1: a response that comes before the request's body is complete.
#[test]
fn an_early_answer_of_the_upstream_reaches_the_client() {
    let upstream = Upstream::raw(|mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"HTTP/1.1 409 Conflict\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        let _ = stream.shutdown(Shutdown::Write);
        std::thread::sleep(Duration::from_millis(300));
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbegin");
    assert_eq!(connection.response().expect(409).body, b"no");
}

/// A client that goes away takes its request with it.
#[test]
fn a_client_that_goes_away_ends_its_request() {
    static CUT: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::raw(|mut stream| {
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        while stream.write_all(&[b'x'; 16384]).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
        CUT.fetch_add(1, Ordering::SeqCst);
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send(gateway.get("/public/x").bytes()).read_some(1000);
    drop(connection);
    eventually("the upstream's connection is cut", || CUT.load(Ordering::SeqCst) == 1);
}

/// Several servers: the load is spread, and one that is down is passed over.
#[test]
fn a_server_that_is_down_is_passed_over() {
    for balance in ["least-loaded", "round-robin"] {
        let (one, two) = (Upstream::start(), Upstream::start());
        let servers = format!("[\"{}\", \"http://127.0.0.1:{}\", \"{}\"]", one.url(), free_port(), two.url());
        let gateway = in_front_of(&servers, &[("balance", &format!("\"{balance}\"")), ("retries", "2")]);
        for _ in 0..60 {
            gateway.get("/x").send().expect(200);
            gateway.post("/x").body("y").send().expect(200);
        }
        assert!(one.requests().len() > 10 && two.requests().len() > 10, "{balance}");
        assert_eq!(one.requests().len() + two.requests().len(), 120);
    }
}

/// An upstream behind a unix socket.
#[test]
fn an_upstream_may_listen_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
            stream.write_all(OK).unwrap();
        }
    });
    let gateway = in_front_of(&format!("[\"unix:{}\"]", path.display()), &[]);
    assert_eq!(gateway.get("/x").send().expect(200).body, b"ok");
}

/// The gateway listens on a unix socket.
#[test]
fn the_gateway_listens_on_a_unix_socket_too() {
    let upstream = Upstream::start();
    let port = free_port();
    let listen = format!("[\"127.0.0.1:{port}\", \"unix:public.sock\"]");
    let gateway = Gateway::launch_on(Config::notes(&upstream).set("server.listen", &listen), port);
    gateway.wait_until_ready();
    let mut stream = std::os::unix::net::UnixStream::connect(gateway.path("public.sock")).unwrap();
    stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("ok"), "{text}");
}

/// The built-in `echo:` upstream answers with what an upstream would see.
#[test]
fn echo_answers_with_what_an_upstream_would_see() {
    let gateway = Gateway::start(
        Config::people()
            .set("upstreams.echo.servers", "[\"echo:\"]")
            .add("[[routes]]\npath = \"/{*rest}\"\nscopes = \"notes:read\"\nupstream = \"echo\"\n"),
    );
    let token = gateway.login(ALICE).access;
    let mut connection: Connection = gateway.connect();
    for _ in 0..3 {
        let response = gateway.get("/some/path?q=1").bearer(&token).send_on(&mut connection);
        let text = response.expect(200).text();
        assert!(text.contains("/some/path?q=1") && text.to_lowercase().contains("x-auth-subject"), "{text}");
        assert!(text.contains("alice") && !text.contains(&token[4..]));
        let posted = gateway.post("/x").bearer(&token).body("the body").send_on(&mut connection);
        assert!(posted.expect(200).text().contains("the body"));
    }
}
