//! Tests of the fates, name by name and for every spelling.

use super::*;
use proptest::prelude::*;

const IDENTITY: [&str; 26] = [
    "x-auth-subject",
    "x-auth-client",
    "x-auth-scope",
    "x-auth-anything",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-remote-user",
    "remote-user",
    "x-user-id",
    "x-user",
    "x-client-cert",
    "x-client-cert-chain",
    "client-cert",
    "client-cert-chain",
    "x-ssl-client-cert",
    "x-ssl-client-s-dn",
    "x-forwarded-client-cert",
    "ssl-client-verify",
    "remote-groups",
    "x-webauth-user",
    "x-authenticated-userid",
    "proxy-authorization",
    "dpop",
];

const FORWARDING: [&str; 11] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-real-ip",
    "x-original-host",
    "true-client-ip",
];

/// FWD-1
#[test]
fn forwarding_fields_pass_from_trusted_peers_only() {
    for name in FORWARDING {
        assert_eq!(request_fate(name.as_bytes()), Fate::Forwarding, "{name}");
        assert_eq!(request_fate(name.to_ascii_uppercase().as_bytes()), Fate::Forwarding, "{name}");
    }
}

/// IDH-2, hazards 11 and 12: from trusted peers as well.
#[test]
fn aliases_of_forwarding_fields_are_dropped() {
    for name in FORWARDING.iter().filter(|name| name.contains('-')) {
        for other in ["_", ".", "~", "!"] {
            let alias = name.replace('-', other);
            assert_eq!(request_fate(alias.as_bytes()), Fate::Drop, "{alias}");
        }
    }
}

/// Hazards 16 and 18: no program behind us is told another path or method, by a trusted peer's client either.
#[test]
fn fields_that_change_the_path_or_the_method_are_dropped() {
    for name in [
        "X-HTTP-Method-Override",
        "x-http-method",
        "X-Method-Override",
        "X_HTTP_Method_Override",
        "X-Rewrite-URL",
        "X-Override-URL",
        "X-Original-URL",
        "x-original-uri",
        "X-Original-Method",
    ] {
        assert_eq!(request_fate(name.as_bytes()), Fate::Drop, "{name}");
    }
}

/// H-conn-2
#[test]
fn hop_by_hop_fields_are_dropped() {
    for name in ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade", "HTTP2-Settings"]
    {
        assert_eq!(request_fate(name.as_bytes()), Fate::Drop, "{name}");
    }
}

/// H-fwd-1
#[test]
fn ordinary_and_unknown_fields_pass() {
    for name in [
        "Accept",
        "Cookie",
        "User-Agent",
        "traceparent",
        "X-Api-Key",
        "x-authority",
        "Content-Type",
        "Origin",
        "Sec-WebSocket-Key",
        "x-usage",
        "!strange~name",
        "",
    ] {
        assert_eq!(request_fate(name.as_bytes()), Fate::Pass, "{name}");
    }
}

/// R9700-4.13
#[test]
fn fields_that_the_gateway_makes_are_its_own() {
    for name in ["Host", "Authorization", "Content-Length", "Expect", "Via", "X-Request-Id"] {
        assert_eq!(request_fate(name.as_bytes()), Fate::Ours, "{name}");
    }
    for name in ["Content_Length", "content.length", "X_Request_Id"] {
        assert_eq!(request_fate(name.as_bytes()), Fate::Drop, "{name}");
    }
}

/// IDH-3, IDH-2
#[test]
fn only_a_name_without_a_meaning_may_keep_its_underscore() {
    for name in ["my_field", "X_Legacy_Id", "a_"] {
        assert!(may_keep_underscore(name.as_bytes()), "{name}");
    }
    let long = format!("x_auth_{}", "a".repeat(80));
    for name in ["my-field", "X_Auth_User", "x-auth_subject", "Content_Length", "X_Forwarded_For", "Remote_User", &long]
    {
        assert!(!may_keep_underscore(name.as_bytes()), "{name}");
    }
}

/// IDH-3
#[test]
fn other_names_with_an_underscore_are_dropped() {
    assert_eq!(request_fate(b"my_field"), Fate::Drop);
    assert_eq!(request_fate(format!("my_{}", "a".repeat(100)).as_bytes()), Fate::Drop);
}

/// IDH-1
#[test]
fn names_longer_than_any_known_one_are_judged_by_their_prefix() {
    let long = "a".repeat(100);
    for prefix in ["X-Auth-", "x_user_", "X.SSL.Client.", "X-Client-Cert-"] {
        assert_eq!(request_fate(format!("{prefix}{long}").as_bytes()), Fate::Drop, "{prefix}");
    }
    assert_eq!(request_fate(format!("X-Forwarded-{long}").as_bytes()), Fate::Forwarding);
    assert_eq!(request_fate(format!("X_Forwarded-{long}").as_bytes()), Fate::Drop);
    assert_eq!(request_fate(format!("X-Other-{long}").as_bytes()), Fate::Pass);
}

/// H-conn-1, hazard 15
#[test]
fn every_connection_line_is_read() {
    let lines: [&[u8]; 2] = [b"close, X-User", b"keep-alive ,foo,, FOO"];
    let named = Named::read(lines.into_iter());
    assert!(named.contains(b"x-user") && named.contains(b"Foo"));
    assert!(!named.contains(b"close") && !named.contains(b"bar"));
    assert!(Named::read([b"keep-alive".as_slice()].into_iter()).0.capacity() == 0, "the usual line costs nothing");
}

proptest! {
    /// IDH-1, IDH-2: whatever the case and whatever stands between the letters.
    #[test]
    fn any_spelling_of_an_identity_field_is_dropped(
        which in 0..IDENTITY.len(),
        upper in proptest::collection::vec(any::<bool>(), 40),
        marks in proptest::collection::vec(proptest::sample::select(b"-_.!#$%&'*+^`|~".as_slice()), 40),
    ) {
        let spelled: Vec<u8> = IDENTITY[which]
            .bytes()
            .zip(upper.iter().zip(&marks))
            .map(|(octet, (upper, mark))| match octet {
                b'-' => *mark,
                octet if *upper => octet.to_ascii_uppercase(),
                octet => octet,
            })
            .collect();
        prop_assert_eq!(request_fate(&spelled), Fate::Drop);
    }

    #[test]
    fn any_octets_have_a_fate(name in proptest::collection::vec(any::<u8>(), 0..200)) {
        request_fate(&name);
        response_fate(&name);
    }
}
