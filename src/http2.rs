//! HTTP/2 (RFC 9113), at the edges: a stream of a connection is a byte stream that reads and writes as
//! HTTP/1.1, one exchange of it, so that every check, limit and refusal holds for it by itself.
//!
//! `server` has the connections of clients, `client` those to upstreams. What both are made of:
//! `socket` is the byte stream below a connection, `incoming` reads a message's content, `outgoing`
//! writes one, `fields` translates field lines.

pub mod client;
mod fields;
mod incoming;
mod outgoing;
pub mod server;
mod socket;
#[cfg(test)]
mod tests;

use std::io;

/// Streams at a time, of one connection.
const STREAMS: usize = 100;
/// What may come on a stream before it has been read.
const STREAM_WINDOW: u32 = 64 * 1024;
/// What is kept of a stream's content until the other end takes it.
const SEND_BUFFER: usize = 64 * 1024;

/// The first line of what a client of HTTP/2 begins with: no request of HTTP/1 has it.
pub const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The other end has certainly not begun to work on the request: it may be sent again, whatever it is.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request was refused before it was looked at")]
struct Unprocessed;

/// The request is for a tunnel, and the server has not said that it makes any.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the server does not take extended CONNECT (RFC 8441)")]
struct NoTunnels;

/// Whether the request failed with `error` because its server makes no tunnels.
pub fn is_without_tunnels(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<NoTunnels>)
}

/// Whether the request that failed with `error` was certainly not looked at by its server.
pub fn is_unprocessed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Unprocessed>)
}

fn failure(error: h2::Error) -> io::Error {
    let refused = error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM));
    if refused {
        return io::Error::new(io::ErrorKind::ConnectionAborted, Unprocessed);
    }
    if error.is_io() {
        error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
    } else {
        io::Error::other(error)
    }
}
