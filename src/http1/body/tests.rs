//! Bodies read over a real socket pair.

use super::*;
use crate::http1::stream::Stream;
use tokio::net::UnixStream;

/// Reads a body of which `ahead` is there and `sent` comes, in one write or octet by octet; gives the
/// content or the error, and what is left for the next message.
fn read(length: BodyLength, ahead: &[u8], sent: &[u8], slow: bool) -> (Result<Vec<u8>, String>, Vec<u8>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, mut far) = (Stream::Unix(near), Stream::Unix(far));
        let sending = async {
            let (_, mut writer) = far.split();
            for part in sent.chunks(if slow { 1 } else { sent.len().max(1) }) {
                writer.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
            writer.shutdown().await.unwrap();
        };
        let reading = async {
            let (reader, _) = near.split();
            let mut body = BodyReader::new(length, ahead, reader);
            let mut content = Vec::new();
            let result = loop {
                match body.next().await {
                    Ok(Some(piece)) => content.extend_from_slice(piece),
                    Ok(None) => break Ok(content),
                    Err(error) => break Err(error.to_string()),
                }
            };
            let (used, spill) = body.finish();
            (result, [&ahead[used..], &spill].concat())
        };
        tokio::join!(reading, sending).0
    })
}

/// H-body-2, SMUG-12
#[test]
fn a_body_ends_where_its_framing_says_and_the_rest_is_left() {
    for slow in [false, true] {
        let (content, _) = read(BodyLength::Length(5), b"he", b"llo", slow);
        assert_eq!(content.unwrap(), b"hello");
        let (content, rest) = read(BodyLength::Length(2), b"heGET", b"", slow);
        assert_eq!((content.unwrap(), rest), (b"he".to_vec(), b"GET".to_vec()));
        let (content, rest) = read(BodyLength::Chunked, b"2\r\nhe\r", b"\n3\r\nllo\r\n0\r\n\r\n", slow);
        assert_eq!((content.unwrap(), rest), (b"hello".to_vec(), Vec::new()));
        let (content, _) = read(BodyLength::Close, b"he", b"llo", slow);
        assert_eq!(content.unwrap(), b"hello");
    }
    let (content, rest) = read(BodyLength::None, b"GET", b"", false);
    assert_eq!((content.unwrap(), rest), (Vec::new(), b"GET".to_vec()));
}

/// SMUG-10
#[test]
fn a_body_that_breaks_off_is_never_complete() {
    for (length, sent) in [(BodyLength::Length(9), &b"hello"[..]), (BodyLength::Chunked, b"5\r\nhello\r\n0\r\n")] {
        assert_eq!(read(length, b"", sent, true).0.unwrap_err(), "the body ends early");
    }
}
