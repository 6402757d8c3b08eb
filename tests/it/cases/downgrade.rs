//! Requests of HTTP/2, whose fields may hold any octets: refused for themselves alone, or put into exactly one request.
//!
//! Beside `source`, a case has these lines, in the order in which they are sent:
//!
//! - `request: POST /public/x`: the pseudo fields of such a request, to `a` by http,
//! - `field: name value`: a field; its name ends at the first space, escapes are as everywhere,
//! - `many: 200 name value`: so many of that field,
//! - `data: octets`: a DATA frame,
//! - `trailer: name value`: a field behind the content.
//!
//! The stream ends with its last frame. `expect` is `refused` (the stream is reset or answered with 400), statuses, or
//! `forwarded`; with `ended`, the whole connection may end. `upstream` has the octets of the one request that arrives, less
//! what the gateway says for itself.

use super::{entries, octets};
use crate::harness::frames::{DATA, END_STREAM, Fate, RESET, Raw};
use crate::harness::{Config, Gateway, Upstream, shown};
use bytes::Bytes;
use http::HeaderMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// What follows on the connection.
const SENTINEL: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/public/sentinel"), (":authority", "a")];

pub(super) type Field = (Vec<u8>, Vec<u8>);

/// One case.
#[derive(Debug, Default)]
struct Case {
    name: String,
    source: String,
    head: Vec<Field>,
    data: Vec<Vec<u8>>,
    trailers: Vec<Field>,
    expect: String,
    upstream: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let cases = entries(include_str!("downgrade.txt")).into_iter().map(|entry| {
        let mut case = Case { name: entry.name.to_owned(), ..Case::default() };
        for (key, value) in entry.lines {
            case.take(key, value);
        }
        let forwarded = case.expect == "forwarded";
        assert!(
            !case.source.is_empty() && !case.expect.is_empty() && forwarded != case.upstream.is_empty(),
            "{case:?}"
        );
        case
    });
    cases.collect()
}

impl Case {
    #[track_caller]
    fn take(&mut self, key: &str, value: &str) {
        match key {
            "source" => value.clone_into(&mut self.source),
            "expect" => value.clone_into(&mut self.expect),
            "request" => {
                let (method, path) = value.split_once(' ').expect("a method and a path");
                for (name, value) in [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")] {
                    self.head.push((name.into(), value.into()));
                }
            }
            "field" => self.head.push(field(value)),
            "many" => {
                let (count, line) = value.split_once(' ').expect("how many");
                self.head.extend(std::iter::repeat_n(field(line), count.parse().expect("a number")));
            }
            "data" => self.data.push(octets(value)),
            "trailer" => self.trailers.push(field(value)),
            "upstream" => self.upstream.extend(octets(value)),
            other => panic!("{other} in {self:?}"),
        }
    }

    /// Sends the request on the first stream, each field section in so many frames.
    fn send(&self, raw: &mut Raw, frames: usize) {
        let trailers = !self.trailers.is_empty();
        raw.section(1, self.data.is_empty() && !trailers, &self.head, frames);
        for (number, data) in self.data.iter().enumerate() {
            let last = number + 1 == self.data.len() && !trailers;
            raw.frame(DATA, if last { END_STREAM } else { 0 }, 1, data);
        }
        if trailers {
            raw.section(1, true, &self.trailers, frames);
        }
    }

    /// Sends the request, and another one behind it.
    ///
    /// # Errors
    /// When it, or the one behind it, is not answered as it should be.
    fn exchange(&self, gateway: &Gateway, frames: usize) -> Result<(), String> {
        let mut raw = Raw::connect(gateway);
        self.send(&mut raw, frames);
        let fate = raw.fate(1);
        let listed = self.expect.split(' ').any(|word| match (word, fate) {
            ("refused", fate) => matches!(fate, Fate::Reset | Fate::Answered(400)),
            ("ended", fate) => fate == Fate::Ended,
            ("forwarded", fate) => fate == Fate::Answered(200),
            (status, Fate::Answered(answered)) => status == answered.to_string(),
            _ => false,
        });
        if !listed {
            return Err(format!("{fate:?}"));
        }
        if fate != Fate::Ended {
            raw.section(3, true, &SENTINEL, 1);
            let next = raw.fate(3);
            if next != Fate::Answered(200) {
                return Err(format!("{fate:?}, but the request behind it: {next:?}"));
            }
        }
        Ok(())
    }

