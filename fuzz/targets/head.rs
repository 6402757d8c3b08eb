//! Heads of requests and responses (H-form, H-line, SMUG-1 to SMUG-8, SMUG-17, SMUG-19, SMUG-24): what is
//! accepted has one reading, which another reader shares, however the octets come in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use tollgate::http1::body::BodyLength;
use tollgate::http1::head::{Field, Request, RequestHead, Response, ResponseHead};
use tollgate::http1::{Limits, Version};
use tollgate::proxy::fields::{Fate, request_fate};

/// Bounds that inputs of this size reach.
const LIMITS: Limits = Limits {
    head_timeout: Duration::ZERO,
    body_timeout: Duration::ZERO,
    idle_timeout: Duration::ZERO,
    tunnel_idle_timeout: Duration::ZERO,
    head_size: 600,
    head_fields: 12,
    target_size: 200,
};

/// Fields on which the reading of a message depends, for one program or another.
const DECISIVE: [&str; 7] =
    ["connection", "content-length", "expect", "host", "proxy-connection", "transfer-encoding", "upgrade"];

fuzz_target!(|octets: &[u8]| {
    request(octets);
    for method in ["GET", "HEAD"] {
        response(octets, method);
    }
});

fn request(octets: &[u8]) {
    let mut head = RequestHead::default();
    let whole = head.parse(octets, &LIMITS);
    for step in steps(octets) {
        // One head for all of it: it remembers what it has looked at.
        let mut head = RequestHead::default();
        assert_eq!(in_pieces(octets, step, |known| head.parse(known, &LIMITS)), whole);
    }
    let Ok(Some(length)) = whole else { return };
    let text = &octets[..length];
    let request = Request::new(&head, text);
    assert!(request.method().len() <= 32 && is_name(request.method().as_bytes()));
    assert!(!request.target().is_empty() && request.target().len() <= LIMITS.target_size);
    assert!(request.target().iter().all(|octet| (0x21..=0x7e).contains(octet)));
    let fields: Vec<Field<'_>> = request.fields().collect();
    assert!(length <= LIMITS.head_size && fields.len() <= LIMITS.head_fields);
    let start = if text.starts_with(b"\r\n") { 2 } else { 0 };
    has_these_lines(&text[start..], &fields);
    let framing = Framing::of(&fields, request.version());
    let expected = match framing {
        Framing::Absent | Framing::Length(0) => BodyLength::None,
        Framing::Length(length) => BodyLength::Length(length),
        Framing::Chunked => BodyLength::Chunked,
    };
    assert_eq!(request.length(), expected);
    let hosts = named(&fields, "host");
    assert!(hosts.len() == 1 || (hosts.is_empty() && request.version() == Version::Http10));
    assert_eq!(request.host(), hosts.first().copied());
    assert_eq!(request.connection().collect::<Vec<_>>(), named(&fields, "connection"));
    for field in &fields {
        is_not_another_spelling(field.name);
    }
    httparse_agrees_on(&request, octets, length);
    survives_writing(&request);
}

fn response(octets: &[u8], method: &'static str) {
    let mut head = ResponseHead::default();
    let whole = head.parse(octets, method);
    for step in steps(octets) {
        let mut head = ResponseHead::default();
        assert_eq!(in_pieces(octets, step, |known| head.parse(known, method)), whole);
    }
    let Ok(Some(length)) = whole else { return };
    let text = &octets[..length];
    let response = Response::new(&head, text);
    let status = response.status();
    assert!((100..=999).contains(&status));
    assert!(is_text(response.reason()));
    let fields: Vec<Field<'_>> = response.fields().collect();
    has_these_lines(text, &fields);
    let framing = Framing::of(&fields, response.version());
    let expected = match framing {
        _ if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) => BodyLength::None,
        Framing::Absent => BodyLength::Close,
        Framing::Length(0) => BodyLength::None,
        Framing::Length(length) => BodyLength::Length(length),
        Framing::Chunked => BodyLength::Chunked,
    };
    assert_eq!(response.length(), expected);
    assert_eq!(response.connection().collect::<Vec<_>>(), named(&fields, "connection"));
    httparse_agrees_with(&response, octets, length);
    let mut again = format!("HTTP/1.{} {status} ", minor(response.version())).into_bytes();
    again.extend_from_slice(response.reason());
    write_fields(&fields, &mut again);
    let mut reread = ResponseHead::default();
    assert_eq!(reread.parse(&again, method), Ok(Some(again.len())));
    let reread = Response::new(&reread, &again);
    assert_eq!(reread.fields().collect::<Vec<_>>(), fields);
    assert_eq!((reread.status(), reread.reason(), reread.length()), (status, response.reason(), expected));
    assert_eq!((reread.version(), reread.persistent()), (response.version(), response.persistent()));
    assert_eq!(reread.announced_length(), response.announced_length());
}

