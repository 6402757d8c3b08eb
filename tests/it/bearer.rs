//! Where a token may stand (RFC 6750 section 2), and that it goes no further.

use crate::harness::{Config, Gateway, Upstream, form_encoded, notes};
use std::fmt::Write as _;

const FORM: &str = "application/x-www-form-urlencoded";

/// R6750-2.1a.
#[test]
fn the_scheme_is_read_in_any_case_and_with_any_number_of_spaces() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR   "] {
        gateway.get("/notes/1").field("Authorization", &format!("{scheme}{token}")).send().expect(200);
        let seen = upstream.last();
        assert!(!seen.has("authorization") && !seen.holds(&token), "{seen:?}");
    }
}

/// R6750-2.1b, R6750-3.1c, hazard 43: a malformed header is 400, never "no token".
#[test]
fn a_malformed_bearer_header_is_an_invalid_request() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    for value in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {token} extra"),
        format!("Bearer {token},{token}"),
        format!("Bearer {token}, Basic eDp5"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}\u{e9}"),
        format!("Bearer\t{token}"),
        format!("Bearer ={token}"),
        "Bearer a=b".to_owned(),
        "Bearer {}".to_owned(),
    ] {
        let response = gateway.get("/notes/1").field("Authorization", &value).send();
        assert_eq!(response.status, 400, "{value:?}\n{response:?}");
        response.expect_error(400, "invalid_request");
        assert_eq!(response.challenge().get("error"), Some("invalid_request"), "{value:?}");
    }
    upstream.expect_nothing();
}

/// R6750-2.1c, hazard 37.
#[test]
fn two_authorization_fields_are_refused_and_other_schemes_are_no_token() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read");
    gateway.get("/notes/1").bearer(&token).bearer(&token).send().expect_error(400, "invalid_request");
    let basic_first = gateway.get("/notes/1").field("Authorization", "Basic eDp5").bearer(&token);
    basic_first.send().expect_error(400, "invalid_request");
    for value in ["Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==", "Digest x", "Negotiate abc", "Bearerx", "Token tga_x"] {
        let response = gateway.get("/notes/1").field("Authorization", value).send();
        response.expect(401);
        assert_eq!(response.challenge().get("error"), None, "{value}");
    }
    upstream.expect_nothing();
}

/// R6750-2.2a, R6750-2.2b: the field is taken out, the rest arrives byte for byte, the length is right.
#[test]
fn a_form_token_passes_and_is_taken_out_of_the_body() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:write");
    for (body, arrives) in [
        (format!("access_token={token}&text=hello+w%6Frld"), "text=hello+w%6Frld"),
        (format!("text=a&access_token={token}"), "text=a"),
        (format!("a=1&access_token={token}&b=%7E&b="), "a=1&b=%7E&b="),
        (format!("access_token={token}"), ""),
        (format!("access%5Ftoken={token}&x=1"), "x=1"),
    ] {
        for media in [FORM, "application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-URLEncoded"] {
            let request = gateway.post("/notes/").field("Content-Type", media).body(&body);
            request.send().expect(200);
            let seen = upstream.last();
            assert_eq!(String::from_utf8_lossy(&seen.body), arrives, "{body}");
            assert!(!seen.holds(&token) && !seen.has("authorization"), "{seen:?}");
            assert_eq!(seen.field("x-auth-client"), "service");
        }
    }
}

/// Hazard 25: a form token is found however the body is framed.
#[test]
fn a_form_token_is_found_in_a_chunked_body_and_in_slow_pieces() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:write");
    let head = format!("POST /notes/ HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n");
    let body = format!("a=1&access_token={token}&b=2");
    let mut chunks = String::new();
    for piece in body.as_bytes().chunks(7) {
        let _ = write!(chunks, "{:x}\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap());
    }
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    gateway.connect().send(&chunked).response().expect(200);
    assert_eq!(upstream.last().body, b"a=1&b=2");
    let mut connection = gateway.connect();
    for piece in chunked.as_bytes().chunks(40) {
        connection.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    connection.response().expect(200);
    assert_eq!(upstream.last().body, b"a=1&b=2");
    let expecting = format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    let response = gateway.connect().send(expecting).send(&body).response();
    response.expect(200);
    assert_eq!(upstream.last().body, b"a=1&b=2");
}

/// R6750-2.2a: a token in a form that breaks the conditions is 400; what is no form is not looked at.
#[test]
fn a_form_that_breaks_the_conditions_is_refused() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read notes:write");
    let not_ascii = format!("access_token={token}&text=%C3%A9");
    gateway.post("/notes/").field("Content-Type", FORM).body(not_ascii).send().expect_error(400, "invalid_request");
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let request = gateway.request(method, "/any/1").field("Content-Type", FORM);
        let response = request.body(format!("access_token={token}")).send();
        assert_eq!(response.expect(400).challenge().get("error"), Some("invalid_request"), "{method}");
    }
    for media in ["text/plain", "application/json", "multipart/form-data; boundary=x"] {
        let request = gateway.post("/notes/").field("Content-Type", media).body(format!("access_token={token}"));
        let response = request.send();
        response.expect(401);
        assert_eq!(response.challenge().get("error"), None);
    }
    gateway.post("/notes/").body(format!("access_token={token}")).send().expect(401);
    upstream.expect_nothing();
}

