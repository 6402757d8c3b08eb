//! Bodies that wait for `100 Continue`.

use super::fixture::{Done, Script, Setup, read_all, values};
use crate::http1::exchange::Outcome;
use crate::proxy::forward::ForwardError;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const WAITING: &str = "POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
const CHUNKED: &str = "PUT /notes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n";

/// A client that waits for the upstream's word, and sends `body` when that is to continue.
async fn waiting(mut client: TcpStream, body: &str) -> Vec<u8> {
    let mut received = vec![0; CONTINUE.len()];
    client.read_exact(&mut received).await.unwrap();
    if received == CONTINUE.as_bytes() {
        client.write_all(body.as_bytes()).await.unwrap();
    }
    received.extend(read_all(client).await);
    received
}

/// An upstream that says `word` to a head, and then takes the rest of a request.
async fn saying(word: &'static str) -> Script {
    Script::new(move |_, mut hand| async move {
        let head = hand.head().await;
        hand.note(&head);
        hand.write(word).await;
        let mut rest = vec![0; 1024];
        while let Ok(count @ 1..) = hand.stream.read(&mut rest).await {
            let text = String::from_utf8_lossy(&rest[..count]).into_owned();
            hand.note(&text);
            if text.ends_with("hello") || text.ends_with("0\r\n\r\n") {
                hand.write(OK).await;
            }
        }
    })
    .await
}

fn texts(script: &Script) -> Vec<String> {
    script.got().into_iter().map(|(_, text)| text).collect()
}

/// H-exp-1, H-1xx: the upstream is asked, its word is the client's, and there is one of it.
#[tokio::test]
async fn the_upstream_says_that_the_body_may_come() {
    for (request, body, word) in [
        (WAITING, "hello", CONTINUE),
        (CHUNKED, "5\r\nhello\r\n0\r\n\r\n", CONTINUE),
        (WAITING, "hello", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Again\r\n\r\n"),
    ] {
        let script = saying(word).await;
        let setup = Setup::to(&[script.port]);
        let began = Instant::now();
        let done = setup.converse(&setup.forwarder(), request, async |client| waiting(client, body).await).await;
        assert!(began.elapsed() < Duration::from_millis(900), "nothing is waited for");
        let response = done.received.strip_prefix(CONTINUE).expect("the upstream's word");
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("ok"), "{response}");
        assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
        let got = texts(&script);
        assert_eq!(values(&got[0], "expect"), ["100-continue"]);
        assert!(got[0].ends_with("\r\n\r\n"), "the head alone");
        assert_eq!(got[1..].concat(), body);
    }
}

/// H-exp-1, SMUG-14: no body, no 100, and nothing of either connection serves another request.
#[tokio::test]
async fn a_final_status_needs_no_body() {
    for word in [
        "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    ] {
        for request in [WAITING, CHUNKED] {
            let script = saying(word).await;
            let setup = Setup::to(&[script.port]);
            let forwarder = setup.forwarder();
            let done = setup.converse(&forwarder, request, async |client| waiting(client, "hello").await).await;
            assert_eq!(done.received[..12], word[..12], "{done:?}");
            assert_eq!((done.field("connection"), done.content().contains("no")), (vec!["close"], true));
            assert_eq!(done.result.unwrap().outcome, Outcome::Close);
            assert_eq!(texts(&script).len(), 1, "the head alone");
            assert!(forwarder.upstreams[0].1.nodes().iter().all(|node| node.idle() == 0));
        }
    }
}

/// H-exp-1, RFC 9110 section 10.1.1: an upstream that does not know the expectation is not waited for.
#[tokio::test]
async fn silence_means_that_the_body_may_come() {
    for (timeout, least) in [(Duration::from_secs(5), 900), (Duration::from_millis(800), 350)] {
        let script = Script::answering(OK).await;
        let setup = Setup::to(&[script.port]).upstream(|upstream| upstream.response_timeout = timeout);
        let began = Instant::now();
        let done = setup.converse(&setup.forwarder(), WAITING, async |client| waiting(client, "hello").await).await;
        assert!(began.elapsed() >= Duration::from_millis(least), "{:?}", began.elapsed());
        assert!(done.received.starts_with(&format!("{CONTINUE}HTTP/1.1 200 OK\r\n")), "{done:?}");
        assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
        assert!(script.only().ends_with("\r\n\r\nhello"));
    }
}

