//! Both ends of a connection against each other, and the translation of heads.

use super::client::Pool;
use super::server::{Arrival, Connection};
use super::{PREFACE_LINE, is_unprocessed};
use crate::http1::Limits;
use crate::http1::head::{Request, RequestHead};
use crate::http1::stream::Stream;
use http::HeaderMap;
use proptest::prelude::*;
use std::io;
use std::rc::Rc;
use tokio::net::UnixStream;

fn block_on<F: Future>(work: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build_local(tokio::runtime::LocalOptions::default()).unwrap().block_on(work)
}

/// A pool of connections whose other ends serve each stream with `handler`.
async fn served<F: Future<Output = ()> + 'static>(handler: impl Fn(Arrival) -> F + 'static) -> Rc<Pool> {
    let (client, server) = UnixStream::pair().unwrap();
    tokio::task::spawn_local(async move {
        let mut connection = Connection::open(Stream::Unix(server), Vec::new(), &Limits::default()).await.unwrap();
        while let Some(arrival) = connection.next(true).await {
            tokio::task::spawn_local(handler(arrival));
        }
    });
    let pool = Rc::new(Pool::default());
    drop(pool.connected(async { Ok(Stream::Unix(client)) }).await.unwrap());
    pool
}

async fn read_to(stream: &mut Stream, end: &[u8]) -> io::Result<String> {
    let mut got = Vec::with_capacity(1024);
    while !got.ends_with(end) {
        got.reserve(7);
        if stream.split().0.read(&mut got).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8(got).unwrap())
}

async fn write(stream: &mut Stream, octets: &str) -> io::Result<()> {
    stream.split().1.write_all(octets.as_bytes()).await
}

/// Sends `request`, answers with `answer` whatever ends with `end`; what the server and the client read.
fn conversation(
    request: &'static str,
    end: &'static str,
    answer: &'static str,
    answer_end: &'static str,
) -> (String, io::Result<String>) {
    block_on(async {
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::cell::Cell::new(Some(tell));
        let pool = served(move |mut arrival| {
            let tell = tell.take();
            async move {
                let got = read_to(&mut arrival.stream, end.as_bytes()).await.unwrap();
                let _ = write(&mut arrival.stream, answer).await;
                if let Some(tell) = tell {
                    tell.send(got).unwrap();
                }
            }
        })
        .await;
        let mut stream = pool.stream().unwrap();
        write(&mut stream, request).await.unwrap();
        let answered = read_to(&mut stream, answer_end.as_bytes()).await;
        (told.await.unwrap(), answered)
    })
}

#[test]
fn a_request_and_its_response_read_as_they_were_written() {
    let (seen, got) = conversation(
        "POST /a?b=c HTTP/1.1\r\nhost: api.example\r\ncontent-length: 5\r\nx-a: 1\r\nx-a: 2\r\n\r\nhello",
        "hello",
        "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nconnection: close\r\n\r\nok",
        "ok",
    );
    assert_eq!(seen, "POST /a?b=c HTTP/1.1\r\nhost: api.example\r\ncontent-length: 5\r\nx-a: 1\r\nx-a: 2\r\n\r\nhello");
    assert_eq!(
        got.unwrap(),
        "HTTP/1.1 201 Created\r\ncontent-length: 2\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\nok"
    );
}

/// H-trl-1, H-te-1, PX-17
#[test]
fn chunks_trailers_and_te_pass_both_ways() {
    let (seen, got) = conversation(
        "POST /echo.Echo/Say HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nx-check: 7\r\n\r\n",
        "x-check: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/grpc\r\n\r\n\
         3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n",
        "grpc-status: 0\r\n\r\n",
    );
    assert_eq!(
        seen,
        "POST /echo.Echo/Say HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nx-check: 7\r\n\r\n"
    );
    assert_eq!(
        got.unwrap(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/grpc\r\n\r\n\
         3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n"
    );
}

/// H-1xx
#[test]
fn interim_responses_come_before_the_final_one() {
    let (_, got) = conversation(
        "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "204 No Content\r\n\r\n",
    );
    assert_eq!(got.unwrap(), "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
}

/// H-body-3
#[test]
fn a_response_that_breaks_off_never_looks_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 200 OK\r\n",
        "",
    ] {
        let (_, got) = conversation("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n\r\n", answer, "never");
        assert!(got.is_err(), "{answer}: {got:?}");
    }
}

/// H-body-4
#[test]
fn what_is_not_read_is_not_taken() {
    block_on(async {
        let pool = served(|arrival| async move {
            std::future::pending::<()>().await;
            drop(arrival);
        })
        .await;
        let mut stream = pool.stream().unwrap();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 1 << 30);
        stream.split().1.write_all(head.as_bytes()).await.unwrap();
        let mut taken = 0;
        let piece = vec![0; 4096];
        while tokio::time::timeout(std::time::Duration::from_millis(200), stream.split().1.write_all(&piece))
            .await
            .is_ok()
        {
            taken += piece.len();
        }
        assert!((64 * 1024..512 * 1024).contains(&taken), "{taken}");
    });
}