/// Octet by octet, and in pieces of another size.
fn steps(octets: &[u8]) -> [usize; 2] {
    [1, 2 + octets.len() % 61]
}

/// What `parse` says of octets of which `step` more are known each time.
fn in_pieces<E>(
    octets: &[u8],
    step: usize,
    mut parse: impl FnMut(&[u8]) -> Result<Option<usize>, E>,
) -> Result<Option<usize>, E> {
    let mut known = 0;
    while known < octets.len() {
        known = octets.len().min(known + step);
        match parse(&octets[..known]) {
            Ok(None) => {}
            Ok(Some(length)) => {
                assert!(length <= known && known - length < step, "it was complete before");
                return Ok(Some(length));
            }
            refused => return refused,
        }
    }
    Ok(None)
}

/// Each line is one field, and nothing in the head can be taken for the end of another line.
fn has_these_lines(text: &[u8], fields: &[Field<'_>]) {
    let lines: Vec<&[u8]> = text.split(|octet| *octet == b'\n').collect();
    let (first, rest) = lines.split_first().expect("there is a first line");
    assert!(!first.is_empty() && rest.len() == fields.len() + 2, "{}", text.escape_ascii());
    assert!(rest[fields.len()] == b"\r" && rest[fields.len() + 1].is_empty());
    for line in &lines[..=fields.len()] {
        assert!(is_text(line.strip_suffix(b"\r").expect("a line ends in CRLF")), "{}", line.escape_ascii());
    }
    for (line, field) in rest.iter().zip(fields) {
        assert!(is_name(field.name), "{}", field.name.escape_ascii());
        let colon = line.iter().position(|octet| *octet == b':').expect("a field has a colon");
        assert_eq!(&line[..colon], field.name);
        // No octet but these two is white space, and the value has none of them around it.
        let value = String::from_utf8_lossy(&line[colon + 1..line.len() - 1]).into_owned();
        assert_eq!(value.trim_matches([' ', '\t']), String::from_utf8_lossy(field.value));
    }
}

/// What the fields say of the message's end.
enum Framing {
    Absent,
    Length(u64),
    Chunked,
}

impl Framing {
    /// One of the fields, once, in its one form; or none (RFC 9112 section 6).
    fn of(fields: &[Field<'_>], version: Version) -> Self {
        let (lengths, codings) = (named(fields, "content-length"), named(fields, "transfer-encoding"));
        match (&lengths[..], &codings[..]) {
            ([], []) => Self::Absent,
            ([length], []) => {
                let length = std::str::from_utf8(length).expect("a length is text");
                assert!(length.bytes().all(|digit| digit.is_ascii_digit()), "{length:?}");
                Self::Length(length.parse::<i64>().expect("it is in range").unsigned_abs())
            }
            ([], [coding]) => {
                assert!(coding.eq_ignore_ascii_case(b"chunked") && version != Version::Http10);
                Self::Chunked
            }
            _ => panic!("the message is framed more than once"),
        }
    }
}

fn named<'h>(fields: &[Field<'h>], name: &str) -> Vec<&'h [u8]> {
    let named = fields.iter().filter(|field| String::from_utf8_lossy(field.name).to_lowercase() == name);
    named.map(|field| field.value).collect()
}