/// R6750-2.2b, hazard 25: too large is 413, compressed 415, never "no token" by accident.
#[test]
fn a_form_that_is_too_large_or_compressed_is_refused_unless_the_header_has_a_token() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("limits.form_body", r#""1KiB""#));
    let token = gateway.token("notes:write");
    let large = format!("text={}&access_token={token}", "x".repeat(2000));
    gateway.post("/notes/").field("Content-Type", FORM).body(&large).send().expect(413);
    let chunked = format!(
        "POST /notes/ HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    gateway.connect().send(chunked).response().expect(413);
    let compressed = gateway.post("/notes/").field("Content-Type", FORM).field("Content-Encoding", "gzip").body("xx");
    compressed.send().expect(415);
    upstream.expect_nothing();
    let text = "text=".to_owned() + &"x".repeat(200_000);
    gateway.post("/notes/").bearer(&token).field("Content-Type", FORM).body(&text).send().expect(200);
    assert_eq!(upstream.last().body, text.as_bytes());
    compressed.bearer(&token).send().expect(200);
    assert_eq!(upstream.last().body, b"xx");
}

/// R6750-2.3a, R6750-2.3b, R6750-2.3c.
#[test]
fn a_query_token_passes_is_taken_out_and_makes_the_answer_private() {
    let upstream =
        Upstream::answering(b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n");
    let gateway = Gateway::start(Config::notes(&upstream));
    let token = gateway.token("notes:read");
    for (query, arrives) in [
        (format!("?access_token={token}"), ""),
        (format!("?a=1&access_token={token}"), "?a=1"),
        (format!("?access_token={token}&a=%2F&b"), "?a=%2F&b"),
        (format!("?a&access_token={token}&b=//"), "?a&b=//"),
        (format!("?acc%65ss_token={token}&b"), "?b"),
        (format!("?access_token={}", token.replacen('t', "%74", 1)), ""),
    ] {
        let response = gateway.get(&format!("/notes/1{query}")).send();
        response.expect(200);
        let seen = upstream.last();
        assert_eq!(seen.target, format!("/notes/1{arrives}"), "{query}");
        assert!(!seen.holds(&token), "{seen:?}");
        let caching = response.field("cache-control");
        assert!(caching.contains("private") && !caching.contains("public"), "{caching}");
    }
}

/// R6750-2: more than one token is refused, even if they are equal.
#[test]
fn two_tokens_in_one_request_are_refused() {
    let (upstream, gateway) = notes();
    let token = gateway.token("notes:read notes:write");
    let (query, form) = (format!("/notes/?access_token={token}"), format!("access_token={token}"));
    let posted = |target: &str, body: &str| gateway.post(target).field("Content-Type", FORM).body(body);
    for request in [
        gateway.get(&query).bearer(&token),
        gateway.get(&format!("{query}&{form}")),
        posted(&query, &form),
        posted("/notes/", &form).bearer(&token),
        posted("/notes/", &format!("{form}&{form}")),
        posted("/notes/", &format!("{form}&access_token=other")),
        gateway.get(&format!("{query}&access_token=")).bearer(&token),
    ] {
        let response = request.send();
        response.expect_error(400, "invalid_request");
        assert_eq!(response.challenge().get("error"), Some("invalid_request"));
    }
    upstream.expect_nothing();
}

/// D-3: a way that is switched off is no way, and does not count as a second one.
#[test]
fn a_way_that_is_switched_off_is_ignored() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("bearer.methods", r#"["header"]"#));
    let token = gateway.token("notes:read notes:write");
    let response = gateway.get(&format!("/notes/1?access_token={token}")).send();
    response.expect(401);
    assert_eq!(response.challenge().get("error"), None);
    let form = gateway.post("/notes/").field("Content-Type", FORM).body(format!("access_token={token}"));
    form.send().expect(401);
    upstream.expect_nothing();
    gateway.get("/notes/1?access_token=foreign&x=1").bearer(&token).send().expect(200);
    assert_eq!(upstream.last().target, "/notes/1?access_token=foreign&x=1", "others' values pass untouched");
    let other = gateway.post("/notes/").bearer(&token).field("Content-Type", FORM).body("access_token=foreign&x=1");
    other.send().expect(200);
    assert_eq!(upstream.last().body, b"access_token=foreign&x=1");
}

/// A route's `bearer` is narrower than `[bearer] methods`.
#[test]
fn a_route_may_take_fewer_ways() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).add(
        r#"
[[routes]]
path = "/narrow/{*rest}"
scopes = "notes:read"
bearer = ["header"]
upstream = "notes"
"#,
    ));
    let token = gateway.token("notes:read");
    gateway.get(&format!("/narrow/1?access_token={token}")).send().expect(401);
    gateway.get("/narrow/1").bearer(&token).send().expect(200);
    gateway.get(&format!("/notes/1?access_token={token}")).send().expect(200);
}

