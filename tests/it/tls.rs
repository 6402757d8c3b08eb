//! TLS for clients: versions, certificates by name, client certificates, reload, and who does not get in.

use crate::harness::{Authority, Config, Connection, Gateway, Next, SERVICE, Upstream, eventually};
use rustls::HandshakeKind;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The notes API over TLS with the certificate `a`, and what else `tls` says.
fn config(authority: &Authority, upstream: &Upstream, more: &str) -> Config {
    Config::notes(upstream)
        .set("server.public_url", r#""https://a.example""#)
        .set("server.tls", &authority.pair("a", more))
        .set("telemetry.log", r#""debug""#)
}

fn started(more: &str) -> (Authority, Upstream, Gateway) {
    let (authority, upstream) = (Authority::new(), Upstream::start());
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, more));
    (authority, upstream, gateway)
}

fn open(gateway: &Gateway, authority: &Authority, name: &str) -> Connection {
    Connection::secured(gateway.port(), &authority.client(), name).unwrap()
}

fn failures(gateway: &Gateway, cause: &str) -> u64 {
    let line = format!("tollgate_tls_handshakes_failed_total{{cause=\"{cause}\"}} ");
    let metrics = gateway.metrics();
    let value = metrics.lines().find_map(|text| text.strip_prefix(&line)).unwrap_or_else(|| panic!("{metrics}"));
    value.parse().unwrap()
}

/// TLS-1, FWD-2: TLS 1.2 and 1.3 are spoken, and the upstream learns that the client came by https.
#[test]
fn tls_1_2_and_1_3_are_spoken_and_the_upstream_learns_of_it() {
    let (authority, upstream, gateway) = started("");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = authority.client_of(&[version], None);
        let mut connection = Connection::secured(gateway.port(), &client, "a.example").unwrap();
        let form = [("grant_type", "client_credentials"), ("scope", "notes:read")];
        let request = gateway.post("/oauth2/token").host("a.example").basic(SERVICE).form(&form);
        let token = request.send_on(&mut connection).tokens().access;
        gateway.get("/notes/1").host("a.example").bearer(&token).send_on(&mut connection).expect(200);
        let seen = upstream.last();
        assert_eq!(seen.field("x-forwarded-proto"), "https");
        assert!(seen.field("forwarded").contains("proto=https"));
        assert_eq!(connection.tls().protocol_version(), Some(version.version));
    }
}

/// TLS-1: TLS 1.1 is refused with a fatal alert: `handshake_failure` (40) or `protocol_version` (70).
#[test]
fn older_versions_are_refused() {
    let (_authority, _upstream, gateway) = started("");
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    let length = u8::try_from(hello.len()).unwrap();
    stream.write_all(&[&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length], &hello[..]].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.first(), Some(&0x15), "{answer:?}");
    assert!(matches!(answer.get(5..), Some([2, 40 | 70])), "{answer:?}");
    eventually("it is counted", || failures(&gateway, "incompatible") == 1);
}

/// What browsers and scripts use: OpenSSL's TLS, not ours.
#[test]
fn curl_gets_an_answer_over_either_version() {
    let (authority, _upstream, gateway) = started("");
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let output = Command::new("curl")
            .args(["-sS", "--fail", "--cacert"])
            .arg(authority.path("ca.pem"))
            .args(["--resolve", &format!("a.example:{}:127.0.0.1", gateway.port())])
            .args(version)
            .args([format!("https://a.example:{}/public/1", gateway.port()), "-d".to_owned(), "x".repeat(100_000)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"ok");
    }
}

/// The certificate by SNI: exact, wildcard of one label, else the first.
#[test]
fn the_certificate_is_chosen_by_the_name_that_the_client_asks_for() {
    let (authority, upstream) = (Authority::new(), Upstream::start());
    authority.issue("a", &["a.example"]);
    authority.issue("b", &["b.example", "*.b.example"]);
    let more = format!(", certificates = [{}]", authority.pair("b", ""));
    let gateway = Gateway::start(config(&authority, &upstream, &more));
    for (name, file) in [("a.example", "a"), ("b.example", "b"), ("x.b.example", "b")] {
        let connection = open(&gateway, &authority, name);
        assert_eq!(connection.tls().peer_certificates().unwrap()[0], authority.certificate(file), "{name}");
    }
    for name in ["c.example", "x.y.b.example", "127.0.0.1"] {
        let error = Connection::secured(gateway.port(), &authority.client(), name).unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{name}: {error}");
    }
    eventually("they are counted", || failures(&gateway, "rejected") == 3);
    let listed = gateway.cli(&["check"]).stdout;
    assert!(listed.contains("b.example, *.b.example") && listed.contains("2090-01-01T"), "{listed}");
}

