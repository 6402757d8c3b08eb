//! URLs with a host, read strictly: what two programs could read in two ways is no URL here.

use std::net::{IpAddr, Ipv6Addr};

/// A URL with a host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url<'u> {
    /// As written.
    pub(crate) scheme: &'u str,
    /// `user:password` before an `@`.
    pub(crate) user_info: Option<&'u str>,
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(crate) host: &'u str,
    /// The port, where one is written.
    pub(crate) port: Option<u16>,
    /// Empty, or from the first `/` on.
    pub(crate) path: &'u str,
    /// Whether there is a `?` or a `#`.
    pub(crate) has_query_or_fragment: bool,
}

impl<'u> Url<'u> {
    /// Reads `scheme://[user@]host[:port][/path]…`.
    pub(crate) fn parse(text: &'u str) -> Option<Self> {
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user_info, place) = match authority.rsplit_once('@') {
            Some((user_info, place)) => (Some(user_info), place),
            None => (None, authority),
        };
        let end_of_address = place.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) =
            place.split_at(place[end_of_address..].find(':').map_or(place.len(), |colon| end_of_address + colon));
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
            None => None,
        };
        let path = &tail[..tail.find(['?', '#']).unwrap_or(tail.len())];
        let has_query_or_fragment = path.len() < tail.len();
        is_host(host).then_some(Self { scheme, user_info, host, port, path, has_query_or_fragment })
    }
}

/// Whether the host of a URL is this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let label = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
    !host.is_empty() && host.bytes().all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_reading() {
        let url = Url::parse("http://u:p@[::1]:80/a?b").unwrap();
        assert_eq!((url.scheme, url.user_info, url.host, url.port), ("http", Some("u:p"), "[::1]", Some(80)));
        assert_eq!((url.path, url.has_query_or_fragment), ("/a", true));
        let url = Url::parse("https://a.example").unwrap();
        assert_eq!((url.host, url.port, url.path, url.has_query_or_fragment), ("a.example", None, "", false));
        for text in [
            "",
            "a",
            "http:a",
            "http://",
            "http:///a",
            "http://a:",
            "http://a:x",
            "http://a:+1",
            "http://a:99999",
            "http://a b",
            "http://[::1",
            "http://a\\b",
            "http://a,b",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "LOCALHOST"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in ["127.1", "127.0.0.1.example", "localhost.", "0.0.0.0", "[::]", "2130706433", "[::ffff:127.0.0.1]"]
        {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*", authority in "[a:@\\[\\]/?#1]*") {
            let _ = (Url::parse(&text), Url::parse(&format!("http://{authority}")));
        }
    }
}
