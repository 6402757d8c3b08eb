//! The decision for Envoy: `envoy.service.auth.v3.Authorization/Check`, called as gRPC is over HTTP/1.1.

use crate::decision::DESCRIBED;
use crate::harness::{ALICE, BOB, Config, Gateway, Upstream, eventually};
use std::collections::BTreeMap;

const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// A field of protocol buffers that has a length.
fn field(tag: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    let mut length = content.as_ref().len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(content.as_ref());
    out
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    value
}

/// The fields of a message: numbers as text.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut read = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let kind = key % 8;
        let value = if kind == 0 {
            varint(&mut bytes).to_string().into_bytes()
        } else {
            assert_eq!(kind, 2, "a field with a length");
            let length = usize::try_from(varint(&mut bytes)).unwrap();
            let (value, rest) = bytes.split_at(length);
            bytes = rest;
            value.to_vec()
        };
        read.push((key >> 3, value));
    }
    read
}

fn all(message: &[u8], tag: u64) -> Vec<Vec<u8>> {
    fields(message).into_iter().filter(|(known, _)| *known == tag).map(|(_, value)| value).collect()
}

fn texts(message: &[u8], tag: u64) -> Vec<String> {
    all(message, tag).into_iter().map(|value| String::from_utf8(value).unwrap()).collect()
}

fn one(message: &[u8], tag: u64) -> Vec<u8> {
    let mut all = all(message, tag);
    assert!(all.len() <= 1);
    all.pop().unwrap_or_default()
}

/// Envoy's `HeaderValueOption`s.
fn set(message: &[u8]) -> BTreeMap<String, String> {
    let options = all(message, 2);
    let pair = |option: &Vec<u8>| {
        assert_eq!(all(option, 2), [b""], "append is there, and false");
        let value = one(option, 1);
        (texts(&value, 1).remove(0), texts(&value, 2).pop().unwrap_or_default())
    };
    let set: BTreeMap<_, _> = options.iter().map(pair).collect();
    assert_eq!(set.len(), options.len(), "once each");
    set
}

#[derive(Debug)]
struct Verdict {
    status: u16,
    set: BTreeMap<String, String>,
    removed: Vec<String>,
    parameters: Vec<String>,
    body: Vec<u8>,
    id: String,
}

fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut http = [field(2, method), field(4, path), field(5, "localhost")].concat();
    for (name, value) in more {
        http.extend(field(3, [field(1, name), field(2, value)].concat()));
    }
    let source = field(1, field(1, field(1, field(2, "203.0.113.9"))));
    field(1, [source, field(4, field(2, http))].concat())
}