/// H-host-3: SNI and authority of different tenants.
#[test]
fn a_host_that_the_certificate_is_not_for_is_421_where_there_are_several() {
    let (authority, upstream) = (Authority::new(), Upstream::start());
    authority.issue("a", &["a.example"]);
    authority.issue("b", &["b.example"]);
    let more = format!(", certificates = [{}]", authority.pair("b", ""));
    let gateway = Gateway::start(config(&authority, &upstream, &more));
    let mut connection = open(&gateway, &authority, "a.example");
    gateway.get("/public/1").host("a.example").send_on(&mut connection).expect(200);
    gateway.get("/public/1").host("A.Example.:8443").send_on(&mut connection).expect(200);
    gateway.get("/public/1").host("b.example").send_on(&mut connection).expect_error(421, "misdirected_request");
    assert_eq!(upstream.requests().len(), 2);
    let (authority, _upstream, single) = started("");
    let mut connection = open(&single, &authority, "a.example");
    single.get("/public/1").host("b.example").send_on(&mut connection).expect(200);
}

/// `client_ca`: no certificate, one of somebody else, one of the authority.
#[test]
fn with_client_ca_only_its_clients_get_in() {
    let (authority, upstream, stranger) = (Authority::new(), Upstream::start(), Authority::new());
    authority.issue("a", &["a.example"]);
    authority.issue("client", &["client.example"]);
    stranger.issue("client", &["client.example"]);
    let more = format!(", client_ca = {}", authority.quoted("ca.pem"));
    let gateway = Gateway::start(config(&authority, &upstream, &more));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let with = |shown| {
            let client = authority.client_of(&[version], shown);
            Connection::secured(gateway.port(), &client, "a.example")
        };
        for shown in [None, Some((&stranger, "client"))] {
            // In TLS 1.3 the client learns of it with the first thing that it reads.
            if let Ok(mut connection) = with(shown) {
                connection.send(gateway.get("/public/1").bytes());
                assert!(!connection.is_alive());
            }
        }
        let mut connection = with(Some((&authority, "client"))).unwrap();
        gateway.get("/public/1").host("a.example").send_on(&mut connection).expect(200);
    }
    assert_eq!(upstream.requests().len(), 2);
    eventually("they are counted", || failures(&gateway, "client_certificate") == 4);
}

