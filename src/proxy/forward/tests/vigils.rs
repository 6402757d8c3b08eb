//! Long exchanges end with what they were allowed by (PX-15).

use super::fixture::{Script, Setup, read_all};
use crate::http1::exchange::Outcome;
use crate::proxy::forward::{ForwardError, Watch, Watched};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Holds so many times.
#[derive(Debug)]
struct Times(AtomicU32);

impl Watch for Times {
    fn holds<'w>(&'w self) -> Pin<Box<dyn Future<Output = bool> + 'w>> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        Box::pin(async move { left > 0 })
    }
}

fn watched(times: u32) -> Watched<'static> {
    Watched { watch: Box::leak(Box::new(Times(AtomicU32::new(times)))), every: Duration::from_millis(100) }
}

/// PX-15: silent or not, Server-Sent Events or a WebSocket.
#[tokio::test]
async fn an_exchange_ends_when_its_permit_does() {
    let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    for (head, piece) in [(stream, "8\r\ndata: 1\n\r\n"), (stream, ""), (switch, "frame"), (switch, "")] {
        let script = Script::new(move |_, mut hand| async move {
            hand.head().await;
            hand.write(head).await;
            for _ in 0..1000 {
                hand.write(piece).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        let mut setup = Setup::to(&[script.port]);
        setup.watched = Some(watched(2));
        let request = "GET /notes HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        let began = std::time::Instant::now();
        let done = setup.send(&setup.forwarder(), request).await;
        let forwarded = done.result.unwrap();
        assert!(forwarded.revoked && began.elapsed() < Duration::from_secs(4));
        assert_eq!(forwarded.outcome, Outcome::Abort);
        assert!(!done.received.ends_with("0\r\n\r\n"), "it does not look complete");
    }
}

/// PX-15: before there is a response, too.
#[tokio::test]
async fn a_request_that_waits_for_long_ends_with_its_permit() {
    let script = Script::new(|_, mut hand| async move {
        hand.head().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    let mut setup = Setup::to(&[script.port]);
    setup.watched = Some(watched(0));
    let done = setup
        .converse(&setup.forwarder(), "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n", async |client| {
            // The client waits as long as there is something to wait for.
            read_all(client).await
        })
        .await;
    assert!(matches!(done.result, Err(ForwardError::Revoked)), "{:?}", done.result);
}

/// A short exchange asks nobody.
#[tokio::test]
async fn a_short_exchange_is_not_checked_again() {
    let script = Script::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let mut setup = Setup::to(&[script.port]);
    setup.watched = Some(watched(0));
    let done = setup.send(&setup.forwarder(), "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(done.content(), "ok");
}

/// Server-Sent Events may be silent for longer than a body may make no progress.
#[tokio::test]
async fn silent_events_are_not_cut_off() {
    let script = Script::new(|_, mut hand| async move {
        hand.head().await;
        hand.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        hand.write("9\r\ndata: 1\n\n\r\n0\r\n\r\n").await;
    })
    .await;
    let mut setup = Setup::to(&[script.port]);
    setup.limits.body_timeout = Duration::from_millis(200);
    setup.limits.idle_timeout = Duration::from_millis(200);
    let setup = setup.upstream(|upstream| upstream.response_timeout = Duration::from_millis(500));
    let done = setup.send(&setup.forwarder(), "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(done.content(), "9\r\ndata: 1\n\n\r\n0\r\n\r\n");
    assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
}
