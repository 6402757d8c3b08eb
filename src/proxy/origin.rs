//! Who a request comes from, as the connection and, where they are trusted, the forwarding fields
//! say it (FWD-1, FWD-2, FWD-5; hazards, lines 16 and 17).
//!
//! A list is read from the right: the last entry was written by the peer, which is trusted; it is
//! believed as far as it names further trusted hops. The first one that is not is the client. What
//! cannot be read, or says two things, says nothing: then the peer's own address stands.

mod hops;

use crate::http1::head::Request;
use crate::http1::stream::Peer;
use hops::Hop;
pub(super) use hops::is_token;

/// Whether a line is a `Forwarded` value in the form of RFC 7239 section 4.
pub(super) fn is_forwarded(line: &[u8]) -> bool {
    hops::forwarded(std::iter::once(line)).is_some()
}
use std::net::IpAddr;

/// `[server] trusted_proxies`.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Networks whose forwarding fields are believed.
    pub networks: Vec<ipnet::IpNet>,
    /// Peers on a unix socket are believed.
    pub unix: bool,
    /// They say in front of each connection for whom it is (the PROXY protocol).
    pub proxy_protocol: bool,
    /// What the client's side speaks when no trusted field and no proxy says it: TLS ends in front of us,
    /// or nowhere.
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
        let trusted = self.trusts(peer);
        // What the peer itself speaks, where nobody says more.
        let https = peer.is_https().unwrap_or(self.behind_tls);
        if !trusted {
            return Origin { address: peer.address(), trusted, https };
        }
        let forwarded = self.client(hops::forwarded(request.values("forwarded")));
        let listed = self.client(hops::x_forwarded_for(request.values("x-forwarded-for")));
        let said = match (&forwarded, &listed) {
            (Said::Nothing, said) | (said, Said::Nothing) => said.address(),
            (one, other) if one.address() == other.address() => one.address(),
            _ => None,
        };
        Origin {
            address: said.or_else(|| peer.address()),
            trusted,
            https: said_https(request, &forwarded).unwrap_or(https),
        }
    }

    /// Whether `peer` has to say in front of a connection for whom it is.
    pub fn is_announcing(&self, peer: &Peer) -> bool {
        self.proxy_protocol && self.trusts(peer)
    }

    fn trusts(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Tcp { remote, .. } => self.contains(remote.ip()),
            Peer::Unix => self.unix,
            Peer::Unnamed { .. } => false,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Reads a list of hops from the right.
    fn client(&self, hops: Option<Vec<Hop>>) -> Said {
        let Some(hops) = hops else { return Said::Junk };
        let Some(outermost) = hops.first().copied() else { return Said::Nothing };
        let complete = hops.len() < hops::MOST;
        for hop in hops.into_iter().rev() {
            match hop.address {
                None => return Said::Junk,
                Some(address) if !self.contains(address) => return Said::Client(hop),
                Some(_) => {}
            }
        }
        if complete { Said::Client(outermost) } else { Said::Junk }
    }
}

/// The scheme of the client's side: what a trusted peer says, and only where all that it says agrees.
/// `None`: it says nothing.
fn said_https(request: &Request<'_>, forwarded: &Said) -> Option<bool> {
    let listed = request.values("x-forwarded-proto").last().map(|line| {
        let last = line.rsplit(|&octet| octet == b',').next().unwrap_or_default();
        last.trim_ascii().eq_ignore_ascii_case(b"https")
    });
    let forwarded = match forwarded {
        Said::Client(hop) => hop.https,
        Said::Nothing | Said::Junk => None,
    };
    (listed.is_some() || forwarded.is_some()).then(|| listed.unwrap_or(true) && forwarded.unwrap_or(true))
}

/// What a field says of the client.
enum Said {
    /// There is no such field.
    Nothing,
    /// It cannot be read, or not far enough.
    Junk,
    /// The first hop from the right that is not trusted, or the outermost of all.
    Client(Hop),
}

impl Said {
    const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Client(hop) => hop.address,
            Self::Nothing | Self::Junk => None,
        }
    }
}

#[cfg(test)]
mod tests;
