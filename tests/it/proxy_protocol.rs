//! The PROXY protocol: who the client of a proxy is that passes on octets.

use crate::harness::{Config, Connection, Gateway, Upstream, eventually, free_port};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n";
const ASK: &[u8] = b"GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n";

fn trusting(upstream: &Upstream, trusted: &str) -> Config {
    Config::notes(upstream).set("server.trusted_proxies", trusted).set("server.proxy_protocol", "true")
}

fn announced(upstream: &Upstream) -> Gateway {
    Gateway::start(trusting(upstream, r#"["127.0.0.1"]"#))
}

fn octets(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

fn six() -> Vec<u8> {
    let mut addresses = vec![0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    addresses.extend([0; 16]);
    addresses.extend([0x12, 0x67, 0x01, 0xbb]);
    octets(0x21, 0x21, &addresses)
}

/// FWD-1, FWD-2: log, forwarding fields and limits know the client; what the client itself says in
/// forwarding fields is not believed, because its address is not trusted.
#[test]
fn the_announced_client_is_the_peer() {
    let upstream = Upstream::start();
    let gateway = announced(&upstream);
    for (header, client, node) in
        [(LINE.to_vec(), "203.0.113.9", "203.0.113.9"), (six(), "2001:db8::9", "\"[2001:db8::9]\"")]
    {
        let mut connection = gateway.connect();
        connection.send(&header);
        for _ in 0..2 {
            let lie = "X-Forwarded-For: 10.9.9.9\r\nForwarded: for=10.9.9.9\r\nX-Request-Id: chosen\r\n";
            connection.send(format!("GET /public/x HTTP/1.1\r\nHost: a\r\n{lie}\r\n"));
            let response = connection.response();
            response.expect(200);
            let seen = upstream.last();
            assert_eq!(seen.field("x-forwarded-for"), client);
            assert_eq!(seen.field("forwarded"), format!("for={node};proto=http;host=a"));
            assert_ne!(seen.field("x-request-id"), "chosen");
            assert_eq!(gateway.event(&response)["address"], client);
        }
    }
}

/// FWD-2: a client that is itself a trusted proxy is believed.
#[test]
fn an_announced_proxy_is_as_trusted_as_its_address() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(trusting(&upstream, r#"["127.0.0.1", "203.0.113.0/24"]"#));
    let mut connection = gateway.connect();
    connection.send(LINE).send("GET /public/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
    let response = connection.response();
    response.expect(200);
    assert_eq!(upstream.last().field("x-forwarded-for").replace(' ', ""), "192.0.2.7,203.0.113.9");
    assert_eq!(gateway.event(&response)["address"], "192.0.2.7");
}

/// SMUG-24: wherever the octets are split, and whatever comes with them in one packet.
#[test]
fn what_stands_behind_the_header_is_not_lost() {
    let upstream = Upstream::start();
    let gateway = announced(&upstream);
    for header in [LINE.to_vec(), six(), octets(0x20, 0, b""), octets(0x21, 0, b"x"), b"PROXY UNKNOWN\r\n".to_vec()] {
        let all = [&header[..], ASK, ASK].concat();
        for at in 0..header.len() + ASK.len() {
            let mut connection = gateway.connect();
            connection.send(&all[..at]);
            if at % 8 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            connection.send(&all[at..]);
            assert_eq!(connection.response().status, 200, "{at}");
            assert_eq!(connection.response().status, 200, "{at}");
        }
    }
}

/// A probe of the proxy itself is the proxy's; a client without a name is nobody's, and is not believed.
#[test]
fn a_connection_without_a_client_is_the_proxys_or_nobodys() {
    let upstream = Upstream::start();
    let gateway = announced(&upstream);
    let ask = "GET /public/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    let mut own = gateway.connect();
    assert_eq!(own.send(octets(0x20, 0, b"")).send(ask).response().status, 200);
    assert_eq!(upstream.last().field("x-forwarded-for").replace(' ', ""), "192.0.2.7,127.0.0.1");
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), octets(0x21, 0x31, &[0; 216])] {
        let mut unnamed = gateway.connect();
        let response = unnamed.send(&header).send(ask).response();
        response.expect(200);
        assert!(!upstream.last().has("x-forwarded-for"), "{:?}", upstream.last());
        assert_eq!(upstream.last().field("forwarded"), "for=unknown;proto=http;host=a");
        assert!(gateway.event(&response)["address"].is_null());
    }
}

/// FWD-1: the proxy says whether its client speaks TLS; where it does not, `behind_tls` does.
#[test]
fn the_scheme_is_what_the_proxy_says_of_tls() {
    let upstream = Upstream::start();
    let addresses = [203, 0, 113, 9, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];
    let secured = |flags| octets(0x21, 0x11, &[&addresses[..], &[0x20, 0, 5, flags, 0, 0, 0, 0]].concat());
    for behind_tls in ["false", "true"] {
        let gateway = Gateway::start(trusting(&upstream, r#"["127.0.0.1"]"#).set("server.behind_tls", behind_tls));
        let usual = if behind_tls == "true" { "https" } else { "http" };
        for (header, scheme) in [(secured(1), "https"), (secured(0), "http"), (LINE.to_vec(), usual)] {
            assert_eq!(gateway.connect().send(&header).send(ASK).response().status, 200);
            let seen = upstream.last();
            assert_eq!(seen.field("x-forwarded-proto"), scheme);
            assert_eq!(seen.field("forwarded"), format!("for=203.0.113.9;proto={scheme};host=a"));
        }
    }
}

#[test]
fn a_trusted_proxy_without_a_good_header_is_refused() {
    let upstream = Upstream::start();
    let gateway = announced(&upstream);
    for sent in [
        ASK.to_vec(),
        [b"\x16\x03\x01".as_slice(), &[0; 64]].concat(),
        [b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 65536\r\n", ASK].concat(),
        [b"PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\n", ASK].concat(),
        [&octets(0x21, 0x11, b"short")[..], ASK].concat(),
        [&octets(0x2f, 0x11, &[0; 12])[..], ASK].concat(),
        [b"PROXY UNKNOWN ", &[b'a'; 200][..]].concat(),
    ] {
        let mut connection = gateway.connect();
        connection.send(&sent);
        assert!(closed(&mut connection), "{}", sent.escape_ascii());
    }
    let mut short = gateway.connect();
    short.send(&LINE[..20]).finish();
    assert!(closed(&mut short));
    upstream.expect_nothing();
    eventually("it is logged", || gateway.output().contains("it does not begin with a PROXY header"));
}

/// Closed without an answer; octets that were never read may reset the connection.
fn closed(connection: &mut Connection) -> bool {
    connection.rest().is_empty()
}

/// LIM-408: half a header holds a connection for the time of a head and no longer.
#[test]
fn a_header_that_does_not_come_in_time_ends_the_connection() {
    let upstream = Upstream::start();
    let config = trusting(&upstream, r#"["127.0.0.1"]"#).set("limits.head_timeout", "\"200ms\"");
    let gateway = Gateway::start(config);
    for begun in [&LINE[..0], &LINE[..20], b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"] {
        let mut connection = gateway.connect();
        connection.send(begun);
        assert!(closed(&mut connection));
    }
}

/// Whoever is not trusted is served as itself, and cannot say that it is somebody else.
#[test]
fn a_peer_that_is_not_trusted_announces_nobody() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(trusting(&upstream, r#"["192.0.2.1"]"#));
    let mut plain = gateway.connect();
    assert_eq!(plain.send(ASK).response().status, 200);
    assert_eq!(upstream.last().field("x-forwarded-for"), "127.0.0.1");
    upstream.forget();
    for header in [LINE.to_vec(), six()] {
        let mut connection = gateway.connect();
        connection.send(&header).send(ASK);
        let refused = connection.response();
        refused.expect(400);
        assert_eq!(gateway.event(&refused)["address"], "127.0.0.1");
        assert!(connection.is_closed());
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn without_the_key_nobody_announces() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("server.trusted_proxies", r#"["127.0.0.1"]"#));
    let mut connection = gateway.connect();
    connection.send(LINE).send(ASK).response().expect(400);
    assert_eq!(gateway.get("/public/x").send().status, 200);
    // A reload turns it on for connections that begin from then on.
    gateway.configure(trusting(&upstream, r#"["127.0.0.1"]"#));
    gateway.signal("HUP");
    eventually("the header is read", || {
        let mut connection = gateway.connect();
        connection.send(LINE).send(ASK).try_response("GET").is_some_and(|response| response.status == 200)
    });
}

#[test]
fn a_unix_socket_takes_the_header_where_it_is_trusted() {
    let upstream = Upstream::start();
    let tcp = free_port();
    let config = trusting(&upstream, r#"["unix"]"#)
        .set("server.listen", &format!("[\"127.0.0.1:{tcp}\", \"unix:public.sock\"]"))
        .set("server.public_url", &format!("\"http://127.0.0.1:{tcp}\""));
    let gateway = Gateway::start(config);
    for header in [LINE.to_vec(), octets(0x21, 0x11, &[203, 0, 113, 9, 0, 0, 0, 0, 1, 2, 3, 4])] {
        let mut stream = UnixStream::connect(gateway.path("public.sock")).unwrap();
        stream.write_all(&header).unwrap();
        stream.write_all(b"GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", answer.escape_ascii());
        assert_eq!(upstream.last().field("x-forwarded-for"), "203.0.113.9");
    }
    assert_eq!(Connection::open(tcp).send(ASK).response().status, 200);
}

#[test]
fn the_key_needs_somebody_to_believe() {
    let upstream = Upstream::start();
    let gateway = Gateway::launch(trusting(&upstream, "[]"));
    assert_eq!(gateway.wait().code(), Some(1));
    assert!(gateway.output().contains("there is nobody who could send it"), "{}", gateway.output());
}
