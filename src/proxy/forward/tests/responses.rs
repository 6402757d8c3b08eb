//! What a client gets of a response.

use super::fixture::{Script, Setup, read_all};
use crate::http1::exchange::Outcome;
use crate::proxy::forward::ForwardError;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const GET: &str = "GET /notes HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
const OLD_GET: &str = "GET /notes HTTP/1.0\r\nHost: api.example.com\r\n\r\n";
const HEAD: &str = "HEAD /notes HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Whether a second request goes over the same connection.
async fn reuses(response: &str, request: &str) -> bool {
    let script = Script::answering(response).await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    let _ = setup.send(&forwarder, request).await;
    let _ = setup.send(&forwarder, request).await;
    let got = script.got();
    got.len() == 2 && got[0].0 == got[1].0
}

#[tokio::test]
async fn a_response_with_a_length_passes_as_it_is() {
    let script = Script::answering("HTTP/1.1 201 Made it\r\nX-One: 1\r\nSet-Cookie: a=1\r\nX-Two: 2\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\nhello").await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    let forwarded = done.result.as_ref().unwrap();
    assert_eq!((forwarded.status, forwarded.outcome), (201, Outcome::Complete));
    assert_eq!((setup.progress.status.get(), setup.progress.sent.get()), (201, 5));
    assert!(
        done.received
            .starts_with("HTTP/1.1 201 Made it\r\nX-One: 1\r\nSet-Cookie: a=1\r\nX-Two: 2\r\nSet-Cookie: b=2\r\n")
    );
    assert_eq!(done.field("content-length"), ["5"]);
    assert_eq!(done.field("x-request-id"), ["0af7651916cd43dd"]);
    assert!(done.field("connection").is_empty());
    assert_eq!(done.content(), "hello");
}

/// H-body-2
#[tokio::test]
async fn chunks_are_framed_anew() {
    let script = Script::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\nX-Trailer: yes\r\n\r\n",
    )
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert_eq!(done.field("transfer-encoding"), ["chunked"]);
    assert!(done.content().ends_with("\r\n0\r\nX-Trailer: yes\r\n\r\n") && !done.content().contains(';'));
    assert!(done.result.is_ok());
    assert_eq!(setup.progress.sent.get(), 5);
}

/// H-body-2
#[tokio::test]
async fn chunks_become_a_response_that_ends_with_the_connection_for_http_1_0() {
    let script =
        Script::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), "GET /notes HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await;
    assert!(done.field("transfer-encoding").is_empty() && done.field("content-length").is_empty());
    assert_eq!((done.field("connection"), done.content()), (vec!["close"], "hello"));
    assert_eq!(done.result.unwrap().outcome, Outcome::Close);
}

/// H-close-1
#[tokio::test]
async fn http_1_0_ends_its_connection_unless_it_asks_otherwise() {
    let script = Script::answering(OK).await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    let done = setup.send(&forwarder, OLD_GET).await;
    assert_eq!((done.field("connection"), done.result.as_ref().unwrap().outcome), (vec!["close"], Outcome::Close));
    let done = setup.send(&forwarder, "GET /notes HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await;
    assert_eq!(done.field("connection"), ["keep-alive"]);
}

/// H-body-2
#[tokio::test]
async fn a_response_that_ends_with_its_connection_is_chunked() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write("HTTP/1.1 200 OK\r\n\r\nhello").await;
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert_eq!(done.field("transfer-encoding"), ["chunked"]);
    assert!(done.content().ends_with("0\r\n\r\n"));
    assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
}

/// H-body-3
#[tokio::test]
async fn an_upstream_that_ends_early_aborts_the_response() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        let script = Script::new(move |_, mut hand| async move {
            hand.request().await;
            hand.write(response).await;
        })
        .await;
        let setup = Setup::to(&[script.port]);
        let done = setup.send(&setup.forwarder(), GET).await;
        match done.result {
            Ok(forwarded) => assert_eq!(forwarded.outcome, Outcome::Abort, "{response}"),
            Err(error) => assert!(matches!(error, ForwardError::BadGateway(_)), "{response}: {error}"),
        }
        assert!(!done.received.ends_with("0\r\n\r\n"), "{response}");
    }
}

