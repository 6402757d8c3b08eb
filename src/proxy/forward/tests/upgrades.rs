//! Connections that are switched to another protocol, and those that are not.

use super::fixture::{Done, Hand, Script, Setup, read_all, values};
use crate::http1::exchange::Outcome;
use crate::proxy::forward::ForwardError;
use crate::proxy::route::Upgrade;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HANDSHAKE: &str = "GET /notes HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://b\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Hop: 1\r\n\r\n";

/// Answers the head with `answer` and sends back what comes after it.
async fn reflecting(mut hand: Hand, answer: &str) {
    let head = hand.head().await;
    hand.note(&head);
    hand.write(answer).await;
    let mut buffer = vec![0; 1024];
    while let Ok(count @ 1..) = hand.stream.read(&mut buffer).await {
        hand.stream.write_all(&buffer[..count]).await.unwrap();
    }
    hand.write("end").await;
}

/// What became of `request`, answered with `answer`; the client sends `more` and finishes.
async fn after(setup: &Setup, request: &str, more: &'static str) -> Done {
    let client = async |mut client: tokio::net::TcpStream| {
        client.write_all(more.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        read_all(client).await
    };
    setup.converse(&setup.forwarder(), request, client).await
}

/// H-upg-1, WS-2: the offer goes out, the 101 comes back, octets go both ways, and either end may finish.
#[tokio::test]
async fn an_accepted_upgrade_is_a_tunnel() {
    let script = Script::new(|_, hand| reflecting(hand, SWITCH)).await;
    let setup = Setup::to(&[script.port]);
    let done = after(&setup, &format!("{HANDSHAKE}early "), "and late").await;
    let request = script.only();
    assert_eq!((values(&request, "connection"), values(&request, "upgrade")), (vec!["upgrade"], vec!["websocket"]));
    for name in ["sec-websocket-key", "sec-websocket-version", "origin"] {
        assert_eq!(values(&request, name), values(HANDSHAKE, name));
    }
    assert!(done.received.starts_with("HTTP/1.1 101 "), "{done:?}");
    assert_eq!((done.field("upgrade"), done.field("connection")), (vec!["WebSocket"], vec!["upgrade"]));
    assert_eq!(done.field("sec-websocket-accept").len(), 1);
    assert_eq!(done.content(), "early and lateend");
    let forwarded = done.result.unwrap();
    assert_eq!((forwarded.status, forwarded.outcome), (101, Outcome::Close));
    assert_eq!((setup.progress.received.get(), setup.progress.sent.get()), (14, 17));
}

/// SMUG-24: the 101 and what follows it, in two pieces split at each offset.
#[tokio::test]
async fn the_segmentation_of_an_upgrade_changes_nothing() {
    let whole = format!("{SWITCH}hello");
    for at in 1..whole.len() {
        let (first, second) = whole.split_at(at);
        let (first, second) = (first.to_owned(), second.to_owned());
        let script = Script::new(move |_, mut hand| {
            let (first, second) = (first.clone(), second.clone());
            async move {
                hand.head().await;
                hand.write(&first).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                hand.write(&second).await;
            }
        })
        .await;
        let setup = Setup::to(&[script.port]);
        let done = after(&setup, HANDSHAKE, "").await;
        assert_eq!(done.content(), "hello", "{at}");
        assert!(done.result.is_ok());
        assert_eq!(setup.progress.sent.get(), 5);
    }
}

/// SMUG-22: what was not offered is not switched to.
#[tokio::test]
async fn a_switch_to_what_was_not_offered_is_502() {
    let plain = "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, switch) in [
        (plain, SWITCH.to_owned()),
        (HANDSHAKE, SWITCH.replace("WebSocket\r", "h2c\r")),
        (HANDSHAKE, SWITCH.replace("WebSocket\r", "websocket, h2c\r")),
        (HANDSHAKE, SWITCH.replace("Upgrade: WebSocket\r\n", "")),
    ] {
        let script = Script::new(move |_, hand| {
            let switch = switch.clone();
            async move { reflecting(hand, &switch).await }
        })
        .await;
        let done = after(&Setup::to(&[script.port]), request, "more").await;
        assert!(matches!(done.result, Err(ForwardError::BadGateway(_))), "{done:?}");
        assert_eq!(done.received, "");
    }
}

