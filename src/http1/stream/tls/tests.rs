//! TLS between two ends of a socket.

use super::*;
use crate::http1::stream::{Reader, Writer};
use crate::tls::{Certificate, ClientSettings, ClientTls, ServerTls};
use proptest::prelude::*;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::task::yield_now;

fn block_on<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What the two ends are configured with; the certificate is for `a.example`.
fn configurations() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let pair = Certificate::read(&chain, &key).unwrap();
    let server = ServerTls::new(vec![pair], None, &[b"http/1.1"]).unwrap();
    let client = ClientTls::new(ClientSettings { ca: Some(chain), ..ClientSettings::default() }, b"http/1.1");
    (server.config(), client.unwrap().config())
}

async fn pair() -> (Box<TlsStream>, Box<TlsStream>) {
    let (server, client) = configurations();
    let (left, right) = UnixStream::pair().unwrap();
    let connecting = TlsStream::connect(Stream::Unix(left), client, "a.example".try_into().unwrap());
    let (client, server) = tokio::join!(connecting, TlsStream::accept(Stream::Unix(right), server));
    let Accepted::Tls(server) = server.unwrap() else { panic!("not TLS") };
    (client.unwrap(), server)
}

async fn read_all(mut reader: Reader<'_>, room: usize) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut some = Vec::with_capacity(room);
        if reader.read(&mut some).await? == 0 {
            return Ok(all);
        }
        all.extend(some);
    }
}

async fn send(mut writer: Writer<'_>, content: &[u8]) {
    writer.write_parts([&content[..1], &content[1..]]).await.unwrap();
    writer.shutdown().await.unwrap();
}

#[test]
fn much_arrives_in_order_both_ways_at_once_whatever_room_the_reader_has() {
    let content: Vec<u8> = (0_u32..500_000).flat_map(u32::to_le_bytes).collect();
    for room in [997, 8 * 1024, 64 * 1024] {
        block_on(async {
            let (client, server) = pair().await;
            let (mut client, mut server) = (Stream::from(client), Stream::from(server));
            let ((to_client, from_client), (to_server, from_server)) = (client.split(), server.split());
            let ((), (), one, other) = tokio::join!(
                send(from_client, &content),
                send(from_server, &content),
                read_all(to_server, room),
                read_all(to_client, room)
            );
            assert!(one.unwrap() == content && other.unwrap() == content);
        });
    }
}

#[test]
fn both_ends_know_what_was_agreed_on() {
    block_on(async {
        let (client, server) = pair().await;
        assert_eq!(server.server_name().as_deref(), Some("a.example"));
        assert_eq!((client.protocol(), server.protocol()), (Some(b"http/1.1".to_vec()), Some(b"http/1.1".to_vec())));
    });
}

/// SMUG-20: session tickets come after the handshake, and are no data.
#[test]
fn tickets_are_no_input_and_data_is() {
    block_on(async {
        let (client, server) = pair().await;
        let (mut client, mut server) = (Stream::from(client), Stream::from(server));
        yield_now().await;
        assert!(!client.has_input() && !client.split().0.is_closed());
        assert!(tokio::time::timeout(Duration::from_millis(50), client.readable()).await.is_err());
        server.split().1.write_all(b"x").await.unwrap();
        client.readable().await.unwrap();
        assert!(client.has_input());
        let mut got = Vec::with_capacity(8);
        assert_eq!(client.split().0.read(&mut got).await.unwrap(), 1);
        assert!(!client.has_input());
        server.split().1.shutdown().await.unwrap();
        client.readable().await.unwrap();
        assert!(client.has_input() && client.split().0.is_closed());
        assert_eq!(client.split().0.read(&mut got).await.unwrap(), 0);
    });
}

/// H-body-3
#[test]
fn a_stream_that_ends_without_a_word_is_cut() {
    block_on(async {
        let (client, server) = pair().await;
        let (mut client, mut server) = (Stream::from(client), Stream::from(server));
        server.split().1.write_all(b"half").await.unwrap();
        drop(server);
        let error = read_all(client.split().0, 64).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_slow_reader_holds_the_writer_back() {
    block_on(async {
        let (client, server) = pair().await;
        let (mut client, mut server) = (Stream::from(client), Stream::from(server));
        let content = vec![7; 8 << 20];
        let mut sending = Box::pin(send(server.split().1, &content));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut sending).await.is_err());
        let ((), got) = tokio::join!(sending, read_all(client.split().0, 4096));
        assert_eq!(got.unwrap().len(), content.len());
    });
}

#[test]
fn what_is_no_tls_comes_back_with_its_first_octet() {
    block_on(async {
        let (mut left, right) = UnixStream::pair().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut left, b"GET / HTTP/1.1\r\n").await.unwrap();
        let accepted = TlsStream::accept(Stream::Unix(right), configurations().0).await;
        assert!(matches!(accepted, Ok(Accepted::Other(Stream::Unix(_), b'G'))));
    });
}

#[test]
fn a_server_with_another_name_is_not_believed() {
    block_on(async {
        let (server, client) = configurations();
        let (left, right) = UnixStream::pair().unwrap();
        let connecting = TlsStream::connect(Stream::Unix(left), client, "b.example".try_into().unwrap());
        let (client, server) = tokio::join!(connecting, TlsStream::accept(Stream::Unix(right), server));
        assert!(client.unwrap_err().to_string().contains("not valid for name"));
        assert!(server.is_err());
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_octets_end_a_handshake_without_harm(octets in proptest::collection::vec(any::<u8>(), 1..600), tls in any::<bool>()) {
        thread_local! {
            static SERVER: Arc<ServerConfig> = configurations().0;
        }
        block_on(async {
            let (mut left, right) = UnixStream::pair().unwrap();
            let octets = if tls { [&[HANDSHAKE, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3], &octets[..]].concat() } else { octets };
            tokio::io::AsyncWriteExt::write_all(&mut left, &octets).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut left).await.unwrap();
            let accepted = TlsStream::accept(Stream::Unix(right), SERVER.with(Arc::clone)).await;
            assert!(!matches!(accepted, Ok(Accepted::Tls(_))));
        });
    }
}