/// SMUG-14: whoever does not wait is not made to, and is not told to go on.
#[tokio::test]
async fn a_body_that_comes_all_the_same_passes_at_once() {
    for (already, later) in [("hello", ""), ("hel", "lo"), ("", "hello")] {
        let script = Script::answering(OK).await;
        let setup = Setup::to(&[script.port]);
        let began = Instant::now();
        let done = setup
            .converse(&setup.forwarder(), &format!("{WAITING}{already}"), async |mut client| {
                tokio::time::sleep(Duration::from_millis(20)).await;
                client.write_all(later.as_bytes()).await.unwrap();
                read_all(client).await
            })
            .await;
        assert!(began.elapsed() < Duration::from_millis(900), "nothing is waited for");
        let request = script.only();
        assert_eq!(values(&request, "expect").len(), usize::from(already.is_empty()), "{request}");
        assert!(request.ends_with("\r\n\r\nhello"));
        let told = already == "hel";
        assert_eq!(done.received.starts_with(CONTINUE), told, "{done:?}");
        assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
    }
}

/// H-exp-1: no upstream, no question.
#[tokio::test]
async fn nobody_is_told_to_continue_while_there_is_no_upstream() {
    let port = { tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port() };
    let setup = Setup::to(&[port]);
    let done = setup.send(&setup.forwarder(), WAITING).await;
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
    assert!(done.received.is_empty());
}

/// H-exp-1: an expectation of HTTP/1.0 is none.
#[tokio::test]
async fn an_expectation_of_http_1_0_is_ignored() {
    let script = saying(CONTINUE).await;
    let setup = Setup::to(&[script.port]);
    let request = "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let done = setup
        .converse(&setup.forwarder(), request, async |mut client| {
            client.write_all(b"hello").await.unwrap();
            read_all(client).await
        })
        .await;
    assert!(done.received.starts_with("HTTP/1.1 200 OK\r\n"), "{done:?}");
    assert!(values(&texts(&script)[0], "expect").is_empty());
}

/// H-exp-1: who has been told already does not wait any more, and the operator's word on the field counts.
#[tokio::test]
async fn the_field_can_be_removed() {
    let script = saying("").await;
    let mut setup = Setup::to(&[script.port]);
    setup.action.request_headers.remove = vec![http::header::EXPECT];
    let began = Instant::now();
    let done = setup.converse(&setup.forwarder(), WAITING, async |client| waiting(client, "hello").await).await;
    assert!(done.received.starts_with(CONTINUE) && done.result.is_ok(), "{:?}", done.received);
    assert!(began.elapsed() < Duration::from_millis(900), "the gateway says it at once");
    assert!(values(&texts(&script)[0], "expect").is_empty());
}

/// One answer over connection 0, after which it ends as soon as the next head has come.
async fn ending(then: &'static str) -> Script {
    Script::new(move |number, mut hand| async move {
        if number == 0 {
            let _ = hand.request().await;
            hand.write(OK).await;
            let head = hand.head().await;
            hand.note(&head);
            hand.write(then).await;
        } else {
            let _ = hand.request().await;
            hand.write(OK).await;
        }
    })
    .await
}

async fn over_a_used_connection(script: &Script, client: impl AsyncFnOnce(TcpStream) -> Vec<u8>) -> Done {
    let setup = Setup::to(&[script.port]).upstream(|upstream| upstream.retries = 0);
    let forwarder = setup.forwarder();
    let _ = setup.send(&forwarder, "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n").await;
    setup.converse(&forwarder, WAITING, client).await
}

/// H-retry: a dead idle connection costs nobody a request whose body has not been sent.
#[tokio::test]
async fn a_waiting_request_over_a_stale_connection_is_sent_again() {
    let script = ending("").await;
    let done = over_a_used_connection(&script, async |client| waiting(client, "hello").await).await;
    assert!(done.received.starts_with(&format!("{CONTINUE}HTTP/1.1 200 OK\r\n")), "{done:?}");
    let numbers: Vec<usize> = script.got().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, 0, 1]);
}

/// H-retry: an upstream that has said something has the request.
#[tokio::test]
async fn a_request_is_not_sent_again_after_the_upstream_has_spoken() {
    let script = ending(CONTINUE).await;
    let done = over_a_used_connection(&script, async |client| read_all(client).await).await;
    assert_eq!(done.received, CONTINUE);
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))), "{:?}", done.result);
    assert!(script.got().iter().all(|(number, _)| *number == 0));
}

/// Whoever leaves while waiting is not waited for.
#[tokio::test]
async fn a_client_that_leaves_while_it_waits_ends_the_exchange() {
    let script = saying("").await;
    let setup = Setup::to(&[script.port]);
    let began = Instant::now();
    let done = setup.converse(&setup.forwarder(), WAITING, async |client| drop_now(client)).await;
    assert!(matches!(done.result, Err(ForwardError::BadBody(_) | ForwardError::ClientGone)), "{:?}", done.result);
    assert!(began.elapsed() < Duration::from_millis(900));
}

fn drop_now(client: TcpStream) -> Vec<u8> {
    drop(client);
    Vec::new()
}
