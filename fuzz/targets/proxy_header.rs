//! Headers of the PROXY protocol, versions 1 and 2: who they say is there is what an independent reader reads,
//! nothing behind them is taken away, and it does not matter how the octets come in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, ReadBuf};
use tollgate::server::proxy_protocol::{AnnounceError, Announced, Client, read};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const CRC32C: u8 = 0x03;
const SSL: u8 = 0x20;

fuzz_target!(|octets: &[u8]| {
    is_read_right(octets);
    if octets.starts_with(SIGNATURE) {
        let mut summed = octets.to_vec();
        if put_sums(&mut summed).is_some() {
            is_read_right(&summed);
        }
    }
});

fn is_read_right(octets: &[u8]) {
    let whole = announced(octets, octets.len().max(1));
    for step in [1, 2 + octets.len() % 17] {
        assert_eq!(announced(octets, step), whole, "{step} at a time: {}", octets.escape_ascii());
    }
    let expected = independent(octets);
    match whole {
        Ok((said, _)) => {
            assert_eq!(whole, expected, "{}", octets.escape_ascii());
            survives_writing(said);
        }
        // Of a line that lacks words more may be awaited, and one may be known to become too long.
        Err(_) => assert!(expected.is_err(), "{expected:?}: {}", octets.escape_ascii()),
    }
}

/// Why nobody is announced.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Malformed,
    Ended,
}

/// Who is announced, and the length of the header.
type Outcome = Result<(Announced, usize), Refused>;

/// Octets of which `step` come at a time.
struct Pieces<'o> {
    octets: &'o [u8],
    at: usize,
    step: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = &self.octets[self.at..];
        let size = rest.len().min(self.step).min(buffer.remaining());
        buffer.put_slice(&rest[..size]);
        self.at += size;
        Poll::Ready(Ok(()))
    }
}

fn announced(octets: &[u8], step: usize) -> Outcome {
    let mut pieces = Pieces { octets, at: 0, step };
    let Poll::Ready(said) = pin!(read(&mut pieces)).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for what has come")
    };
    match said {
        Ok(said) => Ok((said, pieces.at)),
        Err(AnnounceError::Malformed(_)) => Err(Refused::Malformed),
        Err(AnnounceError::Io(_)) => Err(Refused::Ended),
    }
}

/// The specification's text, read again.
fn independent(octets: &[u8]) -> Outcome {
    // No header is shorter.
    let start = octets.get(..15).ok_or(Refused::Ended)?;
    if start.starts_with(SIGNATURE) {
        version_2(octets)
    } else if start.starts_with(b"PROXY ") {
        version_1(octets)
    } else {
        Err(Refused::Malformed)
    }
}

/// A line of 107 octets at most.
fn version_1(octets: &[u8]) -> Outcome {
    let bounded = &octets[..octets.len().min(107)];
    let Some(end) = bounded.iter().position(|octet| *octet == b'\n') else {
        return Err(if octets.len() < 107 { Refused::Ended } else { Refused::Malformed });
    };
    let line = std::str::from_utf8(&bounded[..end]).ok().and_then(|line| line.strip_suffix('\r'));
    let words: Vec<&str> = line.ok_or(Refused::Malformed)?.split(' ').collect();
    let client = match words[1..] {
        ["UNKNOWN", ..] => Client { address: None, tls: None },
        [family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] => {
            let address = |word: &str| -> Result<IpAddr, Refused> {
                let address: IpAddr = word.parse().map_err(|_| Refused::Malformed)?;
                if address.is_ipv4() == (family == "TCP4") { Ok(address) } else { Err(Refused::Malformed) }
            };
            let port = |word: &str| {
                let port = word.parse::<u16>().map_err(|_| Refused::Malformed)?;
                if port.to_string() == word { Ok(port) } else { Err(Refused::Malformed) }
            };
            address(destination)?;
            port(destination_port)?;
            Client { address: Some(SocketAddr::new(address(source)?, port(source_port)?)), tls: None }
        }
        _ => return Err(Refused::Malformed),
    };
    Ok((Announced::Client(client), end + 1))
}

fn version_2(octets: &[u8]) -> Outcome {
    let fixed = octets.get(..16).ok_or(Refused::Ended)?;
    let length = usize::from(fixed[14]) << 8 | usize::from(fixed[15]);
    if length > 4096 {
        return Err(Refused::Malformed);
    }
    let header = octets.get(..16 + length).ok_or(Refused::Ended)?;
    let said = binary(header).ok_or(Refused::Malformed)?;
    Ok((said, header.len()))
}