/// PX-3, PX-4: what has one of our prefixes never reaches an upstream, on whatever route and in whatever place.
#[test]
fn our_tokens_never_reach_an_upstream() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("bearer.methods", r#"["header"]"#));
    let token = gateway.token("notes:read");
    for prefix in ["tga_", "tgr_", "tgc_", "tgs_"] {
        let value = format!("{prefix}{}", &token[4..]);
        gateway.get("/public/x").bearer(&value).send().expect(200);
        gateway.get(&format!("/public/x?access_token={value}&a=1")).send().expect(200);
        assert_eq!(upstream.last().target, "/public/x?a=1");
        let form = gateway.post("/public/x").field("Content-Type", FORM).body(format!("access_token={value}&a=1"));
        form.send().expect(200);
        for seen in upstream.requests() {
            assert!(!seen.holds(&value), "{seen:?}");
        }
    }
    gateway.get("/public/x").field("Authorization", "Bearer foreign").send().expect(200);
    assert_eq!(upstream.last().field("authorization"), "Bearer foreign", "others' credentials pass on public routes");
    gateway.get("/public/x").field("Authorization", "Basic eDp5").send().expect(200);
    assert_eq!(upstream.last().field("authorization"), "Basic eDp5");
}

/// Public routes look at no token, not even at a bad one.
#[test]
fn a_public_route_looks_at_no_token() {
    let (upstream, gateway) = notes();
    gateway.get("/public/x").bearer("tga_forged").send().expect(200);
    gateway.get("/public/x").field("Authorization", "Bearer").send().expect(200);
    gateway.get("/public/x?access_token=a&access_token=b").send().expect(200);
    assert_eq!(upstream.requests().len(), 3);
}

/// Hazard 20, R6750-2.3c, TOK-6: no log, metric or error body holds a token, at the most talkative level.
#[test]
fn no_token_is_in_a_log_a_metric_or_an_error() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(Config::notes(&upstream).set("telemetry.log", r#""trace""#));
    let token = gateway.token("notes:read");
    let forged = format!("{}0000", &token[..51]);
    let mut answers = vec![
        gateway.get("/notes/1").bearer(&token).send(),
        gateway.get(&format!("/notes/1?access_token={token}")).send(),
        gateway.get(&format!("/nowhere?access_token={token}")).send(),
        gateway.get(&format!("/notes/%2e%2e?access_token={token}")).send(),
        gateway.get(&format!("/admin/x?access_token={token}")).send(),
        gateway.get(&format!("/notes/1?access_token={token}&access_token={forged}")).send(),
        gateway.get("/notes/1").bearer(&forged).send(),
        gateway.get("/notes/1").bearer(&format!("{token} x")).send(),
    ];
    let form = format!("access_token={}", form_encoded(&token));
    answers.push(gateway.post("/notes/1").field("Content-Type", FORM).body(form).send());
    let last = gateway.get("/public/end").send();
    gateway.event(&last);
    let said = format!("{}\n{}\n{}", gateway.output(), gateway.metrics(), gateway.telemetry("/readyz").whole());
    for secret in [&token[4..], &forged[4..40]] {
        assert!(!said.contains(secret), "the log or the metrics hold a token");
        for answer in &answers {
            assert!(!answer.whole().contains(secret), "{answer:?}");
        }
    }
}
