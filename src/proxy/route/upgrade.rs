//! `upgrade` of a route: to which protocols a connection may be switched (H-upg-1, H-upg-2).

/// The protocols that a route lets connections be switched to. `Default` is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Every one, but never HTTP itself or TLS.
    Any,
    /// These, in lower case; none at all where it is empty.
    Only(Vec<String>),
}

impl Default for Upgrade {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl Upgrade {
    /// Whether a connection may be switched to `protocol`, given as in the field `Upgrade`.
    pub fn allows(&self, protocol: &[u8]) -> bool {
        is_tunnelled(protocol)
            && match self {
                Self::Any => true,
                Self::Only(names) => names.iter().any(|name| protocol.eq_ignore_ascii_case(name.as_bytes())),
            }
    }
}

/// Whether a protocol is one that is only carried. HTTP over a tunnel would be requests that nobody checks,
/// and TLS would hide whatever there is.
pub fn is_tunnelled(protocol: &[u8]) -> bool {
    const NEVER: [&str; 7] = ["h2", "h2c", "h3", "http", "https", "hc", "tls"];
    let name = protocol.split(|&octet| octet == b'/').next().unwrap_or_default();
    !name.is_empty() && !NEVER.iter().any(|never| name.eq_ignore_ascii_case(never.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H-upg-1, H-upg-2
    #[test]
    fn http_and_tls_are_never_switched_to() {
        let only = |names: &[&str]| Upgrade::Only(names.iter().map(|&name| name.to_owned()).collect());
        for never in ["h2c", "H2C", "HTTP/2.0", "tls/1.2", "TLS", "h2", ""] {
            assert!(!Upgrade::Any.allows(never.as_bytes()) && !only(&[never]).allows(never.as_bytes()), "{never}");
        }
        assert!(Upgrade::Any.allows(b"spdy/3.1") && Upgrade::Any.allows(b"WebSocket"));
        assert!(only(&["websocket"]).allows(b"WebSocket") && !only(&["websocket"]).allows(b"spdy/3.1"));
        assert!(!Upgrade::default().allows(b"websocket"));
    }
}