fn binary(header: &[u8]) -> Option<Announced> {
    let unnamed = Client { address: None, tls: None };
    let (mut client, addresses) = match (header[12], header[13]) {
        (0x20, _) => return Some(Announced::Proxy),
        (0x21, 0x00) => return Some(Announced::Client(unnamed)),
        (0x21, 0x11) => (unnamed, 12),
        (0x21, 0x21) => (unnamed, 36),
        (0x21, 0x31) => (unnamed, 216),
        _ => return None,
    };
    let said = header.get(16..16 + addresses)?;
    let port = |at: usize| u16::from(said[at]) << 8 | u16::from(said[at + 1]);
    client.address = match addresses {
        12 => Some(SocketAddr::new(Ipv4Addr::new(said[0], said[1], said[2], said[3]).into(), port(8))),
        36 => {
            let bits = said[..16].iter().fold(0u128, |bits, octet| bits << 8 | u128::from(*octet));
            Some(SocketAddr::new(Ipv6Addr::from_bits(bits).into(), port(32)))
        }
        _ => None,
    };
    let mut secured = fields(header, 16 + addresses, header.len())?.into_iter().filter(|(kind, ..)| *kind == SSL);
    if let Some((_, from, to)) = secured.next() {
        let flags = header.get(from..from + 5).filter(|_| from + 5 <= to)?[0];
        fields(header, from + 5, to)?;
        client.tls = Some(flags & 1 == 1);
    }
    let sums = fields(header, 16 + addresses, header.len())?.into_iter().filter(|(kind, ..)| *kind == CRC32C);
    let sums_are_right = sums.into_iter().all(|(_, from, to)| header[from..to] == sum(header, from, to));
    (secured.next().is_none() && sums_are_right).then_some(Announced::Client(client))
}

/// The types and places of the fields that fill a part of `header`.
fn fields(header: &[u8], mut from: usize, to: usize) -> Option<Vec<(u8, usize, usize)>> {
    let mut fields = Vec::new();
    while from < to {
        let length = header.get(from..from + 3).filter(|_| from + 3 <= to)?;
        let end = from + 3 + (usize::from(length[1]) << 8 | usize::from(length[2]));
        fields.push((length[0], from + 3, end));
        from = end;
    }
    (from == to).then_some(fields)
}

/// CRC-32C of the header with zeros where the sum itself stands.
fn sum(header: &[u8], from: usize, to: usize) -> [u8; 4] {
    let zeroed = header.iter().enumerate().map(|(at, octet)| if (from..to).contains(&at) { 0 } else { *octet });
    let mut sum = u32::MAX;
    for octet in zeroed {
        for bit in 0..8 {
            let odd = (sum ^ u32::from(octet >> bit)) & 1 == 1;
            sum = (sum >> 1) ^ if odd { 0x82f6_3b78 } else { 0 };
        }
    }
    (!sum).to_be_bytes()
}

/// Puts the right checksum where one is said to be; `None`: there is no place for it.
fn put_sums(octets: &mut [u8]) -> Option<()> {
    let end = 16 + (usize::from(*octets.get(14)?) << 8 | usize::from(*octets.get(15)?));
    let addresses = match octets.get(13)? {
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        _ => return None,
    };
    let header = octets.get_mut(..end)?;
    let found = fields(header, 16 + addresses, end)?;
    let (_, from, to) = found.into_iter().find(|(kind, from, to)| *kind == CRC32C && to - from == 4)?;
    let right = sum(header, from, to);
    header[from..to].copy_from_slice(&right);
    Some(())
}

/// What is written of it, in both versions where both can say it, is read as the same.
fn survives_writing(said: Announced) {
    let headers = match said {
        Announced::Proxy => vec![written(0x20, 0x00, &[], None)],
        Announced::Client(Client { address: None, tls: None }) => {
            vec![written(0x21, 0x00, &[], None), b"PROXY UNKNOWN\r\n".to_vec()]
        }
        Announced::Client(Client { address: None, tls }) => vec![written(0x21, 0x31, &[0; 216], tls)],
        Announced::Client(Client { address: Some(address), tls }) => {
            let port = address.port().to_be_bytes();
            let (family, source, zeros) = match address.ip() {
                IpAddr::V4(ip) => (0x11, ip.octets().to_vec(), vec![0; 4]),
                IpAddr::V6(ip) => (0x21, ip.octets().to_vec(), vec![0; 16]),
            };
            let addresses = [&source[..], &zeros, &port, &[1, 0xbb]].concat();
            let mut headers = vec![written(0x21, family, &addresses, tls)];
            if tls.is_none() {
                let (name, ip) = (if address.is_ipv4() { "TCP4" } else { "TCP6" }, address.ip());
                headers.push(format!("PROXY {name} {ip} {ip} {} 443\r\n", address.port()).into_bytes());
            }
            headers
        }
    };
    for header in headers {
        let length = header.len();
        let sent = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(announced(&sent, 7), Ok((said, length)), "{}", header.escape_ascii());
    }
}

/// A header of version 2.
fn written(command: u8, family: u8, addresses: &[u8], tls: Option<bool>) -> Vec<u8> {
    let secured = tls.map_or(Vec::new(), |tls| vec![SSL, 0, 5, u8::from(tls), 0, 0, 0, 0]);
    let length = u16::try_from(addresses.len() + secured.len()).expect("it is short").to_be_bytes();
    [SIGNATURE, &[command, family], &length, addresses, &secured].concat()
}
