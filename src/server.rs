//! Listeners, workers, connections, reload, shutdown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `[server]` and `[limits]`, as far as connections are concerned.
#[derive(Clone, Debug)]
pub struct Settings {
    /// At least one.
    pub listen: Vec<Listen>,
    /// Threads that serve requests, each with a runtime and listeners of its own.
    pub workers: usize,
    /// How long requests in flight may take after SIGTERM.
    pub shutdown_grace: Duration,
    /// Bounds on what a client may send and how long it may take.
    pub limits: Limits,
}

/// One address of `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `127.0.0.1:8080`.
    Tcp(SocketAddr),
    /// `unix:PATH`.
    Unix(PathBuf),
}

/// `[limits]`; every one has the default that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// 10 s, from the first octet of a request to the end of its head: 408.
    pub head_timeout: Duration,
    /// 30 s without progress of a body: 408.
    pub body_timeout: Duration,
    /// 60 s between requests: silent close.
    pub idle_timeout: Duration,
    /// 32 KiB of request line and fields: 431.
    pub head_size: usize,
    /// 100 fields: 431.
    pub head_fields: usize,
    /// 16 KiB of request target: 414.
    pub target_size: usize,
    /// 64 KiB of a form that is searched for a token: 413.
    pub form_body: usize,
    /// 10,000 connections at a time, over all workers.
    pub connections: usize,
}
