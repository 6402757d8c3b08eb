//! Tests of the origin, field by field.

use super::*;
use crate::http1::Limits;
use crate::http1::head::RequestHead;
use crate::http1::stream::Tls;
use proptest::prelude::*;

const PROXY: &str = "10.0.0.1:4711";

fn origin_of(proxies: &TrustedProxies, fields: &str, peer: &str) -> Origin {
    let octets = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let limits = Limits { head_size: 1 << 20, ..Limits::default() };
    let mut head = RequestHead::default();
    head.parse(octets.as_bytes(), &limits).unwrap().unwrap();
    let (tls, peer) = peer.strip_prefix("tls ").map_or((Tls::Unknown, peer), |peer| (Tls::Here, peer));
    let peer = peer.parse().map_or(Peer::Unix, |remote| Peer::Tcp { remote, local_port: 80, tls });
    proxies.origin(&Request::new(&head, octets.as_bytes()), &peer)
}

fn proxies() -> TrustedProxies {
    TrustedProxies {
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        unix: true,
        proxy_protocol: false,
        behind_tls: false,
    }
}

fn address(fields: &str) -> String {
    origin_of(&proxies(), fields, PROXY).address.map_or_else(String::new, |address| address.to_string())
}

/// FWD-2, FWD-5
#[test]
fn a_stranger_is_not_believed() {
    let said = "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4;proto=https\r\nX-Forwarded-Proto: https\r\n";
    let origin = origin_of(&proxies(), said, "192.0.2.1:1");
    assert_eq!(origin, Origin { address: Some([192, 0, 2, 1].into()), trusted: false, https: false });
    let nobody = TrustedProxies::default();
    assert!(!origin_of(&nobody, said, PROXY).trusted);
    assert_eq!(origin_of(&nobody, said, "unix"), Origin { address: None, trusted: false, https: false });
}

/// FWD-2
#[test]
fn a_list_is_read_from_the_right_past_trusted_hops() {
    for (fields, client) in [
        ("X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1, 10.2.2.2\r\n", "1.2.3.4"),
        ("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4,10.1.1.1\r\n", "1.2.3.4"),
        ("X-Forwarded-For: 10.3.3.3, 10.1.1.1\r\n", "10.3.3.3"),
        ("X-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"),
        ("X-Forwarded-For: [2001:db8::1]:80\r\n", "2001:db8::1"),
        ("X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4"),
        ("X-Forwarded-For: 1.2.3.4:99\r\n", "1.2.3.4"),
        ("Forwarded: for=6.6.6.6, for=1.2.3.4;proto=https, For=10.1.1.1;by=_x\r\n", "1.2.3.4"),
        ("Forwarded: for=\"[2001:db8::1]:4711\"; host=\"a,b;c\"\r\n", "2001:db8::1"),
        ("", "10.0.0.1"),
    ] {
        assert_eq!(address(fields), client, "{fields}");
    }
}

/// Hazard 17
#[test]
fn junk_says_nothing() {
    for fields in [
        "X-Forwarded-For: 1.2.3.4, unknown\r\n",
        "X-Forwarded-For: 1.2.3.4, junk, 10.1.1.1\r\n",
        "X-Forwarded-For: \"1.2.3.4\"\r\n",
        "X-Forwarded-For: 1.2.3.4,\r\n",
        "X-Forwarded-For:\r\n",
        "X-Forwarded-For: 1.2.3.256\r\n",
        "Forwarded: for=\"a,b\"\r\n",
        "Forwarded: for=_hidden\r\n",
        "Forwarded: for=unknown\r\n",
        "Forwarded: for=1.2.3.4;for=6.6.6.6\r\n",
        "Forwarded: for=\"1.2.3.4\r\n",
        "Forwarded: proto=https\r\n",
        "Forwarded: for = 1.2.3.4\r\n",
        "Forwarded: for=1.2.3.4 for=6.6.6.6\r\n",
        "Forwarded: ,for=1.2.3.4\r\n",
        "Forwarded: =1.2.3.4\r\n",
        // Two fields that do not agree.
        "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=6.6.6.6\r\n",
        "X-Forwarded-For: 1.2.3.4\r\nForwarded: junk\r\n",
    ] {
        assert_eq!(address(fields), "10.0.0.1", "{fields}");
    }
    assert_eq!(address("X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"), "1.2.3.4");
}

/// Hazard 17
#[test]
fn ten_thousand_entries_are_not_read_to_their_end() {
    let many = vec!["10.1.1.1"; 10_000].join(",");
    assert_eq!(address(&format!("X-Forwarded-For: 1.2.3.4,{many}\r\n")), "10.0.0.1");
    assert_eq!(address(&format!("X-Forwarded-For: {many},1.2.3.4\r\n")), "1.2.3.4");
    let many = vec!["for=10.1.1.1"; 10_000].join(",");
    assert_eq!(address(&format!("Forwarded: for=1.2.3.4,{many}\r\n")), "10.0.0.1");
}

/// FWD-5
#[test]
fn the_scheme_is_what_the_trusted_peer_says() {
    let https = |fields| origin_of(&proxies(), fields, PROXY).https;
    assert!(https("X-Forwarded-Proto: https\r\n"));
    assert!(https("X-Forwarded-Proto: http, HTTPS\r\n"));
    assert!(!https("X-Forwarded-Proto: https, http\r\n"));
    assert!(https("Forwarded: for=1.2.3.4;proto=https, for=10.1.1.1;proto=http\r\n"));
    assert!(!https("Forwarded: for=1.2.3.4;proto=https\r\nX-Forwarded-Proto: http\r\n"));
    assert!(!https(""));
    let behind = TrustedProxies { behind_tls: true, ..proxies() };
    assert!(origin_of(&behind, "", PROXY).https && origin_of(&behind, "", "192.0.2.1:1").https);
    assert!(!origin_of(&behind, "X-Forwarded-Proto: http\r\n", PROXY).https);
    let over_tls = |fields, peer| origin_of(&proxies(), fields, peer).https;
    assert!(over_tls("", "tls 10.0.0.1:1") && over_tls("", "tls 192.0.2.1:1"), "what the peer itself speaks");
    assert!(over_tls("X-Forwarded-Proto: http\r\n", "tls 192.0.2.1:1"), "a stranger is not believed");
    assert!(!over_tls("X-Forwarded-Proto: http\r\n", "tls 10.0.0.1:1"));
}

#[test]
fn a_trusted_unix_peer_says_who_the_client_is() {
    assert_eq!(origin_of(&proxies(), "X-Forwarded-For: 1.2.3.4\r\n", "unix").address, Some([1, 2, 3, 4].into()));
    assert_eq!(origin_of(&proxies(), "", "unix").address, None);
}

proptest! {
    #[test]
    fn any_value_is_read_without_harm(one in "[ -~]{0,80}", other in "[ -~]{0,80}") {
        let fields = format!("Forwarded: {one}\r\nX-Forwarded-For: {other}\r\n");
        let origin = origin_of(&proxies(), &fields, PROXY);
        prop_assert!(origin.trusted && origin.address.is_some());
    }

    /// What a client adds on the left never changes what the proxy says.
    #[test]
    fn entries_on_the_left_change_nothing(left in "[ !#-~]{0,80}") {
        prop_assert_eq!(address(&format!("X-Forwarded-For: {left}, 1.2.3.4, 10.1.1.1\r\n")), "1.2.3.4");
    }
}
