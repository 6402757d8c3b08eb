use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};
use tokio::io::AsyncWriteExt;

const UNNAMED: Announced = Announced::Client(Client::UNNAMED);
const BEHIND: &[u8] = b"GET / HTTP/1.1\r\n";

fn block_on<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What is read of `header`, sent in pieces of `piece` octets, with a request behind it; and whether the
/// request is still there.
fn announced(header: &[u8], piece: usize) -> Option<Announced> {
    block_on(async {
        let (mut near, far) = tokio::io::duplex(piece);
        let sent = [header, BEHIND].concat();
        let write = async move {
            let mut far = far;
            // A header that is refused early is not read to its end.
            let _ = far.write_all(&sent).await;
        };
        let read = async move {
            let announced = read(&mut near).await;
            if announced.is_ok() {
                let mut behind = Vec::new();
                near.read_to_end(&mut behind).await.unwrap();
                assert_eq!(behind, BEHIND, "{}", header.escape_ascii());
            }
            announced.ok()
        };
        tokio::join!(write, read).1
    })
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[command, family], &length, rest].concat()
}

fn is(client: &str) -> Announced {
    Announced::Client(Client::at(client.parse().unwrap()))
}

/// The client speaks TLS.
const SECURED: &[u8] = &[0x20, 0, 5, 1, 0, 0, 0, 0];

const FOUR: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 0x01, 0xbb];

#[test]
fn a_line_names_the_client() {
    let longest =
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    for (line, client) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.1 12345 443\r\n", Some(is("192.0.2.1:12345"))),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", Some(is("0.0.0.0:0"))),
        ("PROXY TCP6 :: :: 0 0\r\n", Some(is("[::]:0"))),
        ("PROXY TCP6 2001:db8::1 2001:db8::2 12345 443\r\n", Some(is("[2001:db8::1]:12345"))),
        (longest, Some(is("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"))),
        ("PROXY UNKNOWN\r\n", Some(UNNAMED)),
        ("PROXY UNKNOWN 192.0.2.1 198.51.100.1 1 2\r\n", Some(UNNAMED)),
    ] {
        for piece in 1..=line.len() + BEHIND.len() {
            assert_eq!(announced(line.as_bytes(), piece), client, "{line} in pieces of {piece}");
        }
    }
}

#[test]
fn a_line_that_is_not_as_it_must_be_is_refused() {
    for line in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4\r\n192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r \r\n",
    ] {
        assert_eq!(announced(line.as_bytes(), 7), None, "{line}");
    }
    let endless = format!("PROXY UNKNOWN {}\r\n", "a".repeat(200));
    assert_eq!(announced(endless.as_bytes(), 512), None);
    assert_eq!(announced(format!("PROXY UNKNOWN {}\r\n", "a".repeat(91)).as_bytes(), 512), Some(UNNAMED));
    assert_eq!(announced(format!("PROXY UNKNOWN {}\r\n", "a".repeat(92)).as_bytes(), 512), None);
}

#[test]
fn octets_name_the_client() {
    let six = [&[0x20, 1, 0x0d, 0xb8], &[0; 11][..], &[1], &[0; 16], &[0x30, 0x39, 0x01, 0xbb]].concat();
    let with_fields = [FOUR, &[0x01, 0, 2], b"h2", &[0x04, 0, 0]].concat();
    for (header, client) in [
        (v2(0x21, 0x11, FOUR), Some(is("192.0.2.1:12345"))),
        (v2(0x21, 0x11, &with_fields), Some(is("192.0.2.1:12345"))),
        (v2(0x21, 0x21, &six), Some(is("[2001:db8::1]:12345"))),
        (v2(0x21, 0x31, &[b'a'; 216]), Some(UNNAMED)),
        (v2(0x21, 0x00, b""), Some(UNNAMED)),
        (v2(0x21, 0x00, b"anything"), Some(UNNAMED)),
        (v2(0x20, 0x00, b""), Some(Announced::Proxy)),
        (v2(0x20, 0x11, FOUR), Some(Announced::Proxy)),
    ] {
        for piece in 1..=header.len() + BEHIND.len() {
            assert_eq!(announced(&header, piece), client, "{} in pieces of {piece}", header.escape_ascii());
        }
    }
}

/// `PP2_TYPE_SSL`: with and without further fields in it.
#[test]
fn octets_say_whether_the_client_speaks_tls() {
    let plain = [0x20, 0, 5, 0, 0, 0, 0, 1];
    let with_version = [&[0x20, 0, 15, 7, 0, 0, 0, 0, 0x21, 0, 7][..], b"TLSv1.3"].concat();
    for (fields, tls) in [
        (SECURED, Some(true)),
        (&with_version, Some(true)),
        (&plain, Some(false)),
        (&[0x20, 0, 5, 6, 0, 0, 0, 0], Some(false)),
        (&[0x04, 0, 0], None),
    ] {
        let client = Client { address: Some("192.0.2.1:12345".parse().unwrap()), tls };
        assert_eq!(announced(&v2(0x21, 0x11, &[FOUR, fields].concat()), 5), Some(Announced::Client(client)));
        let unnamed = Client { address: None, tls };
        let unix = [&[b'a'; 216], fields].concat();
        assert_eq!(announced(&v2(0x21, 0x31, &unix), 50), Some(Announced::Client(unnamed)));
    }
}

