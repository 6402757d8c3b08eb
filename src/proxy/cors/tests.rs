//! Origins, and what is said to them.

use super::*;
use proptest::prelude::*;

fn cors(origins: Origins, credentials: bool) -> Cors {
    Cors::new(origins, credentials, &["GET", "HEAD"], Duration::from_mins(10)).unwrap()
}

fn app() -> Cors {
    let below = OriginPattern::below("https://", ".example.com:8443");
    cors(Origins::Of(vec![OriginPattern::exact("https://app.example.com"), below]), true)
}

fn said(fields: impl Iterator<Item = (&'static str, impl AsRef<[u8]>)>) -> Vec<String> {
    fields.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_ref()))).collect()
}

fn response(cors: &Cors, origins: &[&str]) -> Vec<String> {
    said(cors.response(origins.iter().map(|origin| origin.as_bytes())))
}

/// PX-11
#[test]
fn a_named_origin_may_read_the_response() {
    let lines = response(&app(), &["https://app.example.com"]);
    assert_eq!(lines[0], "access-control-allow-origin: https://app.example.com");
    assert_eq!(
        lines[1],
        "access-control-expose-headers: www-authenticate, ratelimit, ratelimit-policy, retry-after, x-request-id"
    );
    assert_eq!(lines[2..], ["access-control-allow-credentials: true", "vary: Origin"]);
}

#[test]
fn another_origin_is_told_nothing_but_that_it_matters() {
    for origins in [
        vec!["https://evil.example"],
        vec!["https://app.example.com.evil.example"],
        vec!["https://app.example.com:443"],
        vec!["http://app.example.com"],
        vec!["HTTPS://app.example.com"],
        vec!["https://app.example.com/"],
        vec!["null"],
        vec![""],
        vec![],
        vec!["https://app.example.com", "https://app.example.com"],
        vec!["https://evil.example", "https://app.example.com"],
        vec!["https://app.example.com https://evil.example"],
        vec!["https://.example.com:8443"],
        vec!["https://a.b.example.com:8443"],
        vec!["https://evil.example/.example.com:8443"],
        vec!["https://evil@x.example.com:8443"],
        vec!["https://x.example.com"],
        vec!["https://xexample.com:8443"],
    ] {
        assert_eq!(response(&app(), &origins), ["vary: Origin"], "{origins:?}");
        assert!(app().preflight(origins.iter().map(|origin| origin.as_bytes())).is_none(), "{origins:?}");
    }
}

#[test]
fn an_origin_one_label_below_a_named_parent_is_allowed() {
    assert!(app().names(b"https://x-1.example.com:8443") && app().names(b"https://x_1.example.com:8443"));
}

#[test]
fn everybody_is_allowed_without_credentials_alone() {
    assert_eq!(Cors::new(Origins::Any, true, &[], Duration::ZERO), None);
    let any = cors(Origins::Any, false);
    for origins in [&["https://a.example"][..], &[], &["null"]] {
        let lines = response(&any, origins);
        assert_eq!((lines[0].as_str(), lines.len()), ("access-control-allow-origin: *", 2));
    }
    assert!(!any.names(b"https://a.example"), "it admits nobody to an MCP server");
}

/// PX-10, MCP-14
#[test]
fn a_preflight_is_told_everything_that_is_allowed() {
    let mut cors = app().with_headers(&["x-tier".parse().unwrap(), "authorization".parse().unwrap()]);
    cors.serve_mcp();
    let lines = said(cors.preflight([b"https://app.example.com".as_slice()].into_iter()).unwrap());
    assert_eq!(
        lines,
        [
            "access-control-allow-origin: https://app.example.com",
            "access-control-allow-credentials: true",
            "access-control-allow-methods: GET, HEAD",
            "access-control-allow-headers: accept, accept-language, authorization, content-language, content-type, \
             if-match, if-modified-since, if-none-match, if-unmodified-since, range, x-requested-with, x-tier, \
             mcp-session-id, mcp-protocol-version, last-event-id",
            "access-control-max-age: 600",
            "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        ]
    );
    assert!(
        response(&cors, &["https://app.example.com"])[1]
            .ends_with("x-request-id, mcp-session-id, mcp-protocol-version")
    );
}

#[test]
fn the_fields_of_the_upstream_are_known_in_every_spelling_of_case() {
    assert!(is_ours(b"Access-Control-Allow-Origin") && is_ours(b"access-control-max-age"));
    assert!(!is_ours(b"access-control") && !is_ours(b"accept") && !is_ours(b"x-access-control-allow-origin"));
}

proptest! {
    #[test]
    fn any_origin_is_judged_as_a_whole(start in "(https?://)?[a-z./:@ ]{0,12}", middle in ".{0,8}", end in "[a-z./:@]{0,8}") {
        let origin = format!("{start}{middle}{end}");
        let named = app().names(origin.as_bytes());
        let label = origin.strip_prefix("https://").and_then(|rest| rest.strip_suffix(".example.com:8443"));
        let is_label = label.is_some_and(|label| !label.is_empty() && !label.contains(['.', '/', ':', '@', ' ']));
        prop_assert!(!named || is_label || origin == "https://app.example.com");
    }

    #[test]
    fn a_label_of_letters_is_below_its_parent(label in "[a-z0-9_-]{1,63}") {
        let origin = format!("https://{label}.example.com:8443");
        prop_assert!(app().names(origin.as_bytes()));
    }

    #[test]
    fn octets_of_any_kind_are_no_trouble(origin in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(!app().names(&origin));
    }
}
