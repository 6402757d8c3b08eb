//! Heads of requests and responses: what is read, and every row that is refused.

use super::*;
use proptest::prelude::*;

fn parse(text: &[u8]) -> Result<Option<usize>, HeadError> {
    RequestHead::default().parse(text, &Limits::default())
}

/// The verdict on a request with these lines behind the request line and a Host.
fn lines(lines: &str) -> Result<BodyLength, HeadError> {
    let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut head = RequestHead::default();
    head.parse(text.as_bytes(), &Limits::default())?;
    Ok(Request::new(&head, text.as_bytes()).length())
}

fn is_malformed(result: &Result<BodyLength, HeadError>) -> bool {
    matches!(result, Err(HeadError::Malformed(_)))
}

#[test]
fn a_request_is_taken_apart_without_being_changed() {
    let text = b"\r\nGET /a?b=%20 HTTP/1.1\r\nHost:  a.example \r\nX-A: 1\r\nx-a:\t2\t \r\nEmpty:\r\n\r\nrest";
    let mut head = RequestHead::default();
    assert_eq!(head.parse(text, &Limits::default()), Ok(Some(text.len() - 4)));
    let request = Request::new(&head, text);
    assert_eq!((request.method(), request.target()), ("GET", &b"/a?b=%20"[..]));
    assert_eq!(request.host(), Some(&b"a.example"[..]));
    assert_eq!(request.values("x-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(request.values("empty").collect::<Vec<_>>(), [b""]);
    assert_eq!(request.fields().count(), 4);
    assert!(request.persistent() && request.length() == BodyLength::None);
}

/// SMUG-1 to SMUG-7, SMUG-17
#[test]
fn a_length_that_can_be_read_in_two_ways_is_refused() {
    let both =
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: CHUNKED\r\nCONTENT-LENGTH: 5\r\n"];
    let lengths = [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 0o5\r\n",
        "Content-Length: 1_0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5a\r\n",
        "Content-Length: \u{664}\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 99999999999999999999\r\n",
    ];
    let codings = [
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Transfer-Encoding: chunked;x=y\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer_Encoding: chunked\r\n",
        "Content_Length: 5\r\n",
        "Content-Length\t: 5\r\n",
        " Content-Length: 5\r\n",
    ];
    for text in both.iter().chain(&lengths).chain(&codings) {
        assert!(is_malformed(&lines(text)), "{text:?}: {:?}", lines(text));
    }
    for text in ["Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: xchunked\r\n"] {
        assert!(matches!(lines(text), Err(HeadError::NotImplemented(_))), "{text:?}");
    }
    assert_eq!(lines("Transfer-Encoding: \t chunked \t\r\n"), Ok(BodyLength::Chunked));
    assert_eq!(lines("Content-Length: 007\r\n"), Ok(BodyLength::Length(7)));
    assert_eq!(lines("Content-Length: 0\r\n"), Ok(BodyLength::None));
}

/// SMUG-8, H-host-1
#[test]
fn versions_have_their_own_rules() {
    assert!(parse(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    assert!(parse(b"GET / HTTP/1.0\r\n\r\n").is_ok());
    assert!(parse(b"GET / HTTP/1.1\r\n\r\n").is_err());
    assert!(parse(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").is_err());
    assert!(parse(b"GET / HTTP/1.9\r\nHost: a\r\n\r\n").is_ok());
    assert_eq!(parse(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Err(HeadError::Version));
    for version in ["http/1.1", "HTTP/1", "HTTP/11", "HTTP/1.1x", "HTTP/ 1.1", "HTTP/1,1", "HTTP/x.1"] {
        let text = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert!(matches!(parse(text.as_bytes()), Err(HeadError::Malformed(_))), "{version}");
    }
}

/// H-form, H-line-1, H-line-1b, H-line-2, H-line-3
#[test]
fn lines_have_one_form() {
    let bad: &[&[u8]] = &[
        b"GET /\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
        b" GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx y: 1\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for text in bad {
        assert!(matches!(parse(text), Err(HeadError::Malformed(_))), "{:?}", String::from_utf8_lossy(text));
    }
}

/// LIM-414, LIM-431, LIM-501
#[test]
fn every_limit_has_its_own_error() {
    let long = |count| "a".repeat(count);
    let head = |target: &str, lines: &str| format!("GET /{target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    assert_eq!(parse(head(&long(16 * 1024), "").as_bytes()), Err(HeadError::TargetTooLong));
    assert!(parse(head(&long(8000), "").as_bytes()).is_ok());
    assert_eq!(parse(long(40_000).as_bytes()), Err(HeadError::TargetTooLong));
    assert_eq!(parse(head("", &format!("x: {}\r\n", long(40_000))).as_bytes()), Err(HeadError::TooLarge));
    assert_eq!(parse(&head("", &format!("x: {}", long(40_000))).as_bytes()[..39_000]), Err(HeadError::TooLarge));
    assert_eq!(parse(head("", &"x: 1\r\n".repeat(100)).as_bytes()), Err(HeadError::TooLarge));
    assert!(parse(head("", &"x: 1\r\n".repeat(99)).as_bytes()).is_ok());
    let method = format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", long(33));
    assert!(matches!(parse(method.as_bytes()), Err(HeadError::NotImplemented(_))));
}

/// SMUG-24
#[test]
fn what_is_too_long_is_refused_in_one_way_however_it_comes() {
    let long = "a b c ".repeat(10_000);
    for text in [format!("{long}\r\n\r\n"), format!("GET / HTTP/1.1\r\n{long}\n\r\n"), format!("{long}\n")] {
        let whole = parse(text.as_bytes());
        for step in [1000, 1 << 15, (1 << 15) + 1] {
            let mut head = RequestHead::default();
            let mut known = (step..text.len()).step_by(step).chain([text.len()]);
            let pieces = known.find_map(|end| head.parse(&text.as_bytes()[..end], &Limits::default()).err());
            assert_eq!(pieces.map(Err), Some(whole), "{step}");
        }
    }
}

/// H-close-1, H-exp-1, H-exp-2
#[test]
fn the_connection_and_expectations_are_read_over_all_lines() {
    let facts = |text: &str| {
        let mut head = RequestHead::default();
        head.parse(text.as_bytes(), &Limits::default()).unwrap();
        let request = Request::new(&head, text.as_bytes());
        (request.persistent(), request.expects_continue(), request.other_expectation())
    };
    assert_eq!(
        facts("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: y , CLOSE\r\n\r\n"),
        (false, false, false)
    );
    assert_eq!(facts("GET / HTTP/1.0\r\n\r\n"), (false, false, false));
    assert_eq!(facts("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), (true, false, false));
    let expecting = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n";
    assert_eq!(facts(expecting), (true, true, false));
    assert_eq!(facts("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n"), (true, false, true));
    assert_eq!(facts("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n"), (false, false, false));
}

/// SMUG-19
#[test]
fn a_response_that_can_be_read_in_two_ways_is_refused() {
    let bad: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"nonsense",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    for text in bad {
        assert!(ResponseHead::default().parse(text, "GET").is_err(), "{:?}", String::from_utf8_lossy(text));
    }
}

/// H-body-1, H-body-2
#[test]
fn a_response_has_a_body_where_the_rules_say_so() {
    let length = |text: &str, method: &str| {
        let mut head = ResponseHead::default();
        head.parse(text.as_bytes(), method).unwrap();
        let response = Response::new(&head, text.as_bytes());
        (response.status(), response.length(), response.announced_length())
    };
    assert_eq!(length("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET"), (200, BodyLength::Length(5), Some(5)));
    assert_eq!(length("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD"), (200, BodyLength::None, Some(5)));
    assert_eq!(length("HTTP/1.1 304\r\nContent-Length: 5\r\n\r\n", "GET"), (304, BodyLength::None, Some(5)));
    assert_eq!(length("HTTP/1.1 204 No Content\r\n\r\n", "GET"), (204, BodyLength::None, None));
    assert_eq!(length("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", "GET"), (200, BodyLength::Chunked, None));
    assert_eq!(length("HTTP/1.0 200 OK\r\n\r\n", "GET"), (200, BodyLength::Close, None));
}

proptest! {
    /// SMUG-24
    #[test]
    fn segmentation_never_changes_the_result(
        middle in "[ -~\r\n]{0,40}", host in "(Host: a\r\n)?", end in "(\r\n)?", step in 1usize..12
    ) {
        let text = format!("GET / HTTP/1.1\r\n{host}{middle}\r\n{end}");
        let whole = parse(text.as_bytes());
        let mut head = RequestHead::default();
        let mut pieces = Ok(None);
        let mut here = 0;
        while here < text.len() && pieces == Ok(None) {
            here = (here + step).min(text.len());
            pieces = head.parse(&text.as_bytes()[..here], &Limits::default());
        }
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn arbitrary_octets_never_panic(octets: Vec<u8>) {
        let _ = parse(&octets);
        let _ = ResponseHead::default().parse(&octets, "GET");
        let _ = ResponseHead::default().parse(&[b"HTTP/1.1 ".as_slice(), &octets].concat(), "GET");
    }
}
