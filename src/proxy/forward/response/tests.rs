//! Tests of the head that a client gets, by the octets.

use super::*;
use crate::http1::Limits;
use crate::http1::head::{RequestHead, ResponseHead};
use crate::proxy::forward::tests::fixture::{Setup, values};
use crate::proxy::route::HeaderEdits;

/// The head for the client of an upstream's response with these fields.
fn head(setup: &Setup, fields: &str) -> String {
    let octets = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    let mut parsed = ResponseHead::default();
    parsed.parse(octets.as_bytes(), "GET").unwrap().unwrap();
    let response = Response::new(&parsed, octets.as_bytes());
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut request_head = RequestHead::default();
    request_head.parse(request, &Limits::default()).unwrap();
    let plan = setup.plan();
    let request = Request::new(&request_head, request);
    let mut out = Vec::new();
    let _ =
        Answer { plan: &plan, request, identified: setup.identity.is_some(), persist: true }.write(&response, &mut out);
    String::from_utf8(out).unwrap()
}

fn setup() -> Setup {
    Setup::to(&[9000])
}

/// PX-9
#[test]
fn what_one_bearer_may_see_is_private() {
    for (said, passed) in [
        ("", "private"),
        ("Cache-Control: public, max-age=60\r\n", "private, max-age=60"),
        ("Cache-Control: max-age=60\r\nCache-Control: S-MaxAge=9\r\n", "private, max-age=60"),
        ("Cache-Control: PUBLIC\r\n", "private"),
        ("Cache-Control: private, public\r\n", "private"),
        ("Cache-Control: no-cache=\"a, public\", s-maxage=9\r\n", "private, no-cache=\"a, public\""),
        ("Cache-Control: x=\"a, public\r\n", "private, x=\"a"),
        ("Cache-Control: must-revalidate, max-age=9\r\n", "private, must-revalidate, max-age=9"),
        ("Cache-Control: no-store, must-revalidate\r\n", "no-store, must-revalidate"),
        ("Cache-Control: max-age=60\r\n", "max-age=60"),
        ("Cache-Control: private\r\n", "private"),
    ] {
        assert_eq!(values(&head(&setup(), said), "cache-control"), [passed], "{said}");
    }
}

/// PX-9
#[test]
fn a_response_to_a_bearer_varies_with_authorization() {
    for (said, passed) in [
        ("", vec!["Authorization"]),
        ("Vary: Accept, Origin\r\nVary: Cookie\r\n", vec!["Accept, Origin, Cookie, Authorization"]),
        ("Vary: *\r\n", vec!["*"]),
        ("Vary: authorization, Accept\r\n", vec!["authorization, Accept"]),
    ] {
        assert_eq!(values(&head(&setup(), said), "vary"), passed, "{said}");
    }
}

#[test]
fn what_anybody_may_see_stays_as_it_is() {
    let mut setup = setup();
    setup.identity = None;
    let passed = head(&setup, "Cache-Control: public, s-maxage=60\r\nVary: Accept\r\nCDN-Cache-Control: max-age=9\r\n");
    assert_eq!(values(&passed, "cache-control"), ["public, s-maxage=60"]);
    assert_eq!((values(&passed, "vary"), values(&passed, "cdn-cache-control")), (vec!["Accept"], vec!["max-age=9"]));
    assert!(values(&head(&setup, ""), "cache-control").is_empty());
}

/// PX-9: caches that have a field of their own are not told otherwise.
#[test]
fn fields_for_certain_caches_do_not_undo_it() {
    let passed = head(
        &setup(),
        "Cloudflare-CDN-Cache-Control: max-age=9\r\nSurrogate-Control: max-age=9\r\nX-Accel-Expires: 9\r\n",
    );
    assert!(!passed.contains("max-age") && !passed.contains("Accel"));
}

/// R6750-2.3b
#[test]
fn a_token_in_the_query_makes_the_response_private() {
    let mut setup = setup();
    setup.token_in_query = true;
    setup.strip_authorization = false;
    for (said, passed) in [
        ("", "private"),
        ("Cache-Control: public\r\n", "private"),
        ("Cache-Control: max-age=60\r\n", "private, max-age=60"),
        ("Cache-Control: private=\"x\"\r\n", "private"),
        ("Cache-Control: no-store\r\n", "private, no-store"),
        ("Cache-Control: max-age=9, private\r\n", "max-age=9, private"),
    ] {
        assert_eq!(values(&head(&setup, said), "cache-control"), [passed], "{said}");
    }
}

/// H-conn-1, H-conn-2
#[test]
fn hop_by_hop_fields_of_a_response_do_not_pass() {
    let passed = head(
        &setup(),
        "Connection: X-One, x-two\r\nX-One: 1\r\nconnection: keep-alive\r\nX-TWO: 2\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n\
         Proxy-Authenticate: Basic\r\nTrailer: x\r\nProxy-Connection: x\r\nX-Request-Id: theirs\r\nWWW-Authenticate: Basic\r\n",
    );
    for name in
        ["connection", "x-one", "x-two", "keep-alive", "upgrade", "proxy-authenticate", "trailer", "proxy-connection"]
    {
        assert!(values(&passed, name).is_empty(), "{name}");
    }
    assert_eq!(values(&passed, "x-request-id"), ["0af7651916cd43dd"]);
    assert_eq!(values(&passed, "www-authenticate"), ["Basic"], "PX-16");
}

/// H-date
#[test]
fn a_date_is_added_where_there_is_none() {
    assert_eq!(
        values(&head(&setup(), "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"), "date"),
        ["Tue, 15 Nov 1994 08:12:31 GMT"]
    );
    assert_eq!(values(&head(&setup(), ""), "date").len(), 1);
    assert_eq!(values(&head(&setup(), "Date: x\r\nConnection: date\r\n"), "date").len(), 1);
}

#[test]
fn edits_of_a_response_replace_and_remove() {
    let mut setup = setup();
    setup.action.response_headers = HeaderEdits {
        set: vec![
            ("strict-transport-security".parse().unwrap(), "max-age=9".parse().unwrap()),
            ("cache-control".parse().unwrap(), "public".parse().unwrap()),
        ],
        remove: vec!["server".parse().unwrap()],
    };
    let passed = head(
        &setup,
        "Server: x/1.2\r\nSERVER: y\r\nStrict-Transport-Security: max-age=1\r\nCache-Control: no-store\r\n",
    );
    assert!(values(&passed, "server").is_empty());
    assert_eq!(values(&passed, "strict-transport-security"), ["max-age=9"]);
    assert_eq!(values(&passed, "cache-control"), ["public"], "the route opts in");
}
