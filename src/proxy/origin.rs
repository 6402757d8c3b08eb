//! Who a request comes from, as the connection and, where they are trusted, the forwarding fields
//! say it (FWD-1, FWD-2, FWD-5; hazards, lines 16 and 17).

use crate::http1::head::Request;
use crate::http1::stream::Peer;
use std::net::IpAddr;

/// `[server] trusted_proxies`.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Networks whose forwarding fields are believed.
    pub networks: Vec<ipnet::IpNet>,
    /// Peers on a unix socket are believed.
    pub unix: bool,
    /// What the client's side speaks when no trusted field says it: TLS ends in front of us, or
    /// nowhere.
    pub behind_tls: bool,
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address: the peer's, or the first one from the right that is not trusted in what
    /// a trusted peer says. `None` on a unix socket without such a field.
    pub address: Option<IpAddr>,
    /// The peer is trusted: its forwarding fields are extended instead of replaced, its
    /// `X-Request-Id` is kept.
    pub trusted: bool,
    /// The client's side is https.
    pub https: bool,
}

impl TrustedProxies {
    /// Reads the origin of `request`.
    pub fn origin(&self, request: &Request<'_>, peer: &Peer) -> Origin {
        let _ = (request, peer);
        todo!()
    }
}