/// Promise 7: new certificates are for new handshakes; no request fails, no connection is cut, and a broken pair
/// changes nothing.
#[test]
fn certificates_are_replaced_under_load_without_a_failure() {
    let (authority, _upstream, gateway) = started("");
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let shown = || open(&gateway, &authority, "a.example").tls().peer_certificates().unwrap()[0].clone().into_owned();
    let request = gateway.get("/public/1").host("a.example");
    std::thread::scope(|scope| {
        for keeps in [true, true, false, false] {
            let (authority, gateway, request, done, served) = (&authority, &gateway, &request, &done, &served);
            scope.spawn(move || {
                let mut connection = open(gateway, authority, "a.example");
                while !done.load(Ordering::SeqCst) {
                    if !keeps {
                        connection = open(gateway, authority, "a.example");
                    }
                    request.send_on(&mut connection).expect(200);
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..2 {
            let old = authority.certificate("a");
            authority.issue("a", &["a.example"]);
            assert_ne!(authority.certificate("a"), old);
            // Nobody tells it.
            eventually("the new one is shown", || shown() == authority.certificate("a"));
        }
        let good = authority.certificate("a");
        let key = std::fs::read(authority.path("a.key")).unwrap();
        authority.issue("other", &["a.example"]);
        std::fs::copy(authority.path("other.key"), authority.path("a.key")).unwrap();
        eventually("it is reported", || {
            let output = gateway.output();
            output.contains("a.key does not belong to the certificate in") && output.contains("the old one goes on")
        });
        assert_eq!(shown(), good);
        std::fs::write(authority.path("a.key"), key).unwrap();
        done.store(true, Ordering::SeqCst);
    });
    assert!(served.load(Ordering::SeqCst) > 50);
}

/// Whether there is TLS at all is settled at the start, and the reload says so.
#[test]
fn to_begin_with_tls_needs_a_restart() {
    let (authority, upstream) = (Authority::new(), Upstream::start());
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(Config::notes(&upstream));
    gateway.configure(config(&authority, &upstream, ""));
    gateway.signal("HUP");
    eventually("it is said", || gateway.output().contains("`server.tls` takes effect at the next start"));
    gateway.get("/public/1").send().expect(200);
}

/// Hazard: half-open handshakes cost a place for `head_timeout`, and nothing afterwards.
#[test]
fn a_handshake_that_does_not_go_on_is_ended() {
    let (authority, upstream) = (Authority::new(), Upstream::start());
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, "").set("limits.head_timeout", r#""1s""#));
    let start = Instant::now();
    let mut streams: Vec<TcpStream> = [&b""[..], b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
        .iter()
        .map(|octets| {
            let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
            stream.write_all(octets).unwrap();
            stream
        })
        .collect();
    for stream in &mut streams {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(5), "{waited:?}");
    eventually("they are counted", || failures(&gateway, "timeout") == 3);
    let mut connection = open(&gateway, &authority, "a.example");
    gateway.get("/public/1").host("a.example").send_on(&mut connection).expect(200);
}

#[test]
fn plain_http_on_a_tls_port_is_told_so() {
    let (_authority, upstream, gateway) = started("");
    let response = gateway.get("/public/1").send();
    assert!(response.expect(400).text().contains("https://"));
    assert_eq!(response.field("connection"), "close");
    let mut other = gateway.connect();
    assert!(other.send(b"\x00\x01\x02").is_closed(), "what is no HTTP either gets no answer");
    eventually("they are counted", || failures(&gateway, "not_tls") == 2);
    upstream.expect_nothing();
}

/// Large bodies both ways, several requests on a connection, and several at once.
#[test]
fn bodies_keep_alive_and_pipelining_work_over_tls() {
    let authority = Authority::new();
    let upstream = Upstream::with(|request, stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        let _ = stream.write_all(&request.body);
        Next::Keep
    });
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, ""));
    let mut connection = open(&gateway, &authority, "a.example");
    for size in [1, 16_383, 16_384, 16_385, 3_000_000] {
        let body: Vec<u8> = (0_u32..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let request = gateway.post("/public/1").host("a.example").body(&body);
        assert!(request.send_on(&mut connection).expect(200).body == body, "{size}");
    }
    let pipelined: Vec<u8> =
        (0..5).flat_map(|at| gateway.post("/public/1").host("a.example").body(format!("body {at}")).bytes()).collect();
    connection.send(pipelined);
    for at in 0..5 {
        assert_eq!(connection.response().expect(200).text(), format!("body {at}"));
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let authority = Authority::new();
    let upstream = Upstream::with(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
        let _ = stream.write_all(&vec![b'x'; 8_000_000]);
        Next::Keep
    });
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, ""));
    let mut connection = open(&gateway, &authority, "a.example");
    connection.send(gateway.get("/public/1").host("a.example").bytes());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(connection.response().expect(200).body.len(), 8_000_000);
}

/// H-body-3: what ends with its connection is complete only where the end is said.
#[test]
fn a_response_that_is_cut_is_not_ended_cleanly() {
    let authority = Authority::new();
    let upstream = Upstream::with(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        Next::Close
    });
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, ""));
    let mut connection = open(&gateway, &authority, "a.example");
    connection.send(gateway.get("/public/1").host("a.example").bytes());
    assert!(!connection.try_response("GET").unwrap().complete && connection.was_cut());
    let mut connection = open(&gateway, &authority, "a.example");
    connection
        .send(b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    connection.response().expect(200);
    assert!(connection.is_closed() && !connection.was_cut());
}