    fn told(&self) -> String {
        let lines =
            self.head.iter().chain(&self.trailers).map(|(name, value)| format!("{}: {}", shown(name), shown(value)));
        let data = self.data.iter().map(|data| shown(data));
        format!("{} ({})\n{}", self.name, self.source, lines.chain(data).collect::<Vec<_>>().join("\n"))
    }
}

#[track_caller]
pub(super) fn field(line: &str) -> Field {
    let (name, value) = line.split_once(' ').unwrap_or((line, ""));
    (octets(name), octets(value))
}

/// SMUG-18, SMUG-24, H2-1, H2-2, H2-3, H-te-1, H-trl-1, IDH-1, LIM-431: with an upstream of HTTP/1.1, down to the octet.
#[test]
fn requests_of_http2_become_one_request_of_http_1_or_none() {
    let (upstream, got) = recording();
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut failures = Vec::new();
    for case in cases() {
        for frames in [1, 3] {
            let told = format!("{}\nin {frames} frames", case.told());
            got.lock().unwrap().clear();
            let answered = case.exchange(&gateway, frames);
            let mut arrived: Vec<Vec<u8>> =
                got.lock().unwrap().iter().map(|message| without_ours(message, &told)).collect();
            let sentinel = b"GET /public/sentinel HTTP/1.1\r\nhost: a\r\n\r\n";
            if arrived.last().is_some_and(|last| last == sentinel) {
                arrived.pop();
            }
            let expected: Vec<Vec<u8>> =
                Some(case.upstream.clone()).filter(|octets| !octets.is_empty()).into_iter().collect();
            let shown = |messages: &[Vec<u8>]| messages.iter().map(|octets| shown(octets)).collect::<Vec<_>>();
            if answered.is_err() || arrived != expected {
                failures.push(format!("{told}\n=> {answered:?}, arrived: {:#?}", shown(&arrived)));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

/// H2-1: what makes a request malformed is overlooked in a frame behind which its field section goes on, by the library; then
/// the request goes on without it.
#[test]
fn malformed_fields_in_an_earlier_frame_are_left_out_or_refused() {
    let (upstream, got) = recording();
    let gateway = Gateway::start(Config::notes(&upstream));
    let request = [(":method", "POST"), (":scheme", "http"), (":path", "/public/x"), (":authority", "a")];
    for odd in [
        ("connection", "x-auth-subject"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("keep-alive", "timeout=5"),
        ("te", "gzip"),
        (":path", "/admin/x"),
        (":method", "GET"),
        (":authority", "b"),
    ] {
        got.lock().unwrap().clear();
        let mut raw = Raw::connect(&gateway);
        let fields = [&request[..], &[odd, ("x-a", "b")]].concat();
        raw.cut(1, false, &fields, 1).frame(DATA, END_STREAM, 1, b"0\r\n\r\n");
        let (fate, told) = (raw.fate(1), format!("{odd:?}"));
        let arrived: Vec<String> =
            got.lock().unwrap().iter().map(|octets| shown(&without_ours(octets, &told))).collect();
        let without = "POST /public/x HTTP/1.1\r\nhost: a\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n";
        match fate {
            Fate::Answered(200) => assert_eq!(arrived, [without], "{told}"),
            Fate::Answered(_) | Fate::Reset | Fate::Ended => {
                assert!(arrived.is_empty(), "{fate:?} {told}: {arrived:?}");
            }
        }
    }
}

/// H2-1, H-body-3: all octets that were announced are not yet a whole request.
#[test]
fn a_request_that_is_reset_behind_its_content_never_arrives_whole() {
    let (upstream, got) = recording();
    let gateway = Gateway::start(Config::notes(&upstream));
    let head = [(":method", "POST"), (":scheme", "http"), (":path", "/public/x"), (":authority", "a")];
    for content in ["", "abcd"] {
        let length = content.len().to_string();
        let mut raw = Raw::connect(&gateway);
        raw.section(1, false, &[&head[..], &[("content-length", &*length)]].concat(), 1);
        raw.frame(DATA, 0, 1, content.as_bytes());
        std::thread::sleep(std::time::Duration::from_millis(50));
        raw.frame(RESET, 0, 1, &[0, 0, 0, 8]);
        raw.section(3, true, &SENTINEL, 1);
        assert_eq!(raw.fate(3), Fate::Answered(200));
    }
    let got = got.lock().unwrap();
    assert!(got.iter().all(|octets| octets.starts_with(b"GET /public/sentinel")), "{got:?}");
}

/// An upstream that answers whole requests and keeps all octets that it got, by request.
fn recording() -> (Upstream, Arc<Mutex<Vec<Vec<u8>>>>) {
    let got = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let log = Arc::clone(&got);
    let upstream = Upstream::raw(move |mut stream: TcpStream| {
        let (mut message, mut buffer) = (Vec::new(), [0; 16384]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            message.extend_from_slice(&buffer[..count]);
            if is_whole(&message) {
                let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                let answer = if message.starts_with(b"HEAD ") { &answer[..answer.len() - 2] } else { answer };
                log.lock().unwrap().push(std::mem::take(&mut message));
                let _ = stream.write_all(answer);
            }
        }
    });
    (upstream, got)
}

/// Whether a request has its end, and perhaps something behind it.
fn is_whole(message: &[u8]) -> bool {
    let text: String = message.iter().copied().map(char::from).collect();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if head.contains("\r\ntransfer-encoding: chunked") {
        return has_last_chunk(body);
    }
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// Whether chunks end here, with the trailers behind the last one.
fn has_last_chunk(mut body: &str) -> bool {
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("the gateway writes a size and nothing else");
        if size == 0 {
            return rest == "\r\n" || rest.ends_with("\r\n\r\n");
        }
        let Some(next) = rest.get(size + 2..) else { return false };
        body = next;
    }
    false
}

/// A request less the lines that the gateway adds, each of which must be there once.
#[track_caller]
fn without_ours(message: &[u8], told: &str) -> Vec<u8> {
    const OURS: [&[u8]; 8] = [
        b"x-request-id: ",
        b"x-forwarded-for: 127.0.0.1\r\n",
        b"x-forwarded-proto: http\r\n",
        b"x-forwarded-host: ",
        b"x-forwarded-port: ",
        b"forwarded: for=127.0.0.1;proto=http;host=",
        b"via: 2.0 tollgate-",
        b"traceparent: 00-",
    ];
    let end = message.windows(4).position(|octets| octets == b"\r\n\r\n").expect("a head's end") + 2;
    let (head, rest) = message.split_at(end);
    let mut lines: Vec<&[u8]> = head.split_inclusive(|&octet| octet == b'\n').collect();
    for ours in OURS {
        let found: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].starts_with(ours)).collect();
        assert_eq!(found.len(), 1, "{}\n{told}\n=>\n{}", shown(ours), shown(message));
        lines.remove(found[0]);
    }
    [&lines.concat(), rest].concat()
}

/// What a request says, whatever the version it is put in.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    line: String,
    fields: Vec<String>,
    content: Vec<u8>,
    trailers: Vec<String>,
}

/// The same, with an upstream of HTTP/2.
#[test]
fn requests_of_http2_reach_an_upstream_of_http2_as_they_are_or_not_at_all() {
    let got = Arc::<Mutex<Vec<Said>>>::default();
    let server = format!(r#"["http://127.0.0.1:{}"]"#, serving(Arc::clone(&got)));
    let config = Config::notes(&Upstream::start()).set("upstreams.notes.servers", &server);
    let gateway = Gateway::start(config.set("upstreams.notes.http2", "true"));
    let mut failures = Vec::new();
    for case in cases() {
        let told = case.told();
        got.lock().unwrap().clear();
        let answered = case.exchange(&gateway, 1);
        let mut arrived = std::mem::take(&mut *got.lock().unwrap());
        if arrived.last().is_some_and(|last| last.line == "GET /public/sentinel at a") {
            arrived.pop();
        }
        let expected: Vec<Said> =
            Some(&case.upstream).filter(|octets| !octets.is_empty()).map(|octets| said(octets)).into_iter().collect();
        if answered.is_err() || arrived != expected {
            failures.push(format!("{told}\n=> {answered:?}, arrived: {arrived:#?}"));
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

/// A server of HTTP/2 that answers whole requests and keeps what they say; its port.
fn serving(got: Arc<Mutex<Vec<Said>>>) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { serve(tokio::net::TcpListener::from_std(listener).unwrap(), got).await });
    });
    port
}

async fn serve(listener: tokio::net::TcpListener, got: Arc<Mutex<Vec<Said>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let got = Arc::clone(&got);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let got = Arc::clone(&got);
                tokio::spawn(async move {
                    let (parts, mut body) = request.into_parts();
                    let mut content = Vec::new();
                    while let Some(piece) = body.data().await {
                        // what breaks off has not arrived
                        let Ok(piece) = piece else { return };
                        content.extend_from_slice(&piece);
                    }
                    let Ok(trailers) = body.trailers().await else { return };
                    let authority = parts.uri.authority().map_or("", |authority| authority.as_str());
                    let line = format!("{} {} at {authority}", parts.method, parts.uri.path_and_query().unwrap());
                    let trailers = lines(&trailers.unwrap_or_default());
                    got.lock().unwrap().push(Said { line, fields: lines(&parts.headers), content, trailers });
                    let head = http::Response::builder().body(()).unwrap();
                    respond.send_response(head, false).unwrap().send_data(Bytes::from_static(b""), true).unwrap();
                });
            }
        });
    }
}