/// Calls, and gives the message, the trailers and the identifier.
fn call(gateway: &Gateway, content: &[u8], content_type: &str) -> (Vec<u8>, BTreeMap<String, String>, String) {
    let mut connection = gateway.connect();
    let request = gateway.post(PATH).field("Content-Type", content_type).field("TE", "trailers").body(content);
    connection.send(request.bytes()).send("GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = connection.rest();
    let (head, mut rest) = split(&answer, b"\r\n\r\n");
    let head = String::from_utf8(head.to_vec()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/grpc\r\n"), "{head}");
    let id = head.split("x-request-id: ").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
    let mut message = Vec::new();
    loop {
        let (size, behind) = split(rest, b"\r\n");
        let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
        if size == 0 {
            let (trailers, behind) = split(behind, b"\r\n\r\n");
            assert!(behind.starts_with(b"HTTP/1.1 200"), "the next response: {}", behind.escape_ascii());
            let lines = String::from_utf8(trailers.to_vec()).unwrap();
            let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
            return (message, lines.lines().filter_map(pair).collect(), id);
        }
        message.extend_from_slice(&behind[..size]);
        rest = &behind[size + 2..];
    }
}

fn split<'b>(bytes: &'b [u8], at: &[u8]) -> (&'b [u8], &'b [u8]) {
    let place = bytes.windows(at.len()).position(|window| window == at);
    let place = place.unwrap_or_else(|| panic!("{}", bytes.escape_ascii()));
    (&bytes[..place], &bytes[place + at.len()..])
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

fn check(gateway: &Gateway, method: &str, path: &str, more: &[(&str, &str)]) -> Verdict {
    let (answer, trailers, id) = call(gateway, &framed(&request(method, path, more)), "application/grpc");
    assert_eq!(trailers["grpc-status"], "0");
    let (prefix, message) = answer.split_at(5);
    assert_eq!(prefix, framed(message).split_at(5).0);
    let (denied, permitted) = (one(message, 2), one(message, 3));
    let code = texts(&one(message, 1), 1).pop().unwrap_or_else(|| "0".to_owned());
    assert_eq!(code == "0", denied.is_empty(), "{code}");
    let part = if denied.is_empty() { &permitted } else { &denied };
    Verdict {
        status: if denied.is_empty() { 200 } else { texts(&one(&denied, 1), 1)[0].parse().unwrap() },
        set: set(part),
        removed: texts(&permitted, 5),
        parameters: texts(&permitted, 8),
        body: one(&denied, 3),
        id,
    }
}

fn deciding(upstream: &Upstream) -> Gateway {
    let config = Config::notes(upstream).set("server.trusted_proxies", r#"["127.0.0.1"]"#);
    let config = config.replace("name = \"any\"\n", "name = \"any\"\nunderscores = [\"some_name\"]\n");
    Gateway::start(config.set("bearer.methods", r#"["header", "query"]"#))
}

/// PX-20, hazard 10: the verdict, and what the client gets, are those of the gateway in front.
#[test]
fn the_verdict_is_that_of_the_proxy() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let (alice, bob) = (gateway.login(ALICE).access, gateway.login(BOB).access);
    for &(method, path) in DESCRIBED {
        for token in [None, Some("x"), Some(&*alice), Some(&*bob)] {
            let bearer = token.map(|token| format!("Bearer {token}"));
            let mut direct = gateway.request(method, path);
            let mut fields = vec![(":method", method), (":path", path), ("accept", "*/*")];
            if let Some(bearer) = &bearer {
                direct = direct.field("Authorization", bearer);
                fields.push(("authorization", bearer.as_str()));
            }
            let (direct, decided) = (direct.send(), check(&gateway, method, path, &fields));
            assert_eq!(decided.status, direct.status, "{method} {path} {token:?}: {direct:?}\n{decided:?}");
            if decided.status == 200 {
                continue;
            }
            for name in ["www-authenticate", "content-type", "cache-control", "allow"] {
                let set = decided.set.get(name).map(String::as_str);
                assert_eq!(set, direct.values(name).first().copied(), "{method} {path} {name}");
            }
            assert_eq!(decided.set["x-request-id"], decided.id);
            if method != "HEAD" {
                assert_eq!(decided.body, direct.body, "{method} {path}");
            }
        }
    }
}

/// IDH-3: the route says which names with underscores pass.
#[test]
fn envoy_keeps_the_underscores_that_the_route_names() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let bearer = format!("Bearer {}", gateway.token("notes:read"));
    let kept = check(&gateway, "GET", "/any/x", &[("authorization", &bearer), ("some_name", "1"), ("other_name", "1")]);
    assert_eq!((kept.status, kept.removed), (200, vec!["authorization".to_owned(), "other_name".to_owned()]));
}

/// PX-3, PX-4, PX-6, PX-18, IDH-1, IDH-2: what would not be forwarded is named, and what we say stands once.
#[test]
fn envoy_is_told_what_to_set_and_what_to_leave_out() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let tokens = gateway.login(ALICE);
    let bearer = format!("Bearer {}", tokens.access);
    let passed = check(
        &gateway,
        "GET",
        "/notes/1?a=b",
        &[
            ("authorization", &bearer),
            ("x-auth-subject", "root"),
            ("x_auth_subject", "root"),
            ("x.auth.scope", "all"),
            ("x-user-id", "1"),
            ("remote-user", "root"),
            ("x-http-method-override", "DELETE"),
            ("some_name", "1"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-client-cert", "Hash=1"),
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("te", "trailers"),
            ("cookie", "a=b; __Host-tollgate-session=x"),
            ("x-mine", "1"),
        ],
    );
    assert_eq!(passed.status, 200);
    assert_eq!(passed.set["x-auth-subject"], "alice");
    assert_eq!(passed.set["cookie"], "a=b");
    assert!(passed.set.contains_key("x-auth-client") && passed.set.contains_key("x-auth-scope"));
    assert_eq!(
        passed.removed,
        [
            "authorization",
            "remote-user",
            "some_name",
            "x-http-method-override",
            "x-user-id",
            "x.auth.scope",
            "x_auth_subject"
        ]
    );
    assert!(passed.parameters.is_empty());
    // Hazard 14: who has no name is not given the client's.
    let service = format!("Bearer {}", gateway.token("notes:read"));
    let passed = check(&gateway, "GET", "/notes/1", &[("authorization", &service), ("x-auth-subject", "root")]);
    assert!(!passed.set.contains_key("x-auth-subject"), "{passed:?}");
    assert_eq!(passed.removed, ["authorization", "x-auth-subject"]);
    let public = check(&gateway, "GET", "/public/x", &[("authorization", "Basic YTpi"), ("x-auth-subject", "root")]);
    assert_eq!(public.removed, ["x-auth-subject"]);
    let ours = check(&gateway, "GET", "/public/x", &[("authorization", &bearer)]);
    assert_eq!(ours.removed, ["authorization"]);
    let query = check(&gateway, "GET", &format!("/notes/1?a=b&access%5Ftoken={}", tokens.access), &[]);
    assert_eq!((query.status, query.parameters), (200, vec!["access%5Ftoken".to_owned(), "access_token".to_owned()]));
}

/// The log is about the described request and its sender.
#[test]
fn the_log_is_about_the_described_request() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let denied = check(&gateway, "DELETE", "/notes/1?secret=x", &[]);
    let find = || gateway.events().into_iter().find(|event| event["request_id"] == denied.id.as_str());
    eventually("it is logged", || find().is_some());
    let event = find().unwrap();
    assert_eq!((&event["method"], &event["path"]), (&"DELETE".into(), &"/notes/1".into()));
    assert_eq!((&event["address"], &event["status"]), (&"203.0.113.9".into(), &denied.status.into()));
}

#[test]
fn what_is_no_call_gets_no_decision() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let good = framed(&request("GET", "/public/x", &[]));
    for (content, status) in [
        (&b""[..], "3"),
        (&good[..good.len() - 1], "3"),
        (&[&good[..], &good].concat(), "3"),
        (&[&[1], &good[1..]].concat(), "12"),
        (&framed(b"\xff\xff\xff"), "3"),
        (&framed(b""), "3"),
        (&framed(&field(1, field(4, b""))), "3"),
    ] {
        let (message, trailers, _) = call(&gateway, content, "application/grpc");
        assert!(message.is_empty());
        assert_eq!(trailers["grpc-status"], status, "{}: {trailers:?}", content.escape_ascii());
        assert!(!trailers["grpc-message"].is_empty());
    }
    gateway.post(PATH).field("Content-Type", "application/json").body("{}").send().expect(415);
    gateway.post(PATH).body(&good).send().expect(415);
    assert_eq!(gateway.get(PATH).send().expect(405).field("allow"), "POST");
    let long = gateway.post(PATH).field("Content-Type", "application/grpc").body(vec![0; 300 * 1024]).send();
    long.expect(413);
    // A line break inside a value, and an empty description, are the client's trouble.
    assert_eq!(check(&gateway, "GET", "/public/x", &[("authorization", "Bearer a\r\nx: y")]).status, 400);
    assert_eq!(check(&gateway, "GET", "", &[]).status, 400);
    assert_eq!(check(&gateway, "POST", PATH, &[]).status, 404);
}

#[test]
fn nobody_but_trusted_proxies_gets_a_decision() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream));
    let (message, trailers, _) = call(&gateway, &framed(&request("GET", "/public/x", &[])), "application/grpc+proto");
    assert!(message.is_empty());
    assert_eq!(trailers["grpc-status"], "7");
}

