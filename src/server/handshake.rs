//! The TLS handshake in front of a connection: within its time, and answered in plain text where the
//! client has not noticed that TLS is spoken here.

use super::Service;
use super::connection::{self, Established, State, linger};
use super::worker::Entry;
use crate::http1::deadline::Deadline;
use crate::http1::stream::tls::{Accepted, TlsStream};
use crate::http1::stream::{Peer, Stream};
use crate::tls::ServerTls;
use rustls::{AlertDescription, Error};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// What is spoken over TLS, the preferred first; offered by ALPN. What was agreed on shows in the first
/// octets, as it does without TLS.
pub const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Why there was no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// No certificate of the client, or one that is not believed.
    ClientCertificate,
    /// The client went away.
    Closed,
    /// The client does not believe the gateway's certificate.
    Rejected,
    /// It was not TLS.
    NotTls,
    /// Not in time.
    Timeout,
    /// No version, cipher or protocol in common.
    Incompatible,
    /// Anything else.
    Malformed,
}

impl HandshakeFailure {
    /// For logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCertificate => "client_certificate",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::NotTls => "not_tls",
            Self::Timeout => "timeout",
            Self::Incompatible => "incompatible",
            Self::Malformed => "malformed",
        }
    }
}

/// Agrees on TLS, then serves the connection to its end.
#[expect(
    clippy::manual_async_fn,
    reason = "an async function keeps its arguments twice, for as long as the connection idles"
)]
pub(super) fn serve<S: Service>(
    stream: Stream,
    peer: Peer,
    service: Rc<S>,
    state: Rc<Cell<State>>,
    entry: Entry,
) -> impl Future<Output = ()> {
    async move {
        // Nothing is lost with a handshake: a draining server ends it.
        state.set(State::Idle);
        let established = Box::pin(establish(stream, &peer, &*service, &entry)).await;
        if let Some(established) = established {
            connection::serve(established, peer, service, state, entry).await;
        }
    }
}

/// `None`: that failed, and the client has been told.
async fn establish<S: Service>(stream: Stream, peer: &Peer, service: &S, entry: &Entry) -> Option<Established> {
    let tls = entry.connections.tls()?;
    let limit = entry.connections.limits().head_timeout;
    let accepted = Deadline::new().within(limit, TlsStream::accept(stream, tls.config())).await;
    let (failure, error) = match accepted {
        Ok(Ok(Accepted::Tls(stream))) => return Some(established(stream, &tls)),
        Ok(Ok(Accepted::Other(mut stream, first))) => {
            if first.is_ascii_uppercase() {
                say_that_it_is_tls(&mut stream).await;
            }
            (HandshakeFailure::NotTls, None)
        }
        Ok(Err(error)) => (failure_of(&error), Some(error)),
        Err(_) => (HandshakeFailure::Timeout, None),
    };
    tracing::debug!(
        cause = failure.as_str(),
        error = error.as_ref().map(tracing::field::display),
        address = peer.address().map(tracing::field::display),
        "a TLS handshake failed"
    );
    service.handshake_failed(failure);
    None
}

fn established(stream: Box<TlsStream>, tls: &Arc<ServerTls>) -> Established {
    let names = stream.server_name().and_then(|name| tls.names_for(&name));
    (stream.into(), names)
}

fn failure_of(error: &io::Error) -> HandshakeFailure {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<Error>()) else {
        return HandshakeFailure::Closed;
    };
    if matches!(error, Error::InvalidCertificate(_) | Error::NoCertificatesPresented) {
        HandshakeFailure::ClientCertificate
    } else if matches!(error, Error::PeerIncompatible(_) | Error::NoApplicationProtocol) {
        HandshakeFailure::Incompatible
    } else if matches!(error, Error::AlertReceived(alert) if DISBELIEF.contains(alert)) {
        HandshakeFailure::Rejected
    } else {
        HandshakeFailure::Malformed
    }
}

/// How clients say that they do not believe a certificate.
const DISBELIEF: [AlertDescription; 4] = [
    AlertDescription::BadCertificate,
    AlertDescription::CertificateUnknown,
    AlertDescription::CertificateExpired,
    AlertDescription::UnknownCA,
];

/// Somebody wrote `http` where it should be `https`.
async fn say_that_it_is_tls(stream: &mut Stream) {
    const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 55\r\n\
        connection: close\r\n\r\nThis port speaks TLS: the address begins with https://\n";
    if stream.split().1.write_all(ANSWER).await.is_ok() {
        linger(stream).await;
    }
}