#[test]
fn sessions_are_resumed() {
    let (authority, upstream, gateway) = started("");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = authority.client_of(&[version], None);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut connection = Connection::secured(gateway.port(), &client, "a.example").unwrap();
            gateway.get("/public/1").host("a.example").send_on(&mut connection).expect(200);
            assert_eq!(connection.tls().handshake_kind(), Some(kind), "{version:?}");
        }
        // A reload that changes nothing of TLS ends no session.
        gateway.configure(config(&authority, &upstream, "").set("limits.head_fields", "99"));
        gateway.signal("HUP");
        eventually("it is done", || gateway.output().contains("the new configuration is in force"));
        let connection = Connection::secured(gateway.port(), &client, "a.example").unwrap();
        assert_eq!(connection.tls().handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
    }
}

/// TLS-2
#[test]
fn the_gateways_own_answers_have_hsts_where_it_is_configured() {
    let (authority, upstream, gateway) = started("");
    let answer = |gateway: &Gateway, target: &str| {
        gateway.get(target).host("a.example").send_on(&mut open(gateway, &authority, "a.example"))
    };
    assert!(!answer(&gateway, "/oauth2/authorize").has("strict-transport-security"));
    let gateway = Gateway::start(config(&authority, &upstream, "").set("server.hsts", r#""365d""#));
    for target in ["/oauth2/authorize", "/.well-known/oauth-authorization-server", "/notes/1"] {
        assert_eq!(answer(&gateway, target).field("strict-transport-security"), "max-age=31536000", "{target}");
    }
    assert!(!answer(&gateway, "/public/1").has("strict-transport-security"), "that is for the upstream to say");
}

#[test]
fn an_idle_connection_is_ended_and_not_cut() {
    let (authority, upstream) = (Authority::new(), Upstream::start());
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, "").set("limits.idle_timeout", r#""500ms""#));
    let mut connection = open(&gateway, &authority, "a.example");
    gateway.get("/public/1").host("a.example").send_on(&mut connection).expect(200);
    assert!(connection.is_closed() && !connection.was_cut());
}

/// RFC 7301 section 3.2
#[test]
fn a_client_that_speaks_nothing_of_ours_is_refused() {
    let (authority, _upstream, gateway) = started("");
    let mut client = (*authority.client()).clone();
    for (offered, agreed) in [(&["h3", "http/1.1"][..], Some("http/1.1")), (&["h3"], None)] {
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connection = Connection::secured(gateway.port(), &std::sync::Arc::new(client.clone()), "a.example");
        let got = connection.ok().map(|connection| connection.tls().alpn_protocol().unwrap().to_vec());
        assert_eq!(got.as_deref(), agreed.map(str::as_bytes), "{offered:?}");
    }
    eventually("it is counted", || failures(&gateway, "incompatible") == 1);
}

/// SIGTERM ends idle connections, and a response in flight arrives whole.
#[test]
fn draining_ends_connections_over_tls() {
    let authority = Authority::new();
    let upstream = Upstream::with(|_, stream| {
        std::thread::sleep(Duration::from_millis(500));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        Next::Keep
    });
    authority.issue("a", &["a.example"]);
    let gateway = Gateway::start(config(&authority, &upstream, ""));
    let mut idle = open(&gateway, &authority, "a.example");
    let mut busy = open(&gateway, &authority, "a.example");
    busy.send(gateway.get("/public/1").host("a.example").bytes());
    eventually("it is at the upstream", || !upstream.requests().is_empty());
    gateway.signal("TERM");
    assert_eq!(busy.response().expect(200).text(), "done");
    assert!(busy.is_closed() && !busy.was_cut() && idle.is_closed());
    assert!(gateway.wait().success());
}

/// H-ver: HTTP/2 is agreed on by ALPN, and HTTP/1.1 where the client does not know it.
#[test]
fn http2_is_agreed_on_by_alpn() {
    let (authority, upstream, gateway) = started("");
    for (asked, version) in [("--http2", "2"), ("--http1.1", "1.1")] {
        let output = Command::new("curl")
            .args(["-sS", "--fail", asked, "-o", "/dev/null", "-w", "%{http_version}", "--cacert"])
            .arg(authority.path("ca.pem"))
            .args(["--resolve", &format!("a.example:{}:127.0.0.1", gateway.port())])
            .arg(format!("https://a.example:{}/public/1", gateway.port()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), version);
        let seen = upstream.last();
        assert_eq!(seen.field("x-forwarded-proto"), "https");
        assert!(seen.field("via").starts_with(if version == "2" { "2.0 " } else { "1.1 " }), "{seen:?}");
    }
}