/// H-body-1
#[tokio::test]
async fn responses_without_content_have_none() {
    for (response, request, length) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HEAD, Some("5")),
        ("HTTP/1.1 200 OK\r\n\r\n", HEAD, None),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", GET, Some("5")),
        ("HTTP/1.1 304 Not Modified\r\n\r\n", GET, None),
        ("HTTP/1.1 204 No Content\r\n\r\n", GET, None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GET, Some("0")),
    ] {
        let script = Script::answering(response).await;
        let setup = Setup::to(&[script.port]);
        let done = setup.send(&setup.forwarder(), request).await;
        assert_eq!(done.field("content-length").first().copied(), length, "{response}");
        assert!(done.field("transfer-encoding").is_empty() && done.content().is_empty(), "{response}");
        assert!(reuses(response, request).await, "{response}");
    }
}

/// SMUG-20, SMUG-23
#[tokio::test]
async fn a_connection_is_reused_only_after_a_well_framed_response() {
    assert!(reuses(OK, GET).await);
    for (response, request) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", GET),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore", GET),
        ("HTTP/1.1 204 No Content\r\n\r\nhello", GET),
        ("HTTP/1.1 304 Not Modified\r\n\r\nhello", GET),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", HEAD),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", GET),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", GET),
    ] {
        assert!(!reuses(response, request).await, "{response}");
    }
}

/// SMUG-20
#[tokio::test]
async fn what_arrives_on_an_idle_connection_is_no_response() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write(OK).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        hand.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison").await;
        hand.request().await;
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    let _ = setup.send(&forwarder, GET).await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let done = setup.send(&forwarder, GET).await;
    assert_eq!(done.content(), "hello");
    assert_eq!(script.got().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1]);
}

/// SMUG-19, LIM-502
#[tokio::test]
async fn an_invalid_response_is_a_bad_gateway() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let script = Script::answering(response).await;
        let setup = Setup::to(&[script.port]);
        let done = setup.send(&setup.forwarder(), GET).await;
        assert!(matches!(done.result, Err(ForwardError::BadGateway(_))), "{response}: {done:?}");
        assert!(done.received.is_empty(), "{response}");
        assert_eq!(script.got().len(), 1, "never sent again: {response}");
    }
}

/// SMUG-22
#[tokio::test]
async fn a_protocol_switch_that_nobody_asked_for_is_a_bad_gateway() {
    let script =
        Script::answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            .await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
}

/// H-1xx
#[tokio::test]
async fn interim_responses_go_to_http_1_1_alone() {
    let response = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\n\r\n{OK}"
    );
    let script = Script::answering(response).await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(
        done.received.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{}",
        done.received
    );
    let done = setup.send(&setup.forwarder(), OLD_GET).await;
    assert!(done.received.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn endless_interim_responses_are_a_bad_gateway() {
    let script = Script::answering("HTTP/1.1 102 Processing\r\n\r\n".repeat(40)).await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
}

/// LIM-504
#[tokio::test]
async fn a_response_that_does_not_come_is_a_timeout() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write("HTTP/1.1 200 OK\r\nContent-").await;
        hand.request().await;
    })
    .await;
    let setup = Setup::to(&[script.port]).upstream(|upstream| upstream.response_timeout = Duration::from_millis(80));
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(matches!(done.result, Err(ForwardError::ResponseTimeout)), "{done:?}");
}

/// LIM-504: before the head an answer, after it an aborted message.
#[tokio::test]
async fn the_time_of_a_route_ends_a_response() {
    for (response, head) in [("", false), ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true)] {
        let script = Script::new(move |_, mut hand| async move {
            hand.request().await;
            hand.write(response).await;
            hand.request().await;
        })
        .await;
        let mut setup = Setup::to(&[script.port]);
        setup.action.timeout = Some(Duration::from_millis(80));
        let done = setup.send(&setup.forwarder(), GET).await;
        match done.result {
            Ok(forwarded) => assert!(head && forwarded.outcome == Outcome::Abort && setup.progress.sent.get() == 5),
            Err(error) => assert!(!head && matches!(error, ForwardError::ResponseTimeout), "{error}"),
        }
    }
}

