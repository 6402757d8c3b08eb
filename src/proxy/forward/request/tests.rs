//! Tests of the head that an upstream gets, by the octets.

use super::*;
use crate::http1::Limits;
use crate::http1::head::RequestHead;
use crate::http1::stream::Tls;
use crate::proxy::fields::same_folded;
use crate::proxy::forward::tests::fixture::{IDENTITY, Setup, values};
use crate::proxy::forward::{Parameters, Provenance};
use crate::proxy::route::HeaderEdits;
use proptest::prelude::*;
use std::net::SocketAddr;

fn setup() -> Setup {
    Setup::to(&[9000])
}

/// The outgoing head for `request`, which comes from `peer`.
fn head_from(setup: &Setup, request: &[u8], peer: &str) -> Result<String, Looped> {
    let limits = Limits { head_size: 1 << 20, head_fields: 1000, ..Limits::default() };
    let mut parsed = RequestHead::default();
    let length = parsed.parse(request, &limits).unwrap().expect("a whole head");
    let request = Request::new(&parsed, &request[..length]);
    let peer = peer.parse::<SocketAddr>().map_or(Peer::Unix, |remote| Peer::Tcp {
        remote,
        local_port: 8080,
        tls: Tls::Unknown,
    });
    let plan = setup.plan();
    let framing = request.length();
    let identity = setup.identity.unwrap_or_default();
    let mut out = Vec::new();
    Outgoing { plan: &plan, request, peer: &peer, identity, framing, offer: None, expects: false }
        .write(setup.host.raw.as_bytes(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn head(setup: &Setup, fields: &str) -> String {
    let request = format!("GET /notes HTTP/1.1\r\nHost: api.example.com\r\n{fields}\r\n");
    head_from(setup, request.as_bytes(), "203.0.113.7:1234").unwrap()
}

/// H-fwd-1, H-fwd-2, H-ver
#[test]
fn fields_pass_unchanged_and_in_order() {
    let mut setup = setup();
    setup.path = "/no%74es/%C3%A9";
    setup.query = Some("a=%20&b");
    let head = head(&setup, "X-B: 1\r\nAccept: */*\r\nx-b:  2\r\ntraceparent: 00-0af7-b7ad-01\r\nCookie: a=1; b=2\r\n");
    assert!(head.starts_with("GET /no%74es/%C3%A9?a=%20&b HTTP/1.1\r\nhost: api.example.com\r\n"));
    assert!(
        head.contains("\r\nX-B: 1\r\nAccept: */*\r\nx-b: 2\r\ntraceparent: 00-0af7-b7ad-01\r\nCookie: a=1; b=2\r\n")
    );
    assert!(head.ends_with("\r\n\r\n"));
}

/// UI-7: whoever gets the session's cookie is its owner.
#[test]
fn the_cookies_of_the_gateway_itself_do_not_pass() {
    let cookies = "Cookie: a=1; __Host-tollgate-session=s; b=2\r\ncookie: tollgate-browser=b\r\n";
    assert_eq!(values(&head(&setup(), cookies), "cookie"), ["a=1; b=2"]);
}

/// A request that is part of a trace stays part of it; another one starts one.
#[test]
fn every_request_is_part_of_one_trace() {
    let mut setup = setup();
    setup.request_id = "0af7651916cd43dd8448eb211c80319c";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-8448eb211c80319c-01";
    assert_eq!(values(&head(&setup, ""), "traceparent"), [trace]);
    assert_eq!(values(&head(&setup, "Traceparent: 00-a-b-01\r\n"), "traceparent"), ["00-a-b-01"]);
    assert_eq!(values(&head(&setup, "Connection: traceparent\r\ntraceparent: x\r\n"), "traceparent"), [trace]);
    setup.request_id = "chosen-by-a-trusted-peer";
    assert!(values(&head(&setup, ""), "traceparent").is_empty());
}

/// H-trace: OPTIONS counts the stations down.
#[test]
fn max_forwards_of_options_is_decremented() {
    let sent = |method: &str, fields: &str| {
        let request = format!("{method} /notes HTTP/1.1\r\nHost: api.example.com\r\n{fields}\r\n");
        let head = head_from(&setup(), request.as_bytes(), "203.0.113.7:1234").unwrap();
        values(&head, "max-forwards").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sent("OPTIONS", "Max-Forwards: 3\r\n"), ["2"]);
    assert_eq!(sent("GET", "Max-Forwards: 3\r\n"), ["3"]);
    assert!(sent("OPTIONS", "").is_empty());
}

/// H-conn-1, H-conn-2, H-upg-1, H-upg-2, H-exp-1
#[test]
fn hop_by_hop_fields_do_not_pass() {
    let head = head(
        &setup(),
        "Connection: close, X-One\r\nX-One: 1\r\nCONNECTION: keep-alive\r\nconnection: x-two, Upgrade, HTTP2-Settings\r\nX-Two: 2\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: abc\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nTrailer: x\r\nExpect: 100-continue\r\n",
    );
    for name in [
        "connection",
        "x-one",
        "x-two",
        "upgrade",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "expect",
    ] {
        assert!(values(&head, name).is_empty(), "{name}: {head}");
    }
}

/// H-conn-3, hazard 15: what we add cannot be named away.
#[test]
fn naming_our_fields_in_connection_does_not_remove_them() {
    let head = head(
        &setup(),
        "Connection: close, x-auth-subject, X-Auth-Client, host, content-length, x-forwarded-for, via, X-Request-ID, forwarded\r\n",
    );
    for name in [
        "host",
        "x-auth-subject",
        "x-auth-client",
        "x-auth-scope",
        "x-forwarded-for",
        "via",
        "x-request-id",
        "forwarded",
    ] {
        assert_eq!(values(&head, name).len(), 1, "{name}: {head}");
    }
}

/// IDH-1, IDH-2, IDH-4, hazards 11 to 14
#[test]
fn identity_fields_are_ours_alone() {
    let forged = "X-Auth-Subject: eve\r\nx_auth_subject: eve\r\nX.Auth.Subject: eve\r\nX-AUTH-ROLE: admin\r\n\
        Remote-User: eve\r\nX-Forwarded-User: eve\r\nX-SSL-Client-Cert: eve\r\n";
    let mut setup = setup();
    let with = head(&setup, forged);
    assert!(!with.contains("eve") && !with.contains("admin"));
    assert!(with.contains(std::str::from_utf8(IDENTITY).unwrap()));
    setup.identity = None;
    let without = head(&setup, forged);
    assert!(!without.contains("eve") && !without.to_lowercase().contains("x-auth-"));
}

/// PX-3, PX-4
#[test]
fn the_credential_that_was_consumed_does_not_pass() {
    let mut setup = setup();
    let fields = "Authorization: Basic abc\r\nProxy-Authorization: x\r\nDPoP: x\r\n";
    let stripped = head(&setup, fields);
    assert!(values(&stripped, "authorization").is_empty());
    setup.strip_authorization = false;
    let kept = head(&setup, fields);
    assert_eq!(values(&kept, "authorization"), ["Basic abc"]);
    assert!(values(&kept, "proxy-authorization").is_empty() && values(&kept, "dpop").is_empty());
}

/// FWD-1, hazard 16
#[test]
fn forwarding_fields_of_strangers_are_replaced() {
    let head = head(
        &setup(),
        "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n\
         X-Forwarded-Prefix: /x\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Original-URL: /admin\r\nX-Request-Id: evil\r\n",
    );
    assert_eq!(values(&head, "x-forwarded-for"), ["203.0.113.7"]);
    assert_eq!(values(&head, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&head, "x-forwarded-host"), ["api.example.com"]);
    assert_eq!(values(&head, "x-forwarded-port"), ["80"]);
    assert_eq!(values(&head, "forwarded"), ["for=203.0.113.7;proto=http;host=api.example.com"]);
    assert_eq!(values(&head, "x-request-id"), ["0af7651916cd43dd"]);
    for name in ["x-forwarded-prefix", "x-real-ip", "x-original-url"] {
        assert!(values(&head, name).is_empty(), "{name}");
    }
}

/// FWD-2
#[test]
fn forwarding_fields_of_trusted_peers_are_extended() {
    let mut setup = setup();
    setup.origin = crate::proxy::origin::Origin { address: Some([1, 2, 3, 4].into()), trusted: true, https: true };
    let said = head(
        &setup,
        "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 8443\r\n\
         Forwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-User: eve\r\n",
    );
    assert_eq!(values(&said, "x-forwarded-for"), ["9.9.9.9, 1.2.3.4, 203.0.113.7"]);
    assert_eq!(values(&said, "x-forwarded-proto"), ["https"]);
    assert_eq!(values(&said, "x-forwarded-host"), ["shop.example"]);
    assert_eq!(values(&said, "x-forwarded-port"), ["8443"]);
    assert_eq!(values(&said, "forwarded"), ["for=1.2.3.4, for=203.0.113.7;proto=https;host=api.example.com"]);
    assert_eq!(values(&said, "x-real-ip"), ["1.2.3.4"]);
    assert!(!said.contains("6.6.6.6") && !said.contains("eve"));

    let one = head(&setup, "X-Forwarded-For: 1.2.3.4\r\n");
    assert_eq!(values(&one, "forwarded"), ["for=1.2.3.4, for=203.0.113.7;proto=https;host=api.example.com"]);
    let other = head(&setup, "Forwarded: for=1.2.3.4\r\n");
    assert_eq!(values(&other, "x-forwarded-for"), ["1.2.3.4, 203.0.113.7"]);
}

/// FWD-3
#[test]
fn addresses_and_ports_are_quoted_where_they_must_be() {
    let mut setup = setup();
    setup.host.raw = "api.example.com:8080";
    let request = b"GET / HTTP/1.1\r\nHost: api.example.com:8080\r\n\r\n";
    let head = head_from(&setup, request, "[2001:db8::1]:4711").unwrap();
    assert_eq!(values(&head, "forwarded"), ["for=\"[2001:db8::1]\";proto=http;host=\"api.example.com:8080\""]);
    assert_eq!(values(&head, "x-forwarded-for"), ["2001:db8::1"]);
    assert_eq!(values(&head, "x-forwarded-port"), ["8080"]);
    let head = head_from(&setup, request, "unix").unwrap();
    assert!(values(&head, "x-forwarded-for").is_empty());
    assert_eq!(values(&head, "forwarded"), ["for=unknown;proto=http;host=\"api.example.com:8080\""]);
}

/// H-via
#[test]
fn a_request_that_comes_back_is_refused() {
    let (setup, name) = (setup(), &**super::PSEUDONYM);
    let said = head(&setup, "Via: 1.1 edge, HTTP/2 cdn (tollgate)\r\nVia: 1.0 tollgates\r\n");
    assert_eq!(values(&said, "via"), ["1.1 edge, HTTP/2 cdn (tollgate)", "1.0 tollgates", &format!("1.1 {name}")]);
    for via in [format!("1.1 {name}"), format!("1.0 edge, 1.1  {} (x)", name.to_uppercase())] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nVia: {via}\r\nConnection: via\r\n\r\n");
        assert_eq!(head_from(&setup, request.as_bytes(), "127.0.0.1:1"), Err(Looped), "{via}");
    }
    let old = head_from(&setup, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "127.0.0.1:1").unwrap();
    assert_eq!(values(&old, "via"), [format!("1.0 {name}")]);
}

#[test]
fn framing_is_made_anew() {
    let setup = setup();
    let with = |method: &str, fields: &str| {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let head = head_from(&setup, request.as_bytes(), "127.0.0.1:1").unwrap();
        let of = |name| values(&head, name).join("|");
        (of("content-length"), of("transfer-encoding"))
    };
    assert_eq!(with("POST", "Content-Length: 5\r\n"), ("5".to_owned(), String::new()));
    assert_eq!(with("POST", "Transfer-Encoding: Chunked\r\n"), (String::new(), "chunked".to_owned()));
    assert_eq!(with("POST", ""), ("0".to_owned(), String::new()));
    assert_eq!(with("DELETE", "Content-Length: 0\r\n"), ("0".to_owned(), String::new()));
    assert_eq!(with("GET", ""), (String::new(), String::new()));
}

/// Hazard 13: what the operator sets stands alone.
#[test]
fn edits_replace_and_remove() {
    let mut setup = setup();
    setup.action.request_headers = HeaderEdits {
        set: vec![
            ("x-tier".parse().unwrap(), "admin".parse().unwrap()),
            ("authorization".parse().unwrap(), "Basic internal".parse().unwrap()),
            ("x-auth-scope".parse().unwrap(), "all".parse().unwrap()),
            ("host".parse().unwrap(), "inner".parse().unwrap()),
            ("content-length".parse().unwrap(), "99".parse().unwrap()),
        ],
        remove: vec!["cookie".parse().unwrap(), "x-forwarded-port".parse().unwrap()],
    };
    setup.strip_authorization = false;
    let head = head(
        &setup,
        "X-TIER: eve\r\nx-tier: eve\r\nx.tier: eve\r\nCookie: a=1\r\nCOOKIE: b=2\r\nAuthorization: Basic eve\r\n",
    );
    assert!(!head.contains("eve"));
    assert_eq!(values(&head, "x-tier"), ["admin"]);
    assert_eq!(values(&head, "authorization"), ["Basic internal"]);
    assert_eq!((values(&head, "x-auth-scope"), values(&head, "x-auth-subject")), (vec!["all"], vec!["ada"]));
    assert_eq!(values(&head, "host"), ["inner"]);
    for name in ["cookie", "x-forwarded-port", "content-length"] {
        assert!(values(&head, name).is_empty(), "{name}");
    }
}

fn field_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "[-!#$%&'*+.^_`|~0-9A-Za-z]{1,80}",
        "[Xx][-_.][Aa][Uu][Tt][Hh][-_.][A-Za-z]{1,10}",
        proptest::sample::select(
            [
                "Connection",
                "Cookie",
                "Forwarded",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X-Request-ID",
                "Upgrade",
                "X-Auth-Subject",
                "x_auth_client",
                "Authorization",
                "Keep-Alive",
            ]
            .as_slice()
        )
        .prop_map(str::to_owned),
    ];
    (name, "[ !-~]{0,40}").prop_map(|(name, value)| format!("{name}: {value}\r\n"))
}

