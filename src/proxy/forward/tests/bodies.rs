//! The request's body on its way to the upstream.

use super::fixture::{Script, Setup, read_all, values};
use crate::http1::exchange::Outcome;
use crate::proxy::forward::{Body, ForwardError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn post(fields: &str, body: &str) -> String {
    format!("POST /notes HTTP/1.1\r\nHost: api.example.com\r\n{fields}\r\n{body}")
}

#[tokio::test]
async fn a_body_that_is_already_here_goes_along() {
    for (fields, body) in
        [("Content-Length: 5\r\n", "hello"), ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")]
    {
        let script = Script::answering(OK).await;
        let setup = Setup::to(&[script.port]);
        let done = setup.send(&setup.forwarder(), &post(fields, body)).await;
        assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
        let request = script.only();
        assert_eq!(request.split_once("\r\n\r\n").unwrap().1, body);
        assert_eq!(values(&request, "content-length").len() + values(&request, "transfer-encoding").len(), 1);
    }
}

/// H-body-4
#[tokio::test]
async fn a_body_is_passed_on_as_it_comes() {
    for (fields, rest, content) in [
        ("Content-Length: 11\r\n", vec!["lo ", "wor", "ld"], "hello world"),
        (
            "Transfer-Encoding: chunked\r\n",
            vec!["4;x\r\n wor\r\n", "2\r\nld\r\n0\r\nX-Auth-Subject: eve\r\n\r\n"],
            "hello world",
        ),
    ] {
        let script = Script::answering(OK).await;
        let setup = Setup::to(&[script.port]);
        let first = if fields.starts_with('C') { "hel" } else { "5\r\nhello\r\n" };
        let done = setup
            .converse(&setup.forwarder(), &post(fields, first), async |mut client| {
                for piece in rest {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    client.write_all(piece.as_bytes()).await.unwrap();
                }
                read_all(client).await
            })
            .await;
        assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
        let request = script.only();
        let body = request.split_once("\r\n\r\n").unwrap().1;
        if fields.starts_with('C') {
            assert_eq!(body, content);
        } else {
            assert_eq!(
                body, "5\r\nhello\r\n4\r\n wor\r\n2\r\nld\r\n0\r\n\r\n",
                "framed anew, without extensions and forged trailers"
            );
        }
    }
}

/// PX-4: a form without its token.
#[tokio::test]
async fn a_body_that_was_read_replaces_what_came() {
    let script = Script::answering(OK).await;
    let mut setup = Setup::to(&[script.port]);
    setup.body = Body::Whole(b"note=milk");
    // What the client sent has been read by the gateway; its length is not ours.
    let done = setup.send(&setup.forwarder(), &post("Content-Length: 0\r\n", "")).await;
    assert!(done.result.is_ok());
    let request = script.only();
    assert_eq!(values(&request, "content-length"), ["9"]);
    assert!(request.ends_with("\r\n\r\nnote=milk"));
}

/// A body whose start the gateway has looked at goes out whole, and counts whole.
#[tokio::test]
async fn what_was_read_of_a_body_stands_in_front_of_the_rest() {
    for (fields, first, rest, body) in [
        ("Content-Length: 11\r\n", "hello", " world", "hello world"),
        (
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n",
            "6\r\n world\r\n0\r\n\r\n",
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        ),
    ] {
        let script = Script::answering(OK).await;
        let mut setup = Setup::to(&[script.port]);
        setup.body = Body::Started(b"hello");
        for (limit, passes) in [(11, true), (10, false)] {
            setup.action.body_limit = Some(limit);
            let done = setup
                .converse(&setup.forwarder(), &post(fields, first), async |mut client| {
                    client.write_all(rest.as_bytes()).await.unwrap();
                    read_all(client).await
                })
                .await;
            assert_eq!(done.result.is_ok(), passes, "{fields}: {done:?}");
        }
        let got = script.got();
        assert_eq!(got[0].1.split_once("\r\n\r\n").unwrap().1, body);
        assert!(got.iter().skip(1).all(|(_, request)| request.starts_with("BROKEN OFF")), "{got:?}");
    }
}

/// LIM-413: by the length at once, by count while streaming, and the upstream sees no whole message.
#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let script = Script::answering(OK).await;
    let mut setup = Setup::to(&[script.port]);
    setup.action.body_limit = Some(4);
    let done = setup.send(&setup.forwarder(), &post("Content-Length: 5\r\n", "hello")).await;
    assert!(matches!(done.result, Err(ForwardError::BodyTooLarge)));
    let done = setup.send(&setup.forwarder(), &post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")).await;
    assert!(matches!(done.result, Err(ForwardError::BodyTooLarge)));
    assert!(script.got().is_empty());
    let done = setup
        .converse(&setup.forwarder(), &post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n"), async |mut client| {
            client.write_all(b"3\r\nllo\r\n0\r\n\r\n").await.unwrap();
            read_all(client).await
        })
        .await;
    assert!(matches!(done.result, Err(ForwardError::BodyTooLarge)));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(script.got().iter().all(|(_, request)| request.starts_with("BROKEN OFF")));
}

/// SMUG-9, SMUG-10
#[tokio::test]
async fn a_malformed_body_never_looks_complete() {
    for (fields, rest) in [
        ("Transfer-Encoding: chunked\r\n", "zz\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\nabXX0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\na"),
        ("Content-Length: 10\r\n", "short"),
    ] {
        let script = Script::answering(OK).await;
        let setup = Setup::to(&[script.port]);
        let done = setup
            .converse(&setup.forwarder(), &post(fields, ""), async |mut client| {
                tokio::time::sleep(Duration::from_millis(10)).await;
                client.write_all(rest.as_bytes()).await.unwrap();
                client.shutdown().await.unwrap();
                read_all(client).await
            })
            .await;
        assert!(matches!(done.result, Err(ForwardError::BadBody(_))), "{rest}: {done:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(script.only().starts_with("BROKEN OFF"), "{rest}");
    }
}

/// SMUG-9: where it is seen before anything is sent, the upstream is not asked at all (PX-1).
#[tokio::test]
async fn a_body_that_is_malformed_at_once_reaches_nobody() {
    let script = Script::answering(OK).await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), &post("Transfer-Encoding: chunked\r\n", "zz\r\n")).await;
    assert!(matches!(done.result, Err(ForwardError::BadBody(_))));
    assert!(script.got().is_empty());
}

