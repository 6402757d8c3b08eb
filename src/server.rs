//! Listeners, workers, connections, reload, shutdown.

use crate::http1::Limits;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::HeadError;
use crate::http1::stream::{Listen, Peer};
use bytes::Bytes;
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
    /// 10,000 connections at a time, over all workers; further ones wait to be accepted.
    pub connections: usize,
}

/// What answers requests on one thread.
pub trait Service: 'static {
    /// Answers one request.
    async fn serve(&self, exchange: &mut Exchange<'_>) -> Outcome;

    /// The answer to a head that was refused before it became a request.
    fn refuse(&self, error: HeadError, peer: &Peer) -> http::Response<Bytes>;
}