/// Fields in order, less those that the gateway adds.
fn lines(fields: &HeaderMap) -> Vec<String> {
    let ours = |name: &str| {
        name.starts_with("x-forwarded-") || ["x-request-id", "forwarded", "via", "traceparent"].contains(&name)
    };
    let fields = fields.iter().filter(|(name, _)| !ours(name.as_str()));
    let mut lines: Vec<String> = fields
        .map(|(name, value)| format!("{}: {}", shown(name.as_str().as_bytes()), shown(value.as_bytes())))
        .collect();
    lines.sort();
    lines
}

/// What a request of HTTP/1.1 says.
fn said(message: &[u8]) -> Said {
    let text: String = message.iter().copied().map(char::from).collect();
    let (head, mut rest) = text.split_once("\r\n\r\n").unwrap();
    let (line, fields) = head.split_once("\r\n").unwrap();
    let section = |fields: &str| {
        let octets = |line: &str| shown(&line.chars().map(|octet| u8::try_from(octet).unwrap()).collect::<Vec<_>>());
        let mut lines: Vec<String> = fields.split("\r\n").filter(|line| !line.is_empty()).map(octets).collect();
        lines.sort();
        lines
    };
    let mut fields = section(fields);
    let host = fields.iter().position(|line| line.starts_with("host: ")).unwrap();
    let host = fields.remove(host);
    let line = format!("{} at {}", line.strip_suffix(" HTTP/1.1").unwrap(), host.strip_prefix("host: ").unwrap());
    let chunked = fields.iter().any(|line| line == "transfer-encoding: chunked");
    fields.retain(|line| line != "transfer-encoding: chunked" && line != "connection: te");
    let mut content = String::new();
    if chunked {
        (content, rest) = dechunked(rest);
    } else {
        content.push_str(std::mem::take(&mut rest));
    }
    Said { line, fields, content: content.into_bytes(), trailers: section(rest) }
}

/// The content of a chunked body, and what follows its last chunk.
fn dechunked(mut rest: &str) -> (String, &str) {
    let mut content = String::new();
    loop {
        let (size, behind) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (content, behind);
        }
        content.push_str(&behind[..size]);
        rest = &behind[size + 2..];
    }
}