/// LIM-408
#[tokio::test]
async fn a_body_that_makes_no_progress_is_given_up() {
    let script = Script::answering(OK).await;
    let mut setup = Setup::to(&[script.port]);
    setup.limits.body_timeout = Duration::from_millis(80);
    let done = setup.send(&setup.forwarder(), &post("Content-Length: 10\r\n", "hello")).await;
    assert!(matches!(done.result, Err(ForwardError::BodyStalled)), "{done:?}");
}

/// LIM-408: slow is not stalled.
#[tokio::test]
async fn a_body_that_makes_progress_may_take_longer() {
    let script = Script::answering(OK).await;
    let mut setup = Setup::to(&[script.port]);
    setup.limits.body_timeout = Duration::from_millis(150);
    let setup = setup.upstream(|upstream| upstream.response_timeout = Duration::from_millis(150));
    let done = setup
        .converse(&setup.forwarder(), &post("Content-Length: 8\r\n", ""), async |mut client| {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(40)).await;
                client.write_all(b"x").await.unwrap();
            }
            read_all(client).await
        })
        .await;
    assert_eq!(done.content(), "ok", "{done:?}");
}

/// An upstream that answers before it has the whole body: the answer passes, neither connection lives on.
#[tokio::test]
async fn an_early_response_passes_and_ends_the_connections() {
    let script = Script::new(|_, mut hand| async move {
        hand.head().await;
        hand.write("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno").await;
        while hand.request().await.is_some() {}
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    let done = setup.send(&forwarder, &post("Content-Length: 1000000\r\n", "hello")).await;
    let passed = done.result.as_ref().unwrap();
    assert_eq!((passed.status, passed.outcome), (403, Outcome::Close));
    assert_eq!((done.field("connection"), done.content()), (vec!["close"], "no"));
    assert!(forwarder.upstreams[0].1.nodes().iter().all(|node| node.idle() == 0));
}

/// An upstream that answers while it reads: both directions go on.
#[tokio::test]
async fn request_and_response_pass_at_the_same_time() {
    let script = Script::new(|_, mut hand| async move {
        hand.head().await;
        hand.write("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n").await;
        let (mut reader, mut writer) = hand.stream.split();
        tokio::io::copy(&mut (&mut reader).take(200_000), &mut writer).await.unwrap();
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup
        .converse(&setup.forwarder(), &post("Content-Length: 200000\r\n", ""), async |client| {
            let (mut reader, mut writer) = client.into_split();
            let mut received = Vec::new();
            writer.write_all(&[b'x'; 1000]).await.unwrap();
            // The response has begun before the request ends.
            assert_ne!(reader.read_buf(&mut received).await.unwrap(), 0);
            let rest = vec![b'x'; 199_000];
            let (sent, read) = tokio::join!(writer.write_all(&rest), reader.read_to_end(&mut received));
            sent.unwrap();
            read.unwrap();
            received
        })
        .await;
    assert_eq!(done.content().len(), 200_000);
    assert_eq!(done.result.unwrap().outcome, Outcome::Close);
}