/// H-body-4: a stream of events passes event by event.
#[tokio::test]
async fn content_passes_as_it_comes() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            hand.write("6\r\nevent\n\r\n").await;
        }
        hand.write("0\r\n\r\n").await;
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert_eq!(done.content(), "6\r\nevent\n\r\n6\r\nevent\n\r\n6\r\nevent\n\r\n0\r\n\r\n");
}

/// H-body-4
#[tokio::test]
async fn a_large_response_passes_whole() {
    let content = "0123456789abcdef".repeat(64 * 1024);
    for response in [
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len()),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{content}\r\n0\r\n\r\n", content.len()),
    ] {
        let script = Script::answering(response).await;
        let setup = Setup::to(&[script.port]);
        let done = setup.send(&setup.forwarder(), GET).await;
        let forwarded = done.result.as_ref().unwrap();
        assert_eq!((setup.progress.sent.get(), forwarded.outcome), (1024 * 1024, Outcome::Complete));
        assert!(done.content().len() >= content.len());
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_the_upstream_thinks() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        // Reading ends when the gateway gives up.
        hand.request().await;
        hand.note("given up");
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup
        .converse(&setup.forwarder(), GET, async |client| {
            drop(client);
            Vec::new()
        })
        .await;
    assert!(matches!(done.result, Err(ForwardError::ClientGone)), "{done:?}");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(script.got().last().unwrap().1, "given up");
}

/// A client may end its side and still wait for the response.
#[tokio::test]
async fn a_half_closed_client_gets_a_prompt_response() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        hand.write(OK).await;
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup
        .converse(&setup.forwarder(), GET, async |mut client| {
            client.shutdown().await.unwrap();
            read_all(client).await
        })
        .await;
    assert_eq!(done.content(), "hello");
}

#[tokio::test]
async fn a_connection_that_is_to_end_says_so() {
    let script = Script::answering(OK).await;
    let mut setup = Setup::to(&[script.port]);
    setup.closing = true;
    let done = setup.send(&setup.forwarder(), GET).await;
    assert_eq!((done.field("connection"), done.result.as_ref().unwrap().outcome), (vec!["close"], Outcome::Close));
}

/// A silent stream of events does not outlive its client.
#[tokio::test]
async fn a_client_that_leaves_a_silent_stream_is_noticed() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nevent\n\r\n").await;
        hand.request().await;
        hand.note("given up");
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup
        .converse(&setup.forwarder(), GET, async |mut client| {
            let mut received = Vec::new();
            client.read_buf(&mut received).await.unwrap();
            received
        })
        .await;
    assert_eq!(done.result.unwrap().outcome, Outcome::Abort);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(script.got().last().unwrap().1, "given up");
}

/// LIM-conn: a client that takes nothing does not hold its upstream for ever.
#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let script =
        Script::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n{}", "x".repeat(50_000_000)))
            .await;
    let mut setup = Setup::to(&[script.port]);
    setup.limits.body_timeout = Duration::from_millis(100);
    let (told, tell) = tokio::sync::oneshot::channel::<()>();
    let forwarder = setup.forwarder();
    let client = async |client: tokio::net::TcpStream| {
        let _ = tell.await;
        drop(client);
        Vec::new()
    };
    let watch = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let _ = told.send(());
    };
    let began = std::time::Instant::now();
    let (done, ()) = tokio::join!(setup.converse(&forwarder, GET, client), watch);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(done.result.unwrap().outcome, Outcome::Abort);
}

/// A message that fits is one write, either way.
#[tokio::test]
async fn a_small_message_is_one_piece() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ] {
        let script = Script::new(move |_, mut hand| async move {
            let mut request = Vec::with_capacity(65536);
            hand.stream.read_buf(&mut request).await.unwrap();
            hand.note(&String::from_utf8(request).unwrap());
            hand.write(response).await;
        })
        .await;
        let setup = Setup::to(&[script.port]);
        let request = "POST /notes HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 5\r\n\r\nhello";
        let done = setup
            .converse(&setup.forwarder(), request, async |mut client| {
                let mut received = Vec::with_capacity(65536);
                client.read_buf(&mut received).await.unwrap();
                received
            })
            .await;
        assert!(script.only().ends_with("\r\n\r\nhello"));
        assert!(done.content().ends_with(if response.contains("chunked") { "0\r\n\r\n" } else { "hello" }), "{done:?}");
    }
}