/// PX-10: what has content is no preflight, whatever else it says.
#[test]
fn a_preflight_with_content_is_refused_as_the_proxy_refuses_it() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "DELETE")];
    for (framing, status) in
        [(("content-length", "0"), 200), (("content-length", "5"), 405), (("transfer-encoding", "chunked"), 405)]
    {
        let mut fields = preflight.to_vec();
        fields.push(framing);
        assert_eq!(check(&gateway, "OPTIONS", "/notes/1", &fields).status, status, "{framing:?}");
    }
    let direct = gateway.request("OPTIONS", "/notes/1").field("Origin", "https://app.example");
    direct.field("Access-Control-Request-Method", "DELETE").body("12345").send().expect(405);
}

/// PX-20, hazard 16: the host is that of the message.
#[test]
fn a_target_with_a_host_is_refused() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    assert_eq!(check(&gateway, "GET", "/public/x", &[]).status, 200);
    assert_eq!(check(&gateway, "GET", "http://localhost/public/x", &[]).status, 400);
}

/// LIM-425
#[test]
fn what_came_in_early_data_is_sent_back() {
    let upstream = Upstream::start();
    let gateway = deciding(&upstream);
    assert_eq!(check(&gateway, "GET", "/public/x", &[("early-data", "1")]).status, 200);
    assert_eq!(check(&gateway, "POST", "/public/x", &[("early-data", "1")]).status, 425);
}