/// H-retry: what was certainly not looked at may be sent again, whatever it is; nothing else.
#[test]
fn a_lost_connection_is_told_from_a_refused_request() {
    block_on(async {
        let pool = served(|mut arrival| async move {
            read_to(&mut arrival.stream, b"\r\n\r\n").await.unwrap();
        })
        .await;
        let mut stream = pool.stream().unwrap();
        write(&mut stream, "POST / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let error = read_to(&mut stream, b"never").await.unwrap_err();
        assert!(!is_unprocessed(&error), "{error}");

        let (client, server) = UnixStream::pair().unwrap();
        let lost = Pool::default();
        let mut stream = lost.connected(async { Ok(Stream::Unix(client)) }).await.unwrap();
        drop(server);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let error = write(&mut stream, "POST / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap_err();
        assert!(is_unprocessed(&error), "{error}");
        assert!(lost.stream().is_none());
        assert!(lost.is_empty());
    });
}

#[test]
fn the_preface_is_no_request_of_http_1() {
    let refused = RequestHead::default().parse(PREFACE_LINE, &Limits::default());
    assert_eq!(refused, Err(crate::http1::head::HeadError::Version));
}

/// RFC 8441, H2-4
#[test]
fn an_extended_connect_is_an_upgrade_in_http_1() {
    let text = head(tunnel("websocket"), false).unwrap();
    assert!(text.starts_with("GET /chat HTTP/1.1\r\nhost: a.example\r\n"), "{text}");
    for line in ["upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-version: 13\r\n"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("sec-websocket-key: ") && !text.contains("transfer-encoding"), "{text}");
    assert!(head(tunnel("connect-udp"), false).is_err());
    let mut with_key = tunnel("websocket");
    with_key.headers_mut().insert("sec-websocket-key", "x".parse().unwrap());
    assert!(head(with_key, false).is_err());
}

fn tunnel(protocol: &'static str) -> http::Request<()> {
    let builder = http::Request::builder().method("CONNECT").uri("https://a.example/chat");
    builder.extension(h2::ext::Protocol::from_static(protocol)).body(()).unwrap()
}

fn head(request: http::Request<()>, ended: bool) -> Result<String, crate::http1::head::HeadError> {
    super::server::request::head(&request.into_parts().0, ended).map(|head| String::from_utf8(head).unwrap())
}

/// H2-1, H2-2, H2-3, SMUG-18
#[test]
fn a_head_that_could_be_read_in_two_ways_is_refused() {
    let refused = |name: &str, value: &str, ended: bool| {
        let request = http::Request::builder().uri("http://a.example/x").header(name, value).body(()).unwrap();
        head(request, ended).is_err()
    };
    assert!(!refused("host", "A.example", true));
    for (name, value) in [
        ("host", "b.example"),
        ("host", ""),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("transfer-encoding", "chunked"),
        ("connection", "x-a"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("http2-settings", "AAMAAABk"),
        ("x-a", " edge"),
        ("x-a", "edge\t"),
        ("content-length", "7"),
    ] {
        assert!(refused(name, value, true), "{name}: {value}");
    }
    assert!(!refused("content-length", "7", false));
}

#[test]
fn cookies_are_one_field() {
    let builder = http::Request::builder().uri("http://a/").header("cookie", "a=1").header("cookie", "b=2; c=3");
    assert!(head(builder.body(()).unwrap(), true).unwrap().contains("\r\ncookie: a=1; b=2; c=3\r\n"));
}

prop_compose! {
    fn any_request()(
        method in "[A-Z!a-z]{1,12}",
        path in "/[ -~]{0,20}",
        authority in proptest::option::of("[a-z.:@0-9]{1,12}"),
        fields in proptest::collection::vec((
            prop_oneof!["[a-z!_-]{1,12}", Just("host".to_owned()), Just("cookie".to_owned()), Just("te".to_owned()),
                Just("content-length".to_owned()), Just("connection".to_owned())],
            "[ -~\t\u{80}-\u{ff}]{0,16}",
        ), 0..6),
        ended: bool,
    ) -> Option<(http::Request<()>, bool)> {
        let uri = match authority {
            Some(authority) => format!("http://{authority}{path}"),
            None => path,
        };
        let mut builder = http::Request::builder().method(&*method).uri(uri);
        for (name, value) in fields {
            builder = builder.header(name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        Some((builder.body(()).ok()?, ended))
    }
}

proptest! {
    /// H2-2, PATH-16: what is parsed says what came, or the request is refused.
    #[test]
    fn any_head_says_the_same_in_http_1(request in any_request()) {
        let Some((request, ended)) = request else { return Ok(()) };
        let (parts, ()) = request.into_parts();
        let Ok(octets) = super::server::request::head(&parts, ended) else { return Ok(()) };
        let mut parsed = RequestHead::default();
        let Ok(length) = parsed.parse(&octets, &Limits::default()) else { return Ok(()) };
        prop_assert_eq!(length, Some(octets.len()));
        let request = Request::new(&parsed, &octets);
        prop_assert_eq!(request.method(), parts.method.as_str());
        prop_assert_eq!(request.target(), parts.uri.path_and_query().unwrap().as_str().as_bytes());
        if let Some(authority) = parts.uri.authority() {
            prop_assert_eq!(request.host().unwrap(), authority.as_str().as_bytes());
        }
        let mut fields = HeaderMap::new();
        for field in request.fields() {
            let name = http::HeaderName::from_bytes(field.name).unwrap();
            fields.append(name, http::HeaderValue::from_bytes(field.value).unwrap());
        }
        for name in parts.headers.keys().filter(|name| !["host", "cookie"].contains(&name.as_str())) {
            let (left, right): (Vec<_>, Vec<_>) =
                (fields.get_all(name).iter().collect(), parts.headers.get_all(name).iter().collect());
            prop_assert_eq!(left, right);
        }
        prop_assert!(request.length() != crate::http1::body::BodyLength::None || ended || request.values("content-length").count() == 1);
    }
}
