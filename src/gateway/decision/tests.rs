use super::*;

fn head(described: &Described, request: &Request<'_>) -> Vec<u8> {
    described.head(LOOKED_AT.iter().flat_map(|name| request.values(name).map(move |value| (*name, value))))
}
use proptest::prelude::*;

fn with<T>(fields: &str, look: impl FnOnce(&Request<'_>) -> T) -> T {
    let bytes = format!("GET /oauth2/auth HTTP/1.1\r\nHost: inner.example\r\n{fields}\r\n");
    let mut head = RequestHead::default();
    let length = head.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
    look(&Request::new(&head, &bytes.as_bytes()[..length]))
}

fn described(fields: &str) -> Result<Described, &'static str> {
    with(fields, Described::read)
}

fn is(method: &str, target: &str, host: &str) -> Described {
    Described { method: method.to_owned(), target: target.to_owned(), host: host.to_owned() }
}

/// PX-20
#[test]
fn each_proxy_describes_in_its_own_fields() {
    let nginx = "X-Original-URI: /a?b=c\r\nX-Original-Method: POST\r\n";
    assert_eq!(described(nginx).unwrap(), is("POST", "/a?b=c", "inner.example"));
    let ingress = "X-Original-URL: https://api.example:8443/a?b=c\r\nX-Original-Method: PUT\r\n";
    assert_eq!(described(ingress).unwrap(), is("PUT", "/a?b=c", "api.example:8443"));
    let traefik = "X-Forwarded-Method: GET\r\nX-Forwarded-Host: Api.Example\r\nX-Forwarded-Uri: /a\r\n";
    assert_eq!(described(traefik).unwrap(), is("GET", "/a", "api.example"));
    let whole = "X-Original-URI: http://Api.Example/a?b\r\nX-Forwarded-Host: api.example\r\nX-Original-Method: GET\r\n";
    assert_eq!(described(whole).unwrap(), is("GET", "/a?b", "api.example"));
    let all = "X-Original-URL: http://api.example\r\nX-Forwarded-Uri: /\r\nX-Original-Method: GET\r\n";
    assert_eq!(described(all).unwrap(), is("GET", "/", "api.example"));
}

/// PX-20, hazard 16: a field that the proxy does not set is the client's.
#[test]
fn what_contradicts_itself_is_refused() {
    for fields in [
        "X-Original-URI: /a\r\nX-Forwarded-Uri: /b\r\nX-Original-Method: GET\r\n",
        "X-Original-URI: /a\r\nX-Original-URL: http://a.example/b\r\nX-Original-Method: GET\r\n",
        "X-Original-URI: /a\r\nX-Original-URI: /a\r\nX-Original-Method: GET\r\n",
        "X-Original-URI: /a\r\nX-Original-Method: GET\r\nX-Forwarded-Method: POST\r\n",
        "X-Original-URI: /a\r\nX-Original-Method: GET\r\nX-Original-Method: GET\r\n",
        "X-Original-URL: http://a.example/a\r\nX-Forwarded-Host: b.example\r\nX-Original-Method: GET\r\n",
        "X-Original-URI: http://a.example/a\r\nX-Forwarded-Host: b.example\r\nX-Original-Method: GET\r\n",
        "X-Forwarded-Uri: HTTPS://a.example/a\r\nX-Forwarded-Host: b.example\r\nX-Original-Method: GET\r\n",
        "X-Original-URI: http://a.example/a\r\nX-Forwarded-Uri: http://b.example/a\r\nX-Original-Method: GET\r\n",
        "X-Original-Method: GET\r\n",
        "X-Original-URI: /a\r\n",
        "X-Original-URI:\r\nX-Original-Method: GET\r\n",
        "X-Original-URI: /ä\r\nX-Original-Method: G\u{e4}T\r\nX-Forwarded-Method: GET\r\n",
        "",
    ] {
        assert!(described(fields).is_err(), "{fields}");
    }
}

#[test]
fn the_fields_that_a_decision_looks_at_go_along_and_no_others() {
    let fields = "X-Original-URI: /a\r\nX-Original-Method: GET\r\nAuthorization: Bearer a\r\nOrigin: https://b\r\n\
                  Cookie: c\r\nExpect: 100-continue\r\nContent-Length: 5\r\nAuthorization: Basic d\r\n";
    let head = with(fields, |request| head(&Described::read(request).unwrap(), request));
    assert_eq!(
        String::from_utf8(head).unwrap(),
        "GET /a HTTP/1.1\r\nhost: inner.example\r\nauthorization: Bearer a\r\nauthorization: Basic d\r\n\
         origin: https://b\r\n\r\n"
    );
}

#[test]
fn parameters_that_are_left_out_are_named_as_they_are_written() {
    for (query, rest, names) in [
        ("", "", &[][..]),
        ("a=1&b", "a=1&b", &[]),
        ("access_token=t", "", &["access_token"]),
        ("a=1&access%5Ftoken=t&b&access_token=u", "a=1&b", &["access%5Ftoken", "access_token"]),
        ("x=t&x=t&y", "y", &["x", "x"]),
    ] {
        assert_eq!(left_out(query, rest), names, "{query}");
    }
}

proptest! {
    /// SMUG-21: whatever a field holds, it describes one request or none: nothing of it becomes a field,
    /// a second request or another method.
    #[test]
    fn a_description_is_one_head(method in "[ -~]{0,12}", target in "[ -~\t]{0,24}", host in "[ -~]{0,12}") {
        let fields = format!("X-Original-Method: {method}\r\nX-Original-URI: {target}\r\nX-Forwarded-Host: {host}\r\n");
        let read = with(&fields, |request| Described::read(request).map(|described| (head(&described, request), described)));
        if let Ok((bytes, described)) = read {
            let mut head = RequestHead::default();
            if let Ok(parsed) = head.parse(&bytes, &Limits::default()) {
                prop_assert_eq!(parsed, Some(bytes.len()));
                let request = Request::new(&head, &bytes);
                prop_assert_eq!(request.method(), &described.method);
                prop_assert_eq!(request.target(), described.target.as_bytes());
                prop_assert_eq!(request.fields().count(), 1);
            }
        }
    }
}