/// FWD-5: TLS on the connection itself is not talked away.
#[test]
fn what_a_proxy_says_of_tls_holds_where_there_is_none_here() {
    let announced = |tls| Announced::Client(Client { address: Some(([192, 0, 2, 1], 7).into()), tls });
    for (here, said, https) in [
        (Tls::Unknown, Some(true), Some(true)),
        (Tls::Unknown, Some(false), Some(false)),
        (Tls::Unknown, None, None),
        (Tls::Here, Some(false), Some(true)),
        (Tls::Here, None, Some(true)),
    ] {
        let proxy = Peer::Tcp { remote: ([10, 0, 0, 1], 1).into(), local_port: 80, tls: here };
        assert_eq!(client(announced(said), proxy).is_https(), https, "{here:?} {said:?}");
        assert_eq!(client(announced(said), proxy).is_tls(), here == Tls::Here);
    }
}

#[test]
fn octets_that_are_not_as_they_must_be_are_refused() {
    for header in [
        v2(0x11, 0x11, FOUR),
        v2(0x22, 0x11, FOUR),
        v2(0x31, 0x11, FOUR),
        v2(0x21, 0x12, FOUR),
        v2(0x21, 0x41, FOUR),
        v2(0x21, 0x11, &FOUR[..11]),
        v2(0x21, 0x21, FOUR),
        v2(0x21, 0x31, FOUR),
        v2(0x21, 0x11, &[FOUR, &[0x04, 0]].concat()),
        v2(0x21, 0x11, &[FOUR, &[0x04, 0, 2, 0]].concat()),
        v2(0x20, 0x00, &[0; 4097]),
        v2(0x21, 0x11, &[FOUR, &[0x03, 0, 3, 0, 0, 0]].concat()),
        v2(0x21, 0x11, &[FOUR, &[0x20, 0, 4, 1, 0, 0, 0]].concat()),
        v2(0x21, 0x11, &[FOUR, &[0x20, 0, 6, 1, 0, 0, 0, 0, 0x21]].concat()),
        v2(0x21, 0x11, &[FOUR, &[0x20, 0, 8, 1, 0, 0, 0, 0, 0x21, 0, 1]].concat()),
        v2(0x21, 0x11, &[FOUR, SECURED, SECURED].concat()),
    ] {
        assert_eq!(announced(&header, 9), None, "{}", header.escape_ascii());
    }
}

#[test]
fn a_checksum_is_checked() {
    assert_eq!(v2::crc32c(b"123456789".iter().copied()), 0xe306_9283);
    let blank = v2(0x21, 0x11, &[FOUR, &[0x03, 0, 4, 0, 0, 0, 0, 0x04, 0, 1, 7]].concat());
    let sum = v2::crc32c(blank.iter().copied()).to_be_bytes();
    let header = v2(0x21, 0x11, &[FOUR, &[0x03, 0, 4], &sum, &[0x04, 0, 1, 7]].concat());
    assert_eq!(announced(&header, 64), Some(is("192.0.2.1:12345")));
    // At 28 stands what says that it is a checksum.
    for at in (16..header.len()).filter(|&at| at != 28) {
        let mut changed = header.clone();
        changed[at] ^= 1;
        assert_ne!(announced(&changed, 64), Some(is("192.0.2.1:12345")), "{at}");
    }
}

#[test]
fn a_client_is_as_trusted_as_its_own_address() {
    let proxy = Peer::Tcp { remote: ([10, 0, 0, 1], 1).into(), local_port: 80, tls: Tls::Unknown };
    assert_eq!(client(Announced::Proxy, proxy), proxy);
    assert_eq!(client(UNNAMED, proxy), Peer::Unnamed { tls: Tls::Unknown });
    let mapped = is("[::ffff:192.0.2.1]:7");
    assert_eq!(
        client(mapped, proxy),
        Peer::Tcp { remote: ([192, 0, 2, 1], 7).into(), local_port: 80, tls: Tls::Unknown }
    );
    assert_eq!(client(mapped, Peer::Unix).address(), Some([192, 0, 2, 1].into()));
}

proptest! {
    /// SMUG-24: any client that can be named is read in the same way wherever the octets are split.
    #[test]
    fn what_is_written_is_read(source: [u8; 4], six: [u8; 16], port: u16, fields in prop::collection::vec((0x21u8.., prop::collection::vec(any::<u8>(), 0..20)), 0..4), piece in 1usize..200) {
        let four = Ipv4Addr::from(source);
        let line = format!("PROXY TCP4 {four} 127.0.0.1 {port} 80\r\n");
        prop_assert_eq!(announced(line.as_bytes(), piece), Some(Announced::Client(Client::at((four, port).into()))));
        let six = Ipv6Addr::from(six);
        let line = format!("PROXY TCP6 {six} ::1 {port} 80\r\n");
        prop_assert_eq!(announced(line.as_bytes(), piece), Some(Announced::Client(Client::at((six, port).into()))));
        let mut rest = [&source[..], &[127, 0, 0, 1], &port.to_be_bytes(), &[0, 80]].concat();
        for (kind, value) in &fields {
            rest.push(*kind);
            rest.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            rest.extend(value);
        }
        prop_assert_eq!(announced(&v2(0x21, 0x11, &rest), piece), Some(Announced::Client(Client::at((four, port).into()))));
    }

    /// No octets make it panic, or read beyond a header that it takes.
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300), line in "PROXY (TCP4|TCP6|UNKNOWN)[ -~\r\n]{0,120}") {
        let header = [v2::SIGNATURE, &octets[..]].concat();
        for sent in [&octets[..], &header, line.as_bytes()] {
            let _ = block_on(async { read(&mut &*sent).await });
        }
    }
}
