//! Which server a request goes to, over which connection, and when it goes again.

use super::fixture::{Script, Setup};
use crate::http1::exchange::Outcome;
use crate::proxy::forward::{ForwardError, Forwarder};
use crate::proxy::upstream::{HostHeader, Server};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const GET: &str = "GET /notes HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
const POST: &str = "POST /notes HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 5\r\n\r\nhello";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A port on which nobody listens.
async fn dead() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// An upstream that ends each connection after one response, a moment later.
async fn closing() -> Script {
    Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write(OK).await;
    })
    .await
}

#[tokio::test]
async fn connections_are_used_again() {
    let script = Script::answering(OK).await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    for _ in 0..5 {
        assert_eq!(setup.send(&forwarder, GET).await.content(), "ok");
        assert_eq!(setup.send(&forwarder, POST).await.content(), "ok");
    }
    assert!(script.got().iter().all(|(number, _)| *number == 0));
}

/// A dead idle connection never shows.
#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_not_used() {
    let script = closing().await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    for request in [GET, POST, GET, POST] {
        assert_eq!(setup.send(&forwarder, request).await.content(), "ok");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(script.got().len(), 4);
}

/// H-retry: the connection ends after the request was sent over it, before any octet of a response.
#[tokio::test]
async fn a_safe_request_over_a_stale_connection_is_sent_again() {
    let script = Script::new(|number, mut hand| async move {
        hand.request().await;
        hand.write(OK).await;
        hand.request().await;
        if number > 0 {
            hand.write(OK).await;
        }
    })
    .await;
    let setup = Setup::to(&[script.port]).upstream(|upstream| upstream.retries = 0);
    let forwarder = setup.forwarder();
    let _ = setup.send(&forwarder, GET).await;
    let done = setup.send(&forwarder, GET).await;
    assert_eq!(done.content(), "ok");
    assert_eq!(script.got().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 0, 1]);
}

/// H-retry
#[tokio::test]
async fn an_unsafe_request_is_never_sent_twice() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write(OK).await;
        hand.request().await;
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    let _ = setup.send(&forwarder, GET).await;
    let done = setup.send(&forwarder, POST).await;
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
    assert_eq!(script.got().iter().filter(|(_, request)| request.starts_with("POST")).count(), 1);
}

/// H-retry, LIM-502
#[tokio::test]
async fn a_safe_request_is_sent_again_as_often_as_configured() {
    for (retries, request, sent) in [(0, GET, 1), (2, GET, 3), (2, POST, 1)] {
        let script = Script::new(|_, mut hand| async move {
            hand.request().await;
        })
        .await;
        let setup = Setup::to(&[script.port]).upstream(|upstream| upstream.retries = retries);
        let done = setup.send(&setup.forwarder(), request).await;
        assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
        assert_eq!(script.got().len(), sent);
    }
}

/// H-retry: an octet of a response is a response.
#[tokio::test]
async fn a_request_whose_response_has_begun_is_not_sent_again() {
    let script = Script::new(|_, mut hand| async move {
        hand.request().await;
        hand.write("HTTP/1.1 200").await;
    })
    .await;
    let setup = Setup::to(&[script.port]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
    assert_eq!(script.got().len(), 1);
}

/// LIM-502: a failed connect is tried elsewhere, for any method.
#[tokio::test]
async fn another_server_stands_in_for_one_that_refuses() {
    let script = Script::answering(OK).await;
    let setup = Setup::to(&[dead().await, script.port, dead().await]).upstream(|upstream| upstream.retries = 2);
    let forwarder = setup.forwarder();
    for _ in 0..3 {
        assert_eq!(setup.send(&forwarder, POST).await.content(), "ok");
        assert_eq!(setup.send(&forwarder, GET).await.content(), "ok");
    }
    let setup = Setup::to(&[dead().await]);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(matches!(done.result, Err(ForwardError::BadGateway(_))));
}

/// LIM-504
#[tokio::test]
async fn a_connect_that_takes_too_long_is_a_timeout() {
    // A listener whose backlog is full answers no further connection.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let connect = tokio::time::timeout(Duration::from_millis(50), tokio::net::TcpStream::connect(address));
        waiting.extend(connect.await.ok());
    }
    let setup = Setup::to(&[address.port()]).upstream(|upstream| upstream.connect_timeout = Duration::from_millis(80));
    let done = setup.send(&setup.forwarder(), GET).await;
    assert!(matches!(done.result, Err(ForwardError::ConnectTimeout)), "{done:?}");
}

