//! Requests: the gateway's reading is the only one, and nothing is left over.

use super::{Case, octets, read};
use crate::harness::{Connection, Gateway, Recorded, Upstream, notes, shown};

/// What follows every case on its connection.
const SENTINEL: &str = "GET /public/sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// SMUG-1 to SMUG-18, H-line-1, H-line-2, H-line-3, H-form, H-ver.
#[test]
fn published_desynchronizations_have_one_reading() {
    run(include_str!("desync.txt"));
}

/// H-line-1, H-line-2, H-form, H-ver, H-host: the checks that servers are published with.
#[test]
fn requests_of_conformance_checkers_are_answered_as_they_demand() {
    run(include_str!("conformance.txt"));
}

fn run(list: &str) {
    let (upstream, gateway) = notes();
    for case in read(list) {
        for split in splits(&case.send) {
            hold(&gateway, &upstream, &case, split);
        }
    }
}

/// Where a case is cut in two: not at all, and around every octet that delimits.
fn splits(send: &[u8]) -> Vec<usize> {
    let delimits = |octet: u8| matches!(octet, b'\r' | b'\n' | b':' | b';' | b',');
    let around = (1..send.len().min(400)).filter(|&at| delimits(send[at - 1]) || delimits(send[at]));
    std::iter::once(send.len()).chain(around).collect()
}

/// Sends a case and what follows it, and holds both sides to it.
#[track_caller]
fn hold(gateway: &Gateway, upstream: &Upstream, case: &Case, split: usize) {
    let told = format!("{} ({}), cut at {split}\n{}", case.name, case.source, shown(&case.send));
    upstream.forget();
    let mut connection = gateway.connect();
    connection.send(&case.send[..split]).send(&case.send[split..]).send(SENTINEL).finish();
    if let Some(body) = case.expect.strip_prefix("200") {
        let statuses = ["POST", "GET"].map(|method| connection.try_response(method).map(|answer| answer.status));
        assert_eq!(statuses, [Some(200), Some(200)], "{told}");
        let seen = upstream.requests();
        assert_eq!(targets(&seen), ["/public/x", "/public/sentinel"], "{told}");
        assert_eq!(seen[0].body, octets(body.strip_prefix(' ').unwrap_or_default()), "{told}");
        for request in &seen {
            well_formed(request, &told);
        }
    } else {
        refused(&mut connection, upstream, case, &told);
    }
    let rest = connection.rest();
    assert!(rest.is_empty(), "more than was asked for: {}\n{told}", shown(&rest));
}

/// Fails unless the case was refused, and its connection ended where it had to.
#[track_caller]
fn refused(connection: &mut Connection, upstream: &Upstream, case: &Case, told: &str) {
    let Some(answer) = connection.try_response("POST") else {
        assert_eq!(case.expect, "cut", "no answer to {told}");
        assert!(upstream.requests().is_empty(), "{told}\nreached the upstream: {:?}", upstream.requests());
        return;
    };
    let listed = case.expect.split(' ').any(|status| status == answer.status.to_string());
    assert!(listed || case.expect == "cut" && answer.status == 400, "{told}\n=>\n{answer:?}");
    if case.expect.ends_with(" kept") && !answer.has("connection") {
        let next = connection.try_response("GET").map(|answer| answer.status);
        assert_eq!(next, Some(200), "the request behind {told}");
        assert_eq!(targets(&upstream.requests()), ["/public/sentinel"], "{told}");
    } else {
        assert_eq!(answer.values("connection"), ["close"], "{told}\n=>\n{answer:?}");
        // whatever would still be read of the connection would be answered before its end
        let rest = connection.rest();
        assert!(rest.is_empty(), "a second answer: {}\n{told}", shown(&rest));
        assert!(upstream.requests().is_empty(), "{told}\nreached the upstream: {:?}", upstream.requests());
    }
}

fn targets(requests: &[Recorded]) -> Vec<&str> {
    requests.iter().map(|request| request.target.as_str()).collect()
}

/// Fails unless every reader of HTTP agrees on where a forwarded request ends.
#[track_caller]
fn well_formed(request: &Recorded, told: &str) {
    let lengths = request.values("content-length").len() + request.values("transfer-encoding").len();
    assert!(lengths <= 1, "{told}\n=>\n{request:?}");
    let text = String::from_utf8_lossy(&request.head).replace("\r\n", "");
    assert!(!text.contains(['\r', '\n', '\0', '\x0b', '\x0c']), "{told}\n=>\n{request:?}");
    assert!(request.values("transfer-encoding").iter().all(|coding| *coding == "chunked"), "{told}\n=>\n{request:?}");
    assert_eq!(request.values("host").len(), 1, "{told}\n=>\n{request:?}");
}
