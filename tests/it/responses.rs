//! What an upstream answers: passed on as it is where it is well-formed, 502 where it is not.

use crate::harness::{Config, Gateway, Next, Upstream};
use std::io::Write as _;
use std::time::Duration;

const FINE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// SMUG-19, H-line-3, LIM-502: a response with two readings is none.
#[test]
fn malformed_responses_are_502() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nnocolon\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ICY 200 OK\r\n\r\nok",
        b"garbage",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        // SMUG-22: a switch that nobody asked for
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\ntunnel",
    ] {
        let upstream = Upstream::answering_and_closing(answer);
        let gateway = Gateway::start(Config::notes(&upstream));
        let response = gateway.post("/public/x").body("").send();
        assert_eq!(response.status, 502, "{}\n{response:?}", answer.escape_ascii());
        assert!(response.json()["error"].is_string() && response.has("x-request-id"));
        assert!(!response.whole().contains(&upstream.port().to_string()), "an inner address is shown: {response:?}");
    }
}

/// H-body-3: an upstream that ends early is an aborted message, never a clean end.
#[test]
fn a_response_that_ends_early_is_aborted() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    ] {
        let upstream = Upstream::answering_and_closing(answer);
        let gateway = Gateway::start(Config::notes(&upstream));
        let response = gateway.connect().send(gateway.get("/public/x").bytes()).try_response("GET");
        let fine = response.as_ref().is_none_or(|response| !response.complete || response.status == 502);
        assert!(fine, "{}\n{response:?}", answer.escape_ascii());
    }
}

/// SMUG-20: what an upstream sends beyond a message is never the next answer.
#[test]
fn octets_beyond_a_response_are_never_the_next_answer() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for (method, answer) in [
        ("GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{evil}")),
        ("HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok{evil}")),
        ("GET", format!("HTTP/1.1 204 No Content\r\n\r\n{evil}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{evil}")),
        ("GET", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{evil}")),
    ] {
        let upstream = Upstream::with(move |request, stream| {
            let bytes = if request.target.ends_with("first") { answer.as_bytes() } else { FINE };
            let _ = stream.write_all(bytes);
            Next::Keep
        });
        let gateway = Gateway::start(Config::notes(&upstream));
        let mut connection = gateway.connect();
        for _ in 0..3 {
            let first = gateway.request(method, "/public/first").send_on(&mut connection);
            assert!(!first.whole().contains("evil"), "{first:?}");
            std::thread::sleep(Duration::from_millis(20));
            let second = gateway.get("/public/second").send_on(&mut connection);
            assert_eq!(second.expect(200).body, b"ok");
        }
    }
}