#[tokio::test]
async fn names_are_resolved() {
    let script = Script::answering(OK).await;
    let setup = Setup::new(vec![Server::Http { host: "localhost".to_owned(), port: script.port }])
        .upstream(|upstream| upstream.host_header = HostHeader::Upstream);
    let done = setup.send(&setup.forwarder(), GET).await;
    assert_eq!(done.content(), "ok");
    assert!(script.only().contains(&format!("\r\nhost: localhost:{}\r\n", script.port)));
}

#[tokio::test]
async fn a_server_may_be_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("api.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let upstream = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 {
            let mut octets = Vec::new();
            while !octets.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut octets).await.unwrap(), 0);
            }
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    });
    let setup = Setup::new(vec![Server::Unix(path)]);
    let forwarder = setup.forwarder();
    assert_eq!(setup.send(&forwarder, GET).await.content(), "ok");
    assert_eq!(setup.send(&forwarder, GET).await.content(), "ok");
    upstream.await.unwrap();
}

/// Promise 7: a new configuration takes the idle connections over.
#[tokio::test]
async fn a_new_forwarder_takes_over_idle_connections() {
    let script = Script::answering(OK).await;
    let setup = Setup::to(&[script.port]);
    let old = setup.forwarder();
    let _ = setup.send(&old, GET).await;
    let new = Forwarder::new(&[Arc::clone(&setup.action.upstream)], &setup.fleet, Some(&old));
    let _ = setup.send(&new, GET).await;
    let _ = setup.send(&old, GET).await;
    assert!(script.got().iter().all(|(number, _)| *number == 0), "{:?}", script.got());
}

#[tokio::test]
async fn ended_connections_are_swept() {
    let script = closing().await;
    let setup = Setup::to(&[script.port]);
    let forwarder = setup.forwarder();
    let _ = setup.send(&forwarder, GET).await;
    let node = Arc::clone(&setup.action.upstream);
    assert_eq!(node.servers.len(), 1);
    tokio::time::sleep(Duration::from_millis(20)).await;
    forwarder.sweep();
    assert_eq!(forwarder.upstreams[0].1.nodes()[0].idle(), 0);
}

/// The request's own head and nothing else is what the echo shows.
#[tokio::test]
async fn the_echo_shows_what_an_upstream_would_have_seen() {
    let mut setup = Setup::new(vec![Server::Echo]);
    setup.query = Some("a=b");
    let request = "POST /notes?a=b HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer secret\r\n\
        X_Auth_Subject: eve\r\nX-Auth-Subject: eve\r\nX-Many: 1\r\nX-Many: 2\r\nContent-Length: 5\r\n\r\nhello";
    let done = setup.send(&setup.forwarder(), request).await;
    let echo: serde_json::Value = serde_json::from_str(done.content()).unwrap();
    assert_eq!((&echo["method"], &echo["target"]), (&"POST".into(), &"/notes?a=b".into()));
    assert_eq!((&echo["path"], &echo["query"], &echo["body"]), (&"/notes".into(), &"a=b".into(), &"hello".into()));
    assert_eq!(echo["headers"]["x-auth-subject"], serde_json::json!(["ada"]));
    assert_eq!(echo["headers"]["x-many"], serde_json::json!(["1", "2"]));
    assert_eq!(echo["headers"]["content-length"], serde_json::json!(["5"]));
    assert_eq!(echo["headers"].get("authorization"), None);
    assert_eq!(done.field("x-request-id"), ["0af7651916cd43dd"]);
    assert_eq!(done.result.unwrap().outcome, Outcome::Complete);
}

#[tokio::test]
async fn the_echo_of_a_head_has_no_content() {
    let setup = Setup::new(vec![Server::Echo]);
    let done = setup.send(&setup.forwarder(), "HEAD /notes HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(done.content().is_empty());
    assert_ne!(done.field("content-length"), ["0"]);
}

#[tokio::test]
async fn the_echo_keeps_to_the_limits_of_the_route() {
    let mut setup = Setup::new(vec![Server::Echo]);
    setup.action.body_limit = Some(4);
    for request in [POST, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
        let done = setup.send(&setup.forwarder(), request).await;
        assert!(matches!(done.result, Err(ForwardError::BodyTooLarge)));
    }
}

/// A request in flight costs its connection's task this much memory at most.
#[tokio::test]
async fn the_work_of_a_request_is_small() {
    let setup = Setup::to(&[1]);
    let forwarder = setup.forwarder();
    let size = super::fixture::size_of_send(&setup, &forwarder).await;
    assert!(size <= 4096, "{size}");
}
