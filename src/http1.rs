//! HTTP/1.1 messages (RFC 9112): read strictly, framed anew. One reading of every message: what
//! another program could read in another way is an error here.
//!
//! Nothing in this room knows what a message is for. The hot path is in its shape: a head is read
//! once into offsets over the connection's buffer, bodies are passed on in pieces, and a message
//! is written with one system call where it fits.

pub mod body;
pub mod date;
pub mod deadline;
pub mod exchange;
pub mod head;
pub mod stream;

use std::time::Duration;

/// Bounds on a message and the time it may take: the part of `[limits]` that concerns messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// 10 s, from the first octet of a request to the end of its head: 408.
    pub head_timeout: Duration,
    /// 30 s without progress of a body: 408.
    pub body_timeout: Duration,
    /// 60 s between requests: silent close.
    pub idle_timeout: Duration,
    /// 1 h without an octet either way of a connection that was switched to another protocol.
    pub tunnel_idle_timeout: Duration,
    /// 32 KiB of request line and fields: 431.
    pub head_size: usize,
    /// 100 fields: 431.
    pub head_fields: usize,
    /// 16 KiB of request target: 414.
    pub target_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            tunnel_idle_timeout: Duration::from_secs(3600),
            head_size: 32 * 1024,
            head_fields: 100,
            target_size: 16 * 1024,
        }
    }
}

/// The version in which a message arrived, as far as it matters: 1.2 and later count as 1.1 (H-ver).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2, translated: every rule of HTTP/1.1 holds.
    Http2,
}