/// WS-3, SMUG-22: another answer is a response, and the upstream's connection serves nobody else.
#[tokio::test]
async fn a_refused_upgrade_is_a_response_and_its_connection_is_not_kept() {
    let script = Script::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    for _ in 0..2 {
        let done = setup.send(&forwarder, HANDSHAKE).await;
        assert_eq!(done.content(), "no");
        assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
    }
    let numbers: Vec<usize> = script.got().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, 1]);
}

/// H-upg-1, H-upg-2: what is not allowed is not offered, and the request is an ordinary one.
#[tokio::test]
async fn what_must_not_be_offered_is_left_out() {
    let websocket = || Upgrade::Only(vec!["websocket".to_owned()]);
    let named = "Connection: keep-alive, Upgrade\r\n";
    for (request, allowed, offered) in [
        (HANDSHAKE.to_owned(), Upgrade::default(), None),
        (HANDSHAKE.replace(named, ""), websocket(), None),
        (HANDSHAKE.replace("GET", "POST"), websocket(), None),
        (HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0"), websocket(), None),
        (HANDSHAKE.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"), websocket(), None),
        (HANDSHAKE.replace("websocket", "h2c"), Upgrade::Any, None),
        (HANDSHAKE.replace("websocket", "TLS/1.2, h2c, websocket"), Upgrade::Any, Some("websocket")),
        (HANDSHAKE.replace("websocket", "spdy/3.1"), websocket(), None),
        (HANDSHAKE.replace("websocket", "SPDY/3.1").replace("GET", "POST"), Upgrade::Any, Some("SPDY/3.1")),
    ] {
        let script = Script::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let mut setup = Setup::to(&[script.port]);
        setup.action.upgrade = allowed;
        let done = setup.send(&setup.forwarder(), &request).await;
        assert_eq!(done.content(), "ok");
        let seen = script.only();
        let offers: Vec<&str> = offered.into_iter().collect();
        assert_eq!(values(&seen, "upgrade"), offers, "{request}");
        assert_eq!(values(&seen, "connection").len(), offers.len());
    }
}

/// WS-2: a tunnel on which nothing comes ends, later than anything else; its end is seen at both sides.
#[tokio::test]
async fn a_silent_tunnel_ends_with_its_own_time() {
    let script = Script::new(|_, hand| reflecting(hand, SWITCH)).await;
    let mut setup = Setup::to(&[script.port]);
    setup.limits.tunnel_idle_timeout = Duration::from_millis(300);
    setup.action.timeout = Some(Duration::from_millis(100));
    let done = setup.converse(&setup.forwarder(), HANDSHAKE, async |client| read_all(client).await).await;
    assert_eq!(done.content(), "");
    let forwarded = done.result.unwrap();
    assert_eq!(forwarded.outcome, Outcome::Abort);
    assert!(forwarded.waited < Duration::from_millis(300));
}

/// WS-2: when the upstream is lost, so is the client's connection.
#[tokio::test]
async fn an_abrupt_end_is_passed_on() {
    let script = Script::new(|_, mut hand| async move {
        hand.head().await;
        hand.write(SWITCH).await;
        hand.write("x").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Unread octets make the close a reset.
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = after(&setup, HANDSHAKE, "unread").await;
    assert_eq!(done.content(), "x");
    assert!(done.result.is_ok());
}

/// WS-2: a reader that is slow slows its writer; many octets arrive as they were sent.
#[tokio::test]
async fn much_passes_unchanged() {
    let script = Script::new(|_, hand| reflecting(hand, SWITCH)).await;
    let setup = Setup::to(&[script.port]);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| b'a' + u8::try_from(number % 23).unwrap()).collect();
    let expected = String::from_utf8(sent.clone()).unwrap() + "end";
    let done = setup
        .converse(&setup.forwarder(), HANDSHAKE, async |client| {
            let (mut reader, mut writer) = client.into_split();
            let mut received = Vec::new();
            let writing = async {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let reading = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                reader.read_to_end(&mut received).await.unwrap();
            };
            tokio::join!(writing, reading);
            received
        })
        .await;
    assert!(done.content() == expected, "{}", done.content().len());
}