/// IDH-3: what an upstream may take for a field that decides is not passed on under another name.
fn is_not_another_spelling(name: &[u8]) {
    let folded: String = name.iter().map(|&octet| char::from(octet).to_ascii_lowercase()).collect();
    let folded = folded.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    if DECISIVE.contains(&folded.as_str()) {
        let is_exact = name.eq_ignore_ascii_case(folded.as_bytes());
        let fate = request_fate(name);
        assert!(fate == Fate::Drop || (is_exact && fate == Fate::Ours), "{}", name.escape_ascii());
    }
}

fn httparse_agrees_on(request: &Request<'_>, octets: &[u8], length: usize) {
    let mut fields = [httparse::EMPTY_HEADER; LIMITS.head_fields];
    let mut other = httparse::Request::new(&mut fields);
    match other.parse(octets) {
        Ok(status) => assert_eq!(status, httparse::Status::Complete(length)),
        // Here later minor versions are 1.1.
        Err(httparse::Error::Version) if request.version() == Version::Http11 => return,
        Err(error) => panic!("{error}: {}", octets.escape_ascii()),
    }
    assert_eq!(other.method, Some(request.method()));
    assert_eq!(other.path.map(str::as_bytes), Some(request.target()));
    assert_eq!(other.version, Some(minor(request.version())));
    let same = other.headers.iter().map(|field| Field { name: field.name.as_bytes(), value: field.value });
    assert!(same.eq(request.fields()));
}

fn httparse_agrees_with(response: &Response<'_>, octets: &[u8], length: usize) {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut other = httparse::Response::new(&mut fields);
    match other.parse(octets) {
        Ok(status) => assert_eq!(status, httparse::Status::Complete(length)),
        Err(httparse::Error::Version) if response.version() == Version::Http11 => return,
        Err(error) => panic!("{error}: {}", octets.escape_ascii()),
    }
    assert_eq!(other.code, Some(response.status()));
    assert_eq!(other.version, Some(minor(response.version())));
    let same = other.headers.iter().map(|field| Field { name: field.name.as_bytes(), value: field.value });
    assert!(same.eq(response.fields()));
}

/// What is written of it is read as the same.
fn survives_writing(request: &Request<'_>) {
    let mut again = [request.method().as_bytes(), b" ", request.target(), b" "].concat();
    again.extend_from_slice(format!("HTTP/1.{}", minor(request.version())).as_bytes());
    write_fields(&request.fields().collect::<Vec<_>>(), &mut again);
    let mut head = RequestHead::default();
    assert_eq!(head.parse(&again, &Limits::default()), Ok(Some(again.len())));
    let reread = Request::new(&head, &again);
    assert!(reread.fields().eq(request.fields()));
    assert_eq!((reread.method(), reread.target()), (request.method(), request.target()));
    assert_eq!((reread.version(), reread.length()), (request.version(), request.length()));
    assert_eq!((reread.host(), reread.persistent()), (request.host(), request.persistent()));
    assert_eq!(reread.expects_continue(), request.expects_continue());
    assert_eq!(reread.other_expectation(), request.other_expectation());
}

/// Ends the first line, and writes the fields and the end of the head.
fn write_fields(fields: &[Field<'_>], out: &mut Vec<u8>) {
    for field in fields {
        out.extend_from_slice(&[b"\r\n", field.name, b": ", field.value].concat());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

fn minor(version: Version) -> u8 {
    u8::from(version != Version::Http10)
}

/// RFC 9110 section 5.6.2.
fn is_name(text: &[u8]) -> bool {
    let is_token = |octet: &u8| octet.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(octet);
    !text.is_empty() && text.iter().all(is_token)
}

/// RFC 9110 section 5.5.
fn is_text(text: &[u8]) -> bool {
    text.iter().all(|octet| *octet == b'\t' || !octet.is_ascii_control())
}
