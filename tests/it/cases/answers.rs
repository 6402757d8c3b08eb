//! Responses of an HTTP/2 upstream, whose fields may hold any octets: a client of HTTP/1.1 gets exactly one response, or none
//! that looks whole.
//!
//! `field`, `data` and `trailer` are as in `downgrade.rs`, the stream ends with its last frame. `expect` is `forwarded`, with
//! the octets that the `client` gets less what the gateway says for itself; or `aborted`: 502, or a response without its end.

use super::downgrade::{Field, field};
use super::{entries, octets};
use crate::harness::frames::{DATA, END_STREAM, HEADERS, Raw, SETTINGS};
use crate::harness::{Config, Gateway, Upstream, shown};
use std::sync::Arc;

#[derive(Debug, Default)]
struct Case {
    told: String,
    head: Vec<Field>,
    data: Vec<Vec<u8>>,
    trailers: Vec<Field>,
    expect: String,
    client: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let cases = entries(include_str!("answers.txt")).into_iter().map(|entry| {
        let mut case = Case { told: format!("{}: {:?}", entry.name, entry.lines), ..Case::default() };
        for (key, value) in entry.lines {
            match key {
                "source" => {}
                "field" => case.head.push(field(value)),
                "data" => case.data.push(octets(value)),
                "trailer" => case.trailers.push(field(value)),
                "expect" => value.clone_into(&mut case.expect),
                "client" => case.client.extend(octets(value)),
                other => panic!("{other} in {case:?}"),
            }
        }
        case
    });
    cases.collect()
}

impl Case {
    /// Answers every request of a connection.
    fn serve(&self, mut raw: Raw) {
        raw.frame(SETTINGS, 0, 0, &[]);
        while let Some((kind, _, stream, _)) = raw.next() {
            if kind != HEADERS {
                continue;
            }
            let trailers = !self.trailers.is_empty();
            raw.section(stream, self.data.is_empty() && !trailers, &self.head, 1);
            for (number, data) in self.data.iter().enumerate() {
                let last = number + 1 == self.data.len() && !trailers;
                raw.frame(DATA, if last { END_STREAM } else { 0 }, stream, data);
            }
            if trailers {
                raw.section(stream, true, &self.trailers, 1);
            }
        }
    }
}

/// SMUG-19, SMUG-20, SMUG-21, H-body-3, H-trl-1
#[test]
fn responses_of_http2_become_one_response_of_http_1_or_none() {
    let mut failures = Vec::new();
    for case in cases().into_iter().map(Arc::new) {
        let serving = Arc::clone(&case);
        let upstream = Upstream::raw(move |stream| serving.serve(Raw::accepted(stream)));
        let config = Config::notes(&upstream).set("upstreams.notes.http2", "true");
        let gateway = Gateway::start(config);
        let ask = b"GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = gateway.connect().send(ask).try_response("GET");
        let aborted = answer.as_ref().is_none_or(|answer| !answer.complete || answer.status == 502);
        let got = without_ours(&gateway.connect().send(ask).rest());
        let fine = if case.expect == "forwarded" { got == case.client } else { aborted };
        if !fine {
            failures.push(format!("{}\n=> {}", case.told, shown(&got)));
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

/// A response less the lines that the gateway adds.
fn without_ours(message: &[u8]) -> Vec<u8> {
    let end = message.windows(4).position(|octets| octets == b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    let (head, rest) = message.split_at(end);
    let ours: [&[u8]; 3] = [b"date: ", b"x-request-id: ", b"connection: close\r\n"];
    let lines =
        head.split_inclusive(|&octet| octet == b'\n').filter(|line| !ours.iter().any(|ours| line.starts_with(ours)));
    [&lines.collect::<Vec<_>>().concat(), rest].concat()
}
