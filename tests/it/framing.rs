//! Where a request ends has one answer (RFC 9112; standards, sections 21, 22 and 25).

use crate::harness::{Config, Connection, Gateway, Upstream, notes};
use std::time::Duration;

/// What a smuggled request would look like to the upstream.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

fn head(fields: &str) -> String {
    format!("POST /public/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// Sends the octets in one piece; exactly one response with this status may come, then the end.
#[track_caller]
fn refused(gateway: &Gateway, upstream: &Upstream, bytes: impl AsRef<[u8]>, statuses: &[u16]) {
    let shown = crate::harness::shown(bytes.as_ref());
    let mut connection = gateway.connect();
    let response = connection.send(bytes).response();
    assert!(statuses.contains(&response.status), "{shown}\n=>\n{response:?}");
    assert_eq!(response.values("connection"), ["close"], "{shown}\n=>\n{response:?}");
    connection.finish();
    let rest = connection.rest();
    assert!(rest.is_empty(), "a second answer to {shown}: {}", crate::harness::shown(&rest));
    let forwarded = upstream.requests();
    assert!(forwarded.is_empty(), "{shown} was forwarded: {forwarded:?}");
}

/// SMUG-1 to SMUG-8, SMUG-17, hazard 22: heads whose length has two readings.
#[test]
fn heads_with_two_readings_of_the_length_are_refused() {
    let (upstream, gateway) = notes();
    for fields in [
        // SMUG-1
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "transfer-encoding: Chunked\r\ncontent-length: 0\r\n",
        // SMUG-2, SMUG-3
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        // SMUG-4
        "Content-Length:\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 0o5\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5a\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: \u{0665}\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Content-Length: \"5\"\r\n",
        // SMUG-6
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        // SMUG-7
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: \u{c}chunked\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\r\n\tContent-Length: 5\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        " Content-Length: 5\r\n",
    ] {
        refused(&gateway, &upstream, format!("{}0\r\n\r\n{SMUGGLED}", head(fields)), &[400]);
    }
    for fields in [
        // SMUG-5: the last coding is not `chunked`, or nobody knows it
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: chunk\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked;x=y\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: 'chunked'\r\n",
    ] {
        refused(&gateway, &upstream, format!("{}0\r\n\r\n{SMUGGLED}", head(fields)), &[400, 501]);
    }
    upstream.expect_nothing();
}

/// SMUG-7: white space around the value is legal, and so is the case.
#[test]
fn legal_spellings_of_chunked_pass() {
    let (upstream, gateway) = notes();
    for field in ["Transfer-Encoding: chunked", "TRANSFER-ENCODING:chunked", "transfer-encoding: \t Chunked \t "] {
        let request = format!("{}3\r\nabc\r\n0\r\n\r\n", head(&format!("{field}\r\n")));
        gateway.connect().send(request).response().expect(200);
        assert_eq!(upstream.last().body, b"abc");
    }
    gateway.connect().send(head("Content-Length: \t3 \t\r\n") + "abc").response().expect(200);
    assert_eq!(upstream.last().body, b"abc");
    gateway.connect().send(head("Content-Length: 0003\r\n") + "abc").response();
}

/// SMUG-7, SMUG-17: names that only look like the real field are refused, never normalised.
#[test]
fn look_alikes_of_framing_fields_are_refused() {
    let (upstream, gateway) = notes();
    for fields in ["Transfer_Encoding: chunked\r\nContent-Length: 3\r\n", "Content_Length: 30\r\nContent-Length: 3\r\n"]
    {
        refused(&gateway, &upstream, head(fields) + "abc" + SMUGGLED, &[400]);
    }
}

/// SMUG-8, hazard 22.
#[test]
fn a_transfer_coding_in_http_1_0_is_refused() {
    let (upstream, gateway) = notes();
    let request = "POST /public/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    refused(&gateway, &upstream, format!("{request}{SMUGGLED}"), &[400]);
    let kept = request.replace("Host", "Connection: keep-alive\r\nHost");
    refused(&gateway, &upstream, format!("{kept}{SMUGGLED}"), &[400]);
}

/// SMUG-9, LIM-chunk: nothing is believed of a body whose chunks are malformed.
#[test]
fn malformed_chunks_are_never_a_complete_request() {
    let (upstream, gateway) = notes();
    for chunks in [
        "+3\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "0_3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        ";x\r\nabc\r\n0\r\n\r\n",
        "g\r\nabc\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n",
        "00000000000000003\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nab\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3\rabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\n\r\n",
        "3\r\nabc\r\n0\r\n\n",
        "3;a=\0\r\nabc\r\n0\r\n\r\n",
        "3;a=\rb\r\nabc\r\n0\r\n\r\n",
        "3;a\nabc\r\n0\r\n\r\n",
        "3;\r\nabc\r\n0\r\n\r\n",
        "3;=x\r\nabc\r\n0\r\n\r\n",
    ] {
        let request = format!("{}{chunks}{SMUGGLED}", head("Transfer-Encoding: chunked\r\n"));
        let mut connection = gateway.connect();
        let answer = connection.send(&request).try_response("POST");
        if let Some(response) = &answer {
            assert_eq!(response.status, 400, "{chunks:?}\n{response:?}");
        }
        connection.finish();
        assert!(connection.rest().is_empty(), "a second answer to {chunks:?}");
        let complete = upstream.requests();
        assert!(complete.is_empty(), "{chunks:?} was forwarded whole: {complete:?}");
    }
}

/// SMUG-9, LIM-chunk: extensions are ignored, but not without bound.
#[test]
fn chunk_extensions_are_ignored_and_bounded() {
    let (upstream, gateway) = notes();
    let chunked = head("Transfer-Encoding: chunked\r\n");
    let request = format!("{chunked}3;name=value;other=\"quoted\"\r\nabc\r\n0;end\r\n\r\n");
    gateway.connect().send(request).response().expect(200);
    assert_eq!(upstream.last().body, b"abc");
    upstream.forget();
    let long = format!("{chunked}3;x={}\r\nabc\r\n0\r\n\r\n", "y".repeat(40_000));
    let answer = gateway.connect().send(long).try_response("POST");
    assert!(answer.is_none_or(|response| response.status == 400));
    let many: String = "1;x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\na\r\n".repeat(1000);
    let answer = gateway.connect().send(format!("{chunked}{many}0\r\n\r\n")).try_response("POST");
    assert!(answer.is_none_or(|response| response.status == 400));
    assert!(upstream.requests().is_empty());
}

/// SMUG-10: a body that ends early is never a complete request.
#[test]
fn a_body_that_ends_early_is_never_forwarded_as_complete() {
    let (upstream, gateway) = notes();
    for bytes in [
        head("Content-Length: 10\r\n") + "abc",
        head("Transfer-Encoding: chunked\r\n") + "5\r\nabc",
        head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n",
        head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n",
        head("Content-Length: 10\r\n"),
    ] {
        let mut connection = gateway.connect();
        connection.send(&bytes).finish();
        let answer = connection.try_response("POST");
        assert!(answer.as_ref().is_none_or(|response| response.status == 400), "{bytes}\n{answer:?}");
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
}

/// SMUG-11, SMUG-12, H-pipe: bodies of any method are consumed; what follows is the next request, checked on its own.
#[test]
fn pipelined_requests_are_answered_in_order_each_on_its_own() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    let mut connection = gateway.connect();
    connection.send(format!(
        "GET /notes/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: 4\r\n\r\nbody\
         GET /notes/2 HTTP/1.1\r\nHost: a\r\n\r\n\
         DELETE /public/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n\
         POST /public/4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
         OPTIONS /public/5 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nz\
         GET /admin/6 HTTP/1.1\r\nHost: a\r\n\r\n\
         HEAD /public/7 HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /public/8 HTTP/1.1\r\nHost: a\r\n\r\n"
    ));
    for (method, status) in [
        ("GET", 200),
        ("GET", 401),
        ("DELETE", 200),
        ("POST", 200),
        ("OPTIONS", 200),
        ("GET", 401),
        ("HEAD", 200),
        ("GET", 200),
    ] {
        connection.response_to(method).expect(status);
    }
    let seen: Vec<String> = upstream.requests().iter().map(|request| request.target.clone()).collect();
    assert_eq!(seen, ["/notes/1", "/public/3", "/public/4", "/public/5", "/public/7", "/public/8"]);
    assert_eq!(upstream.requests()[1].body, b"xy");
}

/// SMUG-13, H-close-1, hazard 23: an early refusal with the body still to come.
#[test]
fn the_body_of_a_refused_request_is_never_the_next_request() {
    let (upstream, gateway) = notes();
    let smuggled = SMUGGLED.replace("/smuggled", "/public/smuggled");
    // small: drained, and the connection goes on; or closed
    let mut connection = gateway.connect();
    let small = smuggled.repeat(3);
    connection.send(format!("POST /notes/1 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{small}", small.len()));
    connection.response().expect(401);
    connection.send(gateway.get("/public/after").bytes());
    if let Some(after) = connection.try_response("GET") {
        after.expect(200);
        assert_eq!(upstream.last().target, "/public/after");
    }
    // large: closed
    let mut connection = gateway.connect();
    let large = smuggled.repeat(10_000);
    connection.send(format!("POST /notes/1 HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", large.len()));
    connection.send(&large);
    let response = connection.response();
    response.expect(401);
    let after = connection.send(gateway.get("/public/after").bytes()).try_response("GET");
    assert!(after.is_none_or(|response| response.status == 200), "the body was read as requests");
    assert!(upstream.requests().iter().all(|request| request.target == "/public/after"), "{:?}", upstream.requests());
}

/// SMUG-14, H-exp-1, PX-14: with `Expect` a refusal is final and comes at once.
#[test]
fn an_expectation_is_met_with_the_final_status_or_a_100() {
    let (upstream, gateway) = notes();
    let body = "GET /public/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let expecting = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len())
    };
    let mut connection = gateway.connect();
    let refusal = connection.send(expecting("/notes/1")).response();
    refusal.expect(401);
    assert!(refusal.interim.is_empty(), "a refusal comes without 100");
    upstream.expect_nothing();
    let answer = connection.send(body).send(gateway.get("/public/after").bytes()).try_response("GET");
    assert!(upstream.requests().iter().all(|request| request.target != "/public/smuggled"), "{answer:?}");
    // allowed: 100 first, then the body is sent
    let mut connection = gateway.connect();
    connection.send(expecting("/public/x"));
    assert!(connection.read_some(12) == b"HTTP/1.1 100", "the client is told to go on");
    connection.read_some(b" Continue\r\n\r\n".len());
    connection.send(body).response().expect(200);
    assert_eq!(upstream.last().body, body.as_bytes());
    // the body comes at once
    let mut connection = gateway.connect();
    connection.send(expecting("/public/y") + body).response().expect(200);
    assert_eq!(upstream.last().body, body.as_bytes());
    // HTTP/1.0 knows no expectation
    let old = expecting("/public/z").replace("HTTP/1.1", "HTTP/1.0") + body;
    let response = gateway.connect().send(old).response();
    assert!(response.expect(200).interim.is_empty());
}

/// H-exp-2.
#[test]
fn other_expectations_are_417() {
    let (upstream, gateway) = notes();
    gateway.get("/public/x").field("Expect", "magic").send().expect(417);
    upstream.expect_nothing();
}

/// SMUG-15, H-trl-1, IDH-4: a trailer is never merged into the head.
#[test]
fn trailers_are_never_merged() {
    let (upstream, gateway) = notes();
    let request = head("Transfer-Encoding: chunked\r\nTrailer: X-Auth-Subject\r\n")
        + "3\r\nabc\r\n0\r\nContent-Length: 50\r\nX-Auth-Subject: root\r\nAuthorization: Bearer tga_x\r\nHost: evil\r\n\r\n";
    let mut connection = gateway.connect();
    let answer = connection.send(request).response();
    if answer.status == 200 {
        let seen = upstream.last();
        assert_eq!(seen.body, b"abc");
        assert!(!seen.holds("root") && !seen.holds("evil") && !seen.holds("tga_x"), "{seen:?}");
        gateway.get("/public/after").send_on(&mut connection).expect(200);
    } else {
        answer.expect(400);
    }
}

/// H-line-1, H-line-1b, H-line-2, H-line-3, H-ver: the head's lines.
#[test]
fn malformed_heads_are_refused() {
    let (upstream, gateway) = notes();
    for bytes in [
        // H-line-1
        &b"GET /public/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"[..],
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /public/x\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /public/x HTTP/1.1\rHost: a\r\n\r\n",
        // H-line-1b
        b"GET /public/x HTTP/1.1\nHost: a\n\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
        // H-line-2
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nX(Y): z\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\nHost: a\r\n\xc3\xa9: z\r\n\r\n",
        b"GET /public/x HTTP/1.1\r\n Host: a\r\n\r\n",
        // H-line-3
        b"GET /public/x HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        // H-form
        b"GET  /public/x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /public/x  HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /public/a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET\t/public/x\tHTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G(T /public/x HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /public/x\r\nHost: a\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\nGET /public/x HTTP/1.1\r\nHost: a\r\n\r\n",
        // H-ver
        b"GET /public/x http/1.1\r\nHost: a\r\n\r\n",
        b"GET /public/x HTTP/1\r\nHost: a\r\n\r\n",
        b"GET /public/x HTTP/11\r\nHost: a\r\n\r\n",
        b"GET /public/x HTTP/1.10\r\nHost: a\r\n\r\n",
        b"GET /public/x HTTP/ 1.1\r\nHost: a\r\n\r\n",
        b"GET /public/x HTTP/1.x\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ] {
        refused(&gateway, &upstream, bytes, &[400]);
    }
    for version in ["HTTP/2.0", "HTTP/3.0", "HTTP/9.9"] {
        refused(&gateway, &upstream, format!("GET /public/x {version}\r\nHost: a\r\n\r\n"), &[505]);
    }
    upstream.expect_nothing();
}

/// H-line-1, H-ver: what is tolerated.
#[test]
fn one_empty_line_before_a_request_and_a_later_minor_version_pass() {
    let (upstream, gateway) = notes();
    gateway.connect().send("\r\nGET /public/x HTTP/1.1\r\nHost: a\r\n\r\n").response().expect(200);
    gateway.connect().send("GET /public/x HTTP/1.2\r\nHost: a\r\n\r\n").response().expect(200);
    let seen = upstream.last();
    assert!(seen.head.starts_with(b"GET /public/x HTTP/1.1\r\n"), "{seen:?}");
}

/// H-close-1: the persistence of each version.
#[test]
fn http_1_0_closes_unless_it_asks_to_stay() {
    let (upstream, gateway) = notes();
    let mut connection = gateway.connect();
    connection.send("GET /public/x HTTP/1.0\r\nHost: a\r\n\r\n").response().expect(200);
    assert!(connection.is_closed());
    assert!(upstream.last().head.starts_with(b"GET /public/x HTTP/1.1\r\n"), "our own version is forwarded");
    let mut connection = gateway.connect();
    connection.send("GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").response().expect(200);
    assert!(connection.is_closed());
    let mut connection = gateway.connect();
    connection.send("GET /notes/x HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n").response().expect(401);
    assert!(connection.is_closed());
}

/// H-connect, hazard 24, H-trace, LIM-501.
#[test]
fn connect_trace_and_endless_methods_are_refused() {
    let (upstream, gateway) = notes();
    refused(&gateway, &upstream, format!("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n{SMUGGLED}"), &[501]);
    refused(&gateway, &upstream, format!("CONNECT /public/x HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"), &[400, 501]);
    let trace = gateway.request("TRACE", "/public/x").send();
    assert!(!trace.expect(405).field("allow").contains("TRACE"));
    let token = gateway.token("notes:admin");
    gateway.request("TRACE", "/any/x").bearer(&token).send().expect(405);
    let endless = "M".repeat(33);
    let response = gateway.request(&endless, "/public/x").send();
    response.expect(501);
    upstream.expect_nothing();
}

/// H-upg-2, hazard 21: no upgrade is switched to before the upstream agreed, and h2c never.
#[test]
fn an_upgrade_is_never_a_tunnel_before_the_upstream_agreed() {
    let (upstream, gateway) = notes();
    for upgrade in ["h2c", "websocket", "TLS/1.2", "h2c, websocket"] {
        let mut connection = gateway.connect();
        connection.send(format!(
            "GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\nGET /admin/x HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        connection.response().expect(200);
        // what follows is a request like any other
        connection.response().expect(401);
        let seen = upstream.last();
        assert!(!seen.has("http2-settings"), "{seen:?}");
        if upgrade == "h2c" {
            assert!(!seen.has("upgrade"), "{seen:?}");
        }
        assert!(upstream.requests().iter().all(|request| request.target == "/public/x"));
    }
    let refused = gateway.get("/admin/x").field("Connection", "Upgrade").field("Upgrade", "websocket").send();
    refused.expect(401);
}

/// LIM-414, LIM-431.
#[test]
fn heads_beyond_the_limits_are_414_and_431() {
    let (upstream, gateway) = notes();
    gateway.get(&format!("/public/{}", "x".repeat(8000))).send().expect(200);
    upstream.forget();
    let get = |rest: &str| format!("GET /public/x HTTP/1.1\r\nHost: a\r\n{rest}\r\n");
    refused(&gateway, &upstream, format!("GET /public/{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(17_000)), &[414]);
    refused(&gateway, &upstream, get(&format!("X: {}\r\n", "x".repeat(33_000))), &[431]);
    refused(&gateway, &upstream, get(&"X: y\r\n".repeat(101)), &[431]);
    let many = format!("X: {}\r\n", "y".repeat(400)).repeat(90);
    refused(&gateway, &upstream, get(&many), &[431]);
    gateway.connect().send(get(&"X: y\r\n".repeat(90))).response().expect(200);
}

/// LIM-408: a head or a body that makes no progress.
#[test]
fn slow_clients_are_408_and_idle_ones_are_closed_silently() {
    let upstream = Upstream::start();
    let config = Config::notes(&upstream)
        .set("limits.head_timeout", r#""500ms""#)
        .set("limits.body_timeout", r#""500ms""#)
        .set("limits.idle_timeout", r#""1s""#);
    let gateway = Gateway::start(config);
    let mut slow = gateway.connect();
    slow.send("GET /public/x HT").response().expect(408);
    assert!(slow.is_closed());
    let mut body = gateway.connect();
    body.send(head("Content-Length: 10\r\n") + "abc").response().expect(408);
    assert!(body.is_closed());
    assert!(gateway.connect().is_closed(), "an idle connection is closed without a word");
    let mut kept = gateway.connect();
    gateway.get("/public/x").send_on(&mut kept).expect(200);
    assert!(kept.is_closed());
    assert_eq!(upstream.requests().len(), 1);
    // dripping does not help
    let mut dripping = gateway.connect();
    let start = std::time::Instant::now();
    for byte in b"GET /public/x HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        if dripping.try_send(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let answer = dripping.try_response("GET");
    assert!(answer.is_none_or(|response| response.status == 408) && start.elapsed() < Duration::from_secs(5));
}

/// SMUG-24: the same octets split anywhere give the same result.
#[test]
fn where_the_octets_are_split_makes_no_difference() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:write");
    let stream = format!(
        "POST /notes/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n3;e=f\r\nabc\r\n0\r\nT: u\r\n\r\n\
         POST /public/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxyGET /notes/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    let exchange = |connection: &mut Connection| {
        let statuses = [200, 200, 401].map(|_| connection.response().status);
        assert!(connection.is_closed());
        let bodies: Vec<_> = upstream.requests().into_iter().map(|request| (request.target, request.body)).collect();
        upstream.forget();
        (statuses, bodies)
    };
    let expected = exchange(gateway.connect().send(&stream));
    assert_eq!(expected.0, [200, 200, 401]);
    for split in 1..stream.len() {
        let mut connection = gateway.connect();
        connection.send(&stream[..split]);
        std::thread::sleep(Duration::from_micros(500));
        connection.send(&stream[split..]);
        assert_eq!(exchange(&mut connection), expected, "split at {split}");
    }
    let mut connection = gateway.connect();
    for byte in stream.as_bytes() {
        connection.send([*byte]);
    }
    assert_eq!(exchange(&mut connection), expected, "octet by octet");
}

/// SMUG-21: what comes from the request cannot split the response.
#[test]
fn nothing_of_a_request_splits_a_response() {
    let (_upstream, gateway) = notes();
    for target in ["/nowhere%0d%0aX-Injected:%20y", "/notes/1?scope=%0d%0aX-Injected:y", "/shelves/%22,x=%22"] {
        let response = gateway.get(target).send();
        assert!(!response.has("x-injected") && !response.whole().contains("Injected: y"), "{response:?}");
    }
    let response = gateway.get("/shelves/a%22b").bearer(&gateway.token("shelf:42")).send();
    assert!(matches!(response.status, 400 | 403));
    if response.has("www-authenticate") {
        response.challenge();
    }
    let error = gateway.ask(crate::harness::READER, &[("grant_type", "x\"\r\nX-Injected: y")]);
    error.expect_error(400, "unsupported_grant_type");
    assert!(!error.has("x-injected"));
}