/// SMUG-20: octets on an idle connection to the upstream.
#[test]
fn octets_on_an_idle_connection_are_never_an_answer() {
    let upstream = Upstream::with(|_, stream| {
        let _ = stream.write_all(FINE);
        std::thread::sleep(Duration::from_millis(20));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        Next::Keep
    });
    let gateway = Gateway::start(Config::notes(&upstream));
    for _ in 0..5 {
        assert_eq!(gateway.get("/public/x").send().expect(200).body, b"ok");
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// H-body-1: no body for HEAD, 204 and 304; lengths as they are.
#[test]
fn responses_without_a_body_have_none() {
    for (method, answer) in [
        ("HEAD", &b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"[..]),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let upstream = Upstream::answering(answer);
        let gateway = Gateway::start(Config::notes(&upstream));
        let mut connection = gateway.connect();
        for _ in 0..2 {
            let response = gateway.request(method, "/public/x").send_on(&mut connection);
            assert!(response.body.is_empty());
            if method == "HEAD" {
                assert_eq!(response.field("content-length"), "1234");
            }
            if response.status == 204 {
                assert!(!response.has("content-length") && !response.has("transfer-encoding"), "{response:?}");
            }
        }
    }
}

/// H-body-2: an unknown length is chunked to 1.1 and ends with the connection for 1.0.
#[test]
fn a_response_of_unknown_length_is_chunked_or_ends_with_the_connection() {
    let upstream = Upstream::answering_and_closing(b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let gateway = Gateway::start(Config::notes(&upstream));
    let response = gateway.get("/public/x").send();
    assert_eq!(response.expect(200).field("transfer-encoding"), "chunked");
    assert_eq!(response.body, b"until the end");
    let mut connection = gateway.connect();
    let old = connection.send("GET /public/x HTTP/1.0\r\nHost: a\r\n\r\n").response();
    assert!(!old.expect(200).has("transfer-encoding"));
    assert_eq!(old.body, b"until the end");
    let chunked = Upstream::answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    let gateway = Gateway::start(Config::notes(&chunked));
    let old = gateway.connect().send("GET /public/x HTTP/1.0\r\nHost: a\r\n\r\n").response();
    assert!(!old.expect(200).has("transfer-encoding"));
    assert_eq!(old.body, b"abc");
}

/// H-fwd-1, H-conn-1, H-conn-2, PX-16: fields pass, hop-by-hop ones do not, `Set-Cookie` lines stay apart.
#[test]
fn fields_of_a_response_pass_and_hop_by_hop_ones_do_not() {
    let upstream = Upstream::answering(
        b"HTTP/1.1 401 Nope\r\nServer: notes\r\nSet-Cookie: a=1\r\nX-Custom: y\r\nSet-Cookie: b=2\r\nConnection: X-Hop\r\n\
          X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\n\
          WWW-Authenticate: Custom realm=\"inner\"\r\nContent-Length: 5\r\n\r\ninner",
    );
    let gateway = Gateway::start(Config::notes(&upstream));
    let response = gateway.get("/public/x").send();
    response.expect(401);
    assert_eq!(response.values("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.field("x-custom"), "y");
    assert_eq!(response.field("www-authenticate"), "Custom realm=\"inner\"");
    assert_eq!(response.body, b"inner");
    for name in ["x-hop", "keep-alive", "proxy-connection", "upgrade", "proxy-authenticate"] {
        assert!(!response.has(name), "{name} in\n{response:?}");
    }
}

/// H-date, and `X-Request-Id` in every answer.
#[test]
fn every_answer_has_a_date_and_a_request_id() {
    let upstream = Upstream::answering(FINE);
    let gateway = Gateway::start(Config::notes(&upstream));
    let token = gateway.token("notes:read");
    for request in [
        gateway.get("/public/x"),
        gateway.get("/notes/1"),
        gateway.get("/notes/1").bearer(&token),
        gateway.get("/admin/1").bearer(&token),
        gateway.get("/nowhere"),
        gateway.request("PUT", "/notes/1"),
        gateway.get("/public/%2e"),
        gateway.get("/oauth2/token"),
        gateway.get("/.well-known/oauth-authorization-server"),
    ] {
        let response = request.send();
        assert!(response.field("date").ends_with(" GMT"), "{response:?}");
        assert!(!response.field("x-request-id").is_empty());
    }
    let dated =
        Upstream::answering(b"HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 0\r\n\r\n");
    let gateway = Gateway::start(Config::notes(&dated));
    assert_eq!(gateway.get("/public/x").send().field("date"), "Tue, 15 Nov 1994 08:12:31 GMT");
}

/// PX-9: what was authorised is not for shared caches.
#[test]
fn answers_to_authorised_requests_are_private() {
    for (given, public_stays) in
        [("Cache-Control: public, max-age=60\r\n", true), ("Cache-Control: s-maxage=9\r\n", true), ("", true)]
    {
        let upstream =
            Upstream::answering(format!("HTTP/1.1 200 OK\r\n{given}Vary: Accept\r\nContent-Length: 0\r\n\r\n"));
        let gateway = Gateway::start(Config::notes(&upstream));
        let token = gateway.token("notes:read");
        let response = gateway.get("/notes/1").bearer(&token).send();
        let caching = response.expect(200).values("cache-control").join(",");
        assert!(
            caching.contains("private") && !caching.contains("public") && !caching.contains("s-maxage"),
            "{given}: {caching}"
        );
        let vary = response.values("vary").join(",").to_lowercase();
        assert!(vary.contains("authorization") && vary.contains("accept"), "{vary}");
        let open = gateway.get("/public/x").send();
        if public_stays && given.contains("public") {
            assert_eq!(open.field("cache-control"), "public, max-age=60");
        }
    }
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n");
    let gateway = Gateway::start(Config::notes(&upstream));
    let response = gateway.get("/notes/1").bearer(&gateway.token("notes:read")).send();
    assert!(response.values("cache-control").join(",").contains("no-store"));
}

/// H-1xx: interim responses are forwarded, never to HTTP/1.0.
#[test]
fn interim_responses_pass_to_1_1_and_not_to_1_0() {
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let upstream = Upstream::answering(hints);
    let gateway = Gateway::start(Config::notes(&upstream));
    let response = gateway.get("/public/x").send();
    assert_eq!(response.expect(200).body, b"ok");
    let old = gateway.connect().send("GET /public/x HTTP/1.0\r\nHost: a\r\n\r\n").response();
    assert!(old.expect(200).interim.is_empty());
    assert_eq!(old.body, b"ok");
}

/// PX-18, H-1xx: what is left out of a response is left out of those in front of it.
#[test]
fn an_interim_response_sets_nothing_that_a_final_one_may_not() {
    let fields = "Set-Cookie: a=1\r\nSet-Cookie: __Host-tollgate-session=forged\r\nX-Inner: y\r\n\
        Access-Control-Allow-Origin: *\r\nConnection: x-named\r\nX-Named: z\r\nContent-Length: 0\r\n";
    for status in ["103 Early Hints", "102 Processing"] {
        let upstream = Upstream::answering(format!(
            "HTTP/1.1 {status}\r\nLink: </x>\r\n{fields}\r\nHTTP/1.1 200 OK\r\n{fields}\r\n"
        ));
        let more = "headers.response = { remove = [\"x-inner\"] }\ncors = { origins = [\"https://b\"] }\n";
        let config = Config::notes(&upstream);
        let gateway = Gateway::start(config.replace("name = \"public\"\n", &format!("name = \"public\"\n{more}")));
        let answer = gateway.connect().send("GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").rest();
        let answer = crate::harness::shown(&answer);
        assert!(answer.contains(status) && answer.contains("Link: </x>"), "{answer}");
        assert_eq!(answer.matches("Set-Cookie: a=1").count(), 2, "{answer}");
        for never in ["forged", "X-Inner", "Access-Control-Allow-Origin", "X-Named"] {
            assert!(!answer.contains(never), "{never} in\n{answer}");
        }
    }
}

/// H-fwd-3: content is nobody's to code anew, whatever the client would take, and least of all where it is said not to be.
#[test]
fn content_and_its_coding_pass_as_they_are() {
    let coded = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0];
    for fields in
        ["Content-Encoding: gzip\r\nCache-Control: no-transform, max-age=5\r\n", "Content-Type: text/plain\r\n"]
    {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", coded.len());
        let upstream = Upstream::answering([head.as_bytes(), &coded].concat());
        let gateway = Gateway::start(Config::notes(&upstream));
        for accepts in ["gzip, br, zstd", "identity"] {
            let ask = gateway.post("/public/x").field("Accept-Encoding", accepts).field("Content-Encoding", "gzip");
            let answer = ask.body(coded).send();
            assert_eq!((&answer.expect(200).body, &upstream.last().body), (&coded.to_vec(), &coded.to_vec()));
            assert_eq!(answer.values("content-encoding").len(), usize::from(fields.contains("gzip")), "{answer:?}");
            assert_eq!(answer.has("cache-control"), fields.contains("no-transform"));
            let seen = upstream.last();
            assert_eq!((seen.field("content-encoding"), seen.field("accept-encoding")), ("gzip", accepts));
        }
    }
}