/// FWD-3: what is not wanted is not there, and the client's copy of it neither.
#[test]
fn the_fields_that_say_where_a_request_comes_from_may_be_chosen() {
    let said =
        "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n";
    let all = Parameters { node: true, proto: true, host: true };
    for trusted in [false, true] {
        for (x_forwarded, forwarded) in [(true, Some(all)), (true, None), (false, Some(all)), (false, None)] {
            let mut setup = setup();
            setup.origin.trusted = trusted;
            setup.provenance = Provenance { x_forwarded, forwarded };
            let head = head(&setup, said);
            for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"] {
                assert_eq!(values(&head, name).len(), usize::from(x_forwarded), "{name} in {head}");
            }
            assert_eq!(values(&head, "forwarded").len(), usize::from(forwarded.is_some()), "{head}");
        }
    }
}

/// FWD-3: also by parameter.
#[test]
fn the_parameters_of_forwarded_may_be_chosen() {
    for ((node, proto, host), element) in [
        ((true, true, true), "for=203.0.113.7;proto=http;host=api.example.com"),
        ((false, true, true), "proto=http;host=api.example.com"),
        ((true, false, false), "for=203.0.113.7"),
        ((false, false, true), "host=api.example.com"),
    ] {
        let mut setup = setup();
        setup.provenance.forwarded = Some(Parameters { node, proto, host });
        assert_eq!(values(&head(&setup, ""), "forwarded"), [element]);
        setup.origin.trusted = true;
        let extended = head(&setup, "Forwarded: for=192.0.2.1\r\n");
        assert_eq!(values(&extended, "forwarded"), [format!("for=192.0.2.1, {element}")]);
        setup.origin.trusted = false;
        setup.host.raw = "";
        let without_host = head(&setup, "");
        assert_eq!(values(&without_host, "forwarded").is_empty(), !node && !proto, "{without_host}");
    }
}

