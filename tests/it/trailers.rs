//! Trailers: behind the body, both ways, and never anywhere else.

use crate::harness::{Config, Gateway, Upstream, shown};
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};

/// What no trailer may say, in spellings that some programs take for the same.
const FORGED: [&str; 14] = [
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
    "Host: evil",
    "Authorization: Bearer evil",
    "X-Auth-Subject: evil",
    "x_auth_client: evil",
    "X.Auth.Scope: evil",
    "X-Forwarded-For: 10.0.0.1",
    "Forwarded: for=10.0.0.1",
    "Cookie: evil=1",
    "Set-Cookie: evil=1",
    "Cache-Control: no-store",
    "Connection: close",
    "Trailer: X-Evil",
];

fn message(start: &str) -> (String, String) {
    let head = format!("{start}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Checksum, X-Auth-Subject, Host\r\n\r\n");
    let body = format!("3\r\nabc\r\n0\r\nX-Checksum: 7\r\n{}\r\ngrpc-status: 0\r\n\r\n", FORGED.join("\r\n"));
    (head, body)
}

/// Exactly the two honest trailers stand behind the last chunk.
#[track_caller]
fn is_clean(text: &str) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let ends = body.ends_with("abc\r\n0\r\nX-Checksum: 7\r\ngrpc-status: 0\r\n\r\n");
    assert!(ends, "{}", shown(text.as_bytes()));
    let head = format!("{}\r\n", head.to_ascii_lowercase());
    assert!(!head.contains("x-checksum: ") && !head.contains("grpc-status") && !head.contains("evil"), "{head}");
    assert!(head.contains("\r\ntrailer: x-checksum\r\n"), "only what passes is announced: {head}");
}

/// An upstream that records octets and answers once the last chunk's end has come.
fn recording(answer: String) -> (Upstream, Arc<Mutex<String>>) {
    let got = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&got);
    let upstream = Upstream::raw(move |mut stream| {
        let (mut mine, mut buffer) = (String::new(), [0; 16384]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            mine.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if mine.ends_with("\r\n\r\n") && (mine.starts_with("GET") || mine.contains("\r\n0\r\n")) {
                *log.lock().unwrap() = std::mem::take(&mut mine);
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    (upstream, got)
}

/// H-trl-1, SMUG-15, SMUG-24: of a request, however it is cut into pieces.
#[test]
fn trailers_of_requests_pass_behind_the_body() {
    let (upstream, got) = recording("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned());
    let gateway = Gateway::start(Config::notes(&upstream));
    let (head, body) = message("POST /public/x HTTP/1.1\r\nHost: a");
    let mut connection = gateway.connect();
    for at in (0..=body.len()).step_by(7) {
        connection.send(format!("{head}{}", &body[..at])).send(&body[at..]).response().expect(200);
        is_clean(&std::mem::take(&mut *got.lock().unwrap()));
    }
}

/// H-trl-1, SMUG-15: of a response; a client of HTTP/1.0 gets the content alone.
#[test]
fn trailers_of_responses_pass_behind_the_content() {
    let (head, body) = message("HTTP/1.1 200 OK");
    let (upstream, _) = recording(head + &body);
    let gateway = Gateway::start(Config::notes(&upstream));
    let mut connection = gateway.connect();
    connection.send("GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    is_clean(&String::from_utf8(connection.rest()).unwrap());
    let old = gateway.connect().send("GET /public/x HTTP/1.0\r\nHost: a\r\n\r\n").response();
    assert_eq!(old.expect(200).text(), "abc");
    assert!(!old.has("trailer") && !old.has("grpc-status"));
}

/// H-trl-1: what the operator removes or sets cannot come back as a trailer.
#[test]
fn the_operators_fields_are_no_trailers() {
    let (upstream, got) = recording("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned());
    let edits = "[[routes]]\nname = \"edited\"\npath = \"/edited/{*rest}\"\naccess = \"public\"\nupstream = \"notes\"\n\
                 headers.request = { set = { x-tier = \"gold\" }, remove = [\"x-secret\"] }\n";
    let gateway = Gateway::start(Config::notes(&upstream).add(edits));
    gateway
        .connect()
        .send("POST /edited/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
        .send("X-Tier: base\r\nX-Secret: 1\r\nX-Other: 2\r\n\r\n")
        .response()
        .expect(200);
    assert!(got.lock().unwrap().ends_with("abc\r\n0\r\nX-Other: 2\r\n\r\n"), "{}", got.lock().unwrap());
}
