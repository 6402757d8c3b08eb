//! `Expect: 100-continue` between a client and an upstream that both mean it.

use crate::harness::{Config, Gateway, Upstream, shown};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const UNAUTHORIZED: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"inner\"\r\nContent-Length: 2\r\n\r\nno";
const TOO_LARGE: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
const FAILED: &str = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno";

/// Everything that an upstream got, a text for each connection.
type Got = Arc<Mutex<Vec<String>>>;

/// An upstream that says `word` when a head has come whose field `Expect` it understands, and 200 when `length`
/// octets of content have followed.
fn upstream(word: &'static str, length: usize) -> (Upstream, Got) {
    let got = Got::default();
    let log = Arc::clone(&got);
    let upstream = Upstream::raw(move |mut stream| {
        let mine = {
            let mut log = log.lock().unwrap();
            log.push(String::new());
            log.len() - 1
        };
        let (mut said, mut buffer) = (false, [0; 16384]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let mut log = log.lock().unwrap();
            let text = &mut log[mine];
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            if !said && head.to_ascii_lowercase().contains("\r\nexpect: 100-continue") {
                said = true;
                let _ = stream.write_all(word.as_bytes());
                if word.contains("Connection: close") {
                    let _ = stream.shutdown(Shutdown::Write);
                }
            }
            if body.len() == length || body.ends_with("0\r\n\r\n") {
                let _ = stream.write_all(OK.as_bytes());
            }
        }
    });
    (upstream, got)
}

fn heads(got: &Got) -> Vec<String> {
    got.lock().unwrap().clone()
}

/// What curl prints of a file of `size` octets that it sends: the status codes, and its own status.
fn curl(gateway: &Gateway, token: Option<&str>, size: usize, more: &[&str]) -> (Vec<String>, bool) {
    std::fs::write(gateway.path("file"), vec![b'x'; size]).unwrap();
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "-m", "20", "--expect100-timeout", "10", "-H", "Expect: 100-continue", "-T"]);
    curl.arg(gateway.path("file")).args(more);
    if let Some(token) = token {
        curl.args(["-H", &format!("Authorization: Bearer {token}")]);
    }
    let output = curl.arg(format!("{}/any/file", gateway.url())).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let codes = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).map(|line| line[..3].to_owned());
    (codes.collect(), output.status.success())
}

/// H-exp-1: curl waits ten seconds for a word; here it gets the upstream's.
#[test]
fn curl_sends_its_file_when_the_upstream_wants_it() {
    for more in [&[][..], &["-H", "Transfer-Encoding: chunked"]] {
        let (upstream, got) = upstream(CONTINUE, 3000);
        let gateway = Gateway::start(Config::notes(&upstream));
        let token = gateway.token("notes:read");
        let began = Instant::now();
        assert_eq!(curl(&gateway, Some(&token), 3000, more), (vec!["100".to_owned(), "200".to_owned()], true));
        assert!(began.elapsed() < Duration::from_secs(8), "nobody waits for a clock");
        let heads = heads(&got);
        assert_eq!(heads.len(), 1);
        assert!(heads[0].matches('x').count() >= 3000);
    }
}

/// H-exp-1, SMUG-14: curl gets the upstream's final status, and its file stays where it is.
#[test]
fn curl_keeps_its_file_when_the_upstream_does_not_want_it() {
    for (word, status) in [(UNAUTHORIZED, "401"), (TOO_LARGE, "413"), (FAILED, "417")] {
        let (upstream, got) = upstream(word, 3000);
        let gateway = Gateway::start(Config::notes(&upstream));
        let token = gateway.token("notes:read");
        assert_eq!(curl(&gateway, Some(&token), 3000, &[]), (vec![status.to_owned()], true));
        let heads = heads(&got);
        assert_eq!(heads.len(), 1);
        assert!(heads[0].ends_with("\r\n\r\n"), "the head alone: {}", shown(heads[0].as_bytes()));
    }
}

/// H-exp-1, RFC 9110 section 10.1.1: an upstream that has never heard of it costs a second, not curl's ten.
#[test]
fn curl_is_told_to_go_on_when_the_upstream_says_nothing() {
    let (upstream, got) = upstream("", 3000);
    let gateway = Gateway::start(Config::notes(&upstream));
    let token = gateway.token("notes:read");
    let began = Instant::now();
    assert_eq!(curl(&gateway, Some(&token), 3000, &[]), (vec!["100".to_owned(), "200".to_owned()], true));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(heads(&got).len(), 1);
}

/// PX-14, PX-1: without a token the answer is final, and the upstream is not asked.
#[test]
fn curl_is_refused_without_a_word_of_the_upstream() {
    let (upstream, got) = upstream(CONTINUE, 3000);
    let gateway = Gateway::start(Config::notes(&upstream));
    assert_eq!(curl(&gateway, None, 3000, &[]).0, ["401"]);
    assert!(heads(&got).is_empty());
}

/// SMUG-14: a client that was refused by the upstream may send its body all the same: it is no request.
#[test]
fn a_body_that_follows_a_refusal_is_no_request() {
    let body = "GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for framing in [format!("Content-Length: {}\r\n", body.len()), "Transfer-Encoding: chunked\r\n".to_owned()] {
        let (upstream, got) = upstream(UNAUTHORIZED, body.len());
        let gateway = Gateway::start(Config::notes(&upstream));
        let mut connection = gateway.connect();
        connection.send(format!("POST /public/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{framing}\r\n"));
        let refusal = connection.response();
        assert_eq!(refusal.expect(401).field("connection"), "close");
        assert!(refusal.interim.is_empty());
        assert!(connection.send(body).try_response("GET").is_none(), "the connection has ended");
        assert_eq!(heads(&got).len(), 1);
        assert!(!heads(&got)[0].contains("smuggled"));
        gateway.post("/public/y").body(body).send().expect(200);
    }
}

/// H-exp-1: where the gateway reads the body for a token, the word is its own, and there is one.
#[test]
fn a_form_with_a_token_is_asked_for_by_the_gateway() {
    let (upstream, got) = upstream(CONTINUE, "note=milk".len());
    let gateway = Gateway::start(Config::notes(&upstream));
    let body = format!("note=milk&access_token={}", gateway.token("notes:read"));
    let mut connection = gateway.connect();
    connection.send(format!(
        "POST /any/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        body.len()
    ));
    assert_eq!(connection.read_some(CONTINUE.len()), CONTINUE.as_bytes());
    assert!(heads(&got).is_empty(), "nothing goes on before the token has come");
    let response = connection.send(&body).response();
    assert!(response.expect(200).interim.is_empty());
    assert!(!heads(&got)[0].to_ascii_lowercase().contains("expect:"));
}
