use super::*;
use crate::http1::head::RequestHead;
use proptest::prelude::*;

/// A field of protocol buffers that has a length.
fn field(tag: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    let mut length = content.as_ref().len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(content.as_ref());
    out
}

fn http(method: &[u8], path: &[u8], host: &[u8], fields: &[(&str, &[u8])]) -> HttpRequest {
    let mut message = [field(2, method), field(4, path), field(5, host)].concat();
    for (name, value) in fields {
        message.extend(field(3, [field(1, name), field(2, value)].concat()));
    }
    HttpRequest::decode(&message[..]).unwrap()
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn a_message_is_read_as_envoy_writes_it() {
    let address = field(1, field(1, field(1, [field(2, "203.0.113.9"), vec![3 << 3, 7]].concat())));
    let fields = field(3, [field(1, "authorization"), field(2, "Bearer a")].concat());
    let more = field(13, field(1, [field(1, "origin"), field(3, "https://b")].concat()));
    let request = field(2, [field(1, "id"), field(2, "GET"), field(4, "/a?b"), field(5, "c"), fields, more].concat());
    let message = field(1, [address, field(4, request), field(10, "unknown")].concat());
    let request = CheckRequest::decode(unframed(&frame(&message)).unwrap()).unwrap();
    assert_eq!(request.client(), Some([203, 0, 113, 9].into()));
    let http = request.http().unwrap();
    let read: Vec<_> = http.fields().collect();
    assert_eq!(read, [("authorization", &b"Bearer a"[..]), ("origin", b"https://b")]);
    let described = described(&http).unwrap();
    assert_eq!((&*described.method, &*described.target, &*described.host), ("GET", "/a?b", "c"));
}

#[test]
fn a_call_holds_one_message_that_is_not_compressed() {
    assert_eq!(unframed(&frame(b"abc")), Ok(&b"abc"[..]));
    assert_eq!(unframed(&frame(b"")), Ok(&b""[..]));
    let code = |content: &[u8]| unframed(content).unwrap_err().0;
    for torn in [&b""[..], &[0; 4], &frame(b"abc")[..7], &[frame(b"a"), frame(b"b")].concat(), &[2, 0, 0, 0, 0]] {
        assert_eq!(code(torn), Status::InvalidArgument, "{torn:?}");
    }
    assert_eq!(code(&[1, 0, 0, 0, 0]), Status::Unimplemented);
    assert_eq!(code(&[0, 0xff, 0xff, 0xff, 0xff]), Status::InvalidArgument);
}

/// SMUG-21, hazard 10
#[test]
fn a_description_that_could_be_read_in_another_way_is_refused() {
    let fine = http(b"GET", b"/a?b=c", b"h", &[("x", b"any\r\nthing")]);
    assert!(described(&fine).is_ok());
    for (method, path, host) in [
        (&b"GET"[..], &b"/a\r\nAuthorization: Bearer a"[..], &b"h"[..]),
        (b"GET", b"/a HTTP/1.1\n", b"h"),
        (b"GET /b", b"/a", b"h"),
        (b"GET", b"/a b", b"h"),
        (b"GET", b"/a\tb", b"h"),
        (b"GET", b"/a", b"h\r\nx: y"),
        (b"GET", b"/\xff", b"h"),
        (b"", b"/a", b"h"),
        (b"GET", b"", b"h"),
        (b"GET", b"/a\0", b"h"),
    ] {
        assert!(described(&http(method, path, host, &[])).is_err(), "{}", path.escape_ascii());
    }
    assert!(described(&http(b"GET", b"/a", b"h", &[("authorization", b"Bearer a\r\nx: y")])).is_err());
    for tag in [7, 8] {
        let message = [field(2, "GET"), field(4, "/a"), field(tag, "b")].concat();
        assert!(described(&HttpRequest::decode(&message[..]).unwrap()).is_err(), "{tag}");
    }
}

/// PX-18
#[test]
fn the_gateways_cookies_are_left_out() {
    let left = |value: &[u8]| cookies(&http(b"GET", b"/", b"", &[("cookie", value)]));
    assert_eq!(left(b"a=b; c=d"), None);
    assert_eq!(left(b"a=b; __Host-tollgate-session=x"), Some(b"a=b".to_vec()));
    assert_eq!(left(b"tollgate-browser=x"), Some(Vec::new()));
    assert_eq!(cookies(&http(b"GET", b"/", b"", &[])), None);
}

proptest! {
    /// SMUG-21: whatever a message holds, it describes one request or none.
    #[test]
    fn a_message_is_one_head(
        method in prop::collection::vec(any::<u8>(), 0..12),
        path in prop::collection::vec(any::<u8>(), 0..24),
        host in prop::collection::vec(any::<u8>(), 0..12),
        value in prop::collection::vec(any::<u8>(), 0..24),
    ) {
        let http = http(&method, &path, &host, &[("authorization", &value), ("x-other", &value)]);
        if let Ok(described) = described(&http) {
            let bytes = described.head(http.fields().filter(|(name, _)| LOOKED_AT.contains(name)));
            let mut head = RequestHead::default();
            if let Ok(parsed) = head.parse(&bytes, &Limits::default()) {
                prop_assert_eq!(parsed, Some(bytes.len()));
                let request = Request::new(&head, &bytes);
                prop_assert_eq!(request.method().as_bytes(), &method[..]);
                prop_assert_eq!(request.target(), &path[..]);
                prop_assert_eq!(request.fields().count(), 2);
            }
        }
    }

    /// No octets make it panic.
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        for content in [&octets[..], &frame(&octets)] {
            if let Ok(message) = unframed(content) {
                let _ = CheckRequest::decode(message).map(|request| (request.client(), request.http().map(|http| described(&http).is_ok())));
            }
        }
    }
}