/// IDH-3, H-conn-1: a route may let names with underscores pass; `Connection` still takes them out.
#[test]
fn a_named_field_with_an_underscore_passes() {
    let mut setup = setup();
    setup.action.underscored = vec!["x_legacy_id".to_owned()];
    let passed = head(&setup, "X_Legacy_Id: 7\r\nx_other: 8\r\nX-Auth_User: eve\r\n");
    assert_eq!(values(&passed, "x_legacy_id"), ["7"]);
    assert!(!passed.contains("x_other") && !passed.contains("eve"), "{passed}");
    assert!(!head(&setup, "X_Legacy_Id: 7\r\nConnection: x_legacy_id\r\n").contains("X_Legacy_Id"));
}

proptest! {
    /// IDH-4, PX-4, SMUG: whatever fields arrive, the head that leaves has one reading.
    #[test]
    fn the_outgoing_head_has_one_reading(
        fields in proptest::collection::vec(field_line(), 0..20),
        body in proptest::sample::select(["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"].as_slice()),
        trusted in any::<bool>(),
        connection in "[-_ ,A-Za-z]{0,40}",
    ) {
        let request = format!("POST /notes HTTP/1.1\r\nHost: a\r\n{body}Connection: {connection}\r\n{}\r\n", fields.concat());
        let limits = Limits { head_size: 1 << 20, head_fields: 1000, ..Limits::default() };
        // What the message layer refuses never gets here.
        prop_assume!(matches!(RequestHead::default().parse(request.as_bytes(), &limits), Ok(Some(_))));
        let mut setup = setup();
        setup.origin.trusted = trusted;
        let Ok(out) = head_from(&setup, request.as_bytes(), "127.0.0.1:1") else { return Ok(()) };
        let mut parsed = RequestHead::default();
        prop_assert_eq!(parsed.parse(out.as_bytes(), &limits), Ok(Some(out.len())));
        let again = Request::new(&parsed, out.as_bytes());
        let count = |name: &str| again.fields().filter(|field| same_folded(field.name, name.as_bytes())).count();
        for name in ["host", "x-auth-subject", "x-auth-client", "x-auth-scope", "x-request-id", "x-forwarded-for", "forwarded"] {
            prop_assert_eq!(count(name), 1, "{} in {}", name, out);
        }
        prop_assert_eq!(count("content-length") + count("transfer-encoding"), 1);
        prop_assert_eq!(count("authorization") + count("connection") + count("upgrade"), 0);
        prop_assert_eq!(again.fields().filter(|field| field.name.to_ascii_lowercase().starts_with(b"x-auth")
            && !field.is("x-auth-subject") && !field.is("x-auth-client") && !field.is("x-auth-scope")
            && field.name.get(6) == Some(&b'-')).count(), 0);
    }
}
