//! Who a request comes from (FWD-1, FWD-2, FWD-5): whatever a client writes into the forwarding fields, a trusted
//! proxy behind it has the last word, and no address comes from nowhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, SocketAddr};
use tollgate::http1::Limits;
use tollgate::http1::head::{Request, RequestHead};
use tollgate::http1::stream::{Peer, Tls};
use tollgate::proxy::origin::{Origin, TrustedProxies};

const PROXY: &str = "10.0.0.1:4711";
const STRANGER: &str = "192.0.2.1:4711";

/// What the fuzzer's lines begin with, and the fields they stand for.
const NAMES: [(u8, &str); 4] =
    [(b'x', "x-forwarded-for"), (b'f', "forwarded"), (b'p', "x-forwarded-proto"), (b'h', "x-forwarded-host")];

/// What a trusted proxy writes of its client, and who that is.
const SAID: [(&str, &str, &str); 4] = [
    ("x-forwarded-for", "203.0.113.9", "203.0.113.9"),
    ("x-forwarded-for", "[2001:db8::9]:80, 10.1.1.1", "2001:db8::9"),
    ("forwarded", "for=203.0.113.9;proto=https", "203.0.113.9"),
    ("forwarded", "for=\"[2001:db8::9]:80\";by=\"_a\", for=10.1.1.1", "2001:db8::9"),
];

fuzz_target!(|octets: &[u8]| {
    let lines: Vec<(&str, Vec<u8>)> = octets.split(|octet| *octet == b'\n').filter_map(line).collect();
    let Some(origin) = origin(&lines, STRANGER) else { return };
    assert_eq!(origin, Origin { address: Some(ip(STRANGER)), trusted: false, https: false });
    let Some(believed) = self::origin(&lines, PROXY) else { return };
    let address = believed.address.expect("the proxy itself has one");
    assert!(believed.trusted);
    assert!(address == ip(PROXY) || is_in(&lines, address), "{address}: {}", octets.escape_ascii());
    for (name, entry, client) in SAID {
        let allowed = [ip(PROXY), client.parse().expect("it is an address")];
        let mut added = lines.clone();
        added.push((name, entry.as_bytes().to_vec()));
        has_the_last_word(&added, allowed);
        let alone = self::origin(&[(name, entry.as_bytes().to_vec())], PROXY).expect("it makes a head");
        assert_eq!(alone.address, Some(allowed[1]));
        let mut appended = lines.clone();
        if let Some((_, last)) = appended.iter_mut().rfind(|(other, _)| *other == name) {
            last.extend_from_slice(&[b", ", entry.as_bytes()].concat());
            has_the_last_word(&appended, allowed);
        }
    }
});

fn has_the_last_word(lines: &[(&str, Vec<u8>)], allowed: [IpAddr; 2]) {
    if let Some(origin) = origin(lines, PROXY) {
        let address = origin.address.expect("the proxy itself has one");
        assert!(allowed.contains(&address), "{address}: {lines:?}");
    }
}

fn line(text: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let (first, rest) = text.split_first()?;
    let (_, name) = NAMES.iter().find(|(letter, _)| letter == first)?;
    Some((name, rest.to_vec()))
}

/// The origin of a request with these fields; `None`: they do not make a head.
fn origin(lines: &[(&str, Vec<u8>)], peer: &str) -> Option<Origin> {
    let mut octets = b"GET / HTTP/1.1\r\nhost: a\r\n".to_vec();
    for (name, value) in lines {
        octets.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    octets.extend_from_slice(b"\r\n");
    let mut head = RequestHead::default();
    head.parse(&octets, &Limits::default()).ok()??;
    let proxies = TrustedProxies {
        networks: vec!["10.0.0.0/8".parse().expect("it is a network")],
        unix: true,
        proxy_protocol: false,
        behind_tls: false,
    };
    let remote = peer.parse().expect("it is an address");
    let peer = Peer::Tcp { remote, local_port: 80, tls: Tls::Unknown };
    Some(proxies.origin(&Request::new(&head, &octets), &peer))
}

fn ip(text: &str) -> IpAddr {
    text.parse::<SocketAddr>().expect("it is an address").ip()
}

/// Whether somebody wrote this address.
fn is_in(lines: &[(&str, Vec<u8>)], address: IpAddr) -> bool {
    lines.iter().any(|(_, value)| {
        let text = String::from_utf8_lossy(value);
        let mut words = text.split(|letter: char| !letter.is_ascii_hexdigit() && letter != ':' && letter != '.');
        words.any(|word| {
            let found = word.parse::<IpAddr>().or_else(|_| word.parse::<SocketAddr>().map(|socket| socket.ip()));
            found.is_ok_and(|found| found.to_canonical() == address)
        })
    })
}
