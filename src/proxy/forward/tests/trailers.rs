//! Trailers, both ways.

use super::fixture::{Script, Setup, read_all, values};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const HEAD: &str = "POST /notes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: gzip, trailers\r\n\
                    Trailer: X-Checksum, X-Auth-Subject\r\nConnection: TE, x-hop\r\n\r\n";
const END: &str = "0\r\nX-Checksum: 7\r\nX-Auth-Subject: root\r\nx_auth_client: root\r\nContent-Length: 5\r\n\
                   Authorization: Bearer x\r\nX-Hop: 1\r\n\r\n";

/// H-trl-1, H-te-1, SMUG-15, IDH-4: at once with the head, and as they come.
#[tokio::test]
async fn the_trailers_of_a_request_pass_behind_its_body() {
    for at_once in [true, false] {
        let script = Script::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let setup = Setup::to(&[script.port]);
        let first = if at_once { format!("{HEAD}3\r\nabc\r\n{END}") } else { HEAD.to_owned() };
        let done = setup
            .converse(&setup.forwarder(), &first, async |mut client| {
                if !at_once {
                    for octet in format!("3\r\nabc\r\n{END}").into_bytes() {
                        client.write_all(&[octet]).await.unwrap();
                        tokio::task::yield_now().await;
                    }
                }
                read_all(client).await
            })
            .await;
        assert!(done.result.is_ok(), "{done:?}");
        let request = script.only();
        assert!(request.ends_with("c\r\n0\r\nX-Checksum: 7\r\n\r\n"), "{request}");
        assert_eq!(values(&request, "trailer"), ["X-Checksum"]);
        assert_eq!(values(&request, "te"), ["trailers"]);
        assert_eq!(values(&request, "connection"), ["te"]);
    }
}

/// H-trl-1, PX-17: those of a response, and to HTTP/1.0 none.
#[tokio::test]
async fn the_trailers_of_a_response_pass_behind_its_content() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n";
    let end = "2\r\nok\r\n0\r\ngrpc-status: 0\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n";
    for at_once in [true, false] {
        let script = Script::new(move |_, mut hand| async move {
            while hand.request().await.is_some() {
                if at_once {
                    hand.write(&format!("{head}{end}")).await;
                } else {
                    hand.write(head).await;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    for octet in end.chars() {
                        hand.write(&octet.to_string()).await;
                        tokio::task::yield_now().await;
                    }
                }
            }
        })
        .await;
        let setup = Setup::to(&[script.port]);
        let done = setup.send(&setup.forwarder(), "GET /notes HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(done.content().ends_with("k\r\n0\r\ngrpc-status: 0\r\n\r\n"), "{done:?}");
        assert_eq!(done.field("trailer"), ["grpc-status"]);
        let done = setup.send(&setup.forwarder(), "GET /notes HTTP/1.0\r\nHost: a\r\n\r\n").await;
        assert_eq!(done.content(), "ok");
        assert!(done.field("trailer").is_empty());
    }
}
