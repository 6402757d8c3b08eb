//! Forwarding: one request to one server of an upstream and its response back, streamed both ways.

use super::origin::Origin;
use super::route::Action;
use super::target::Host;
use super::upstream::Upstream;
use crate::enforce::decide::Permit;
use crate::http1::exchange::{Exchange, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// What is sent, beside what the exchange holds.
#[derive(Debug)]
pub struct Plan<'p> {
    /// How the route forwards.
    pub action: &'p Action,
    /// The path for the upstream: as received, or rewritten.
    pub path: &'p str,
    /// The query without its tokens.
    pub query: Option<&'p str>,
    /// The host that the request is for.
    pub host: &'p Host<'p>,
    /// Where the request comes from.
    pub origin: &'p Origin,
    /// `X-Request-Id`.
    pub request_id: &'p str,
    /// The `Authorization` field held a token of ours: it is left out.
    pub strip_authorization: bool,
    /// What is sent as content.
    pub body: Body<'p>,
    /// The token came by the query: the response is `Cache-Control: private` (R6750-2.3b).
    pub token_in_query: bool,
}

/// The content of a forwarded request.
#[derive(Clone, Copy, Debug)]
pub enum Body<'p> {
    /// These octets were read already and stand in front of what still comes, framed as the client
    /// framed it.
    Started(&'p [u8]),
    /// As it comes from the client.
    Stream,
    /// All of it: a form without its tokens. The length is made anew.
    Whole(&'p [u8]),
}

/// A response has been passed on, whole or not.
#[derive(Debug)]
pub struct Forwarded {
    /// Its status.
    pub status: u16,
    /// What becomes of the client's connection.
    pub outcome: Outcome,
    /// From the request to the response's head.
    pub waited: Duration,
    /// Octets of content that the client got.
    pub sent: u64,
}

/// Nothing of a response has been sent to the client yet.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// 502: the connection was refused or reset, or the response is not valid; the text is for the log.
    #[error("the upstream failed: {0}")]
    BadGateway(String),
    /// 400: the request's body is malformed or ends early.
    #[error("the request's body is malformed: {0}")]
    BadBody(&'static str),
    /// The client is gone: there is nobody to answer.
    #[error("the client is gone")]
    ClientGone,
    /// 408: the request's body made no progress.
    #[error("the request's body made no progress in time")]
    BodyStalled,
    /// 413.
    #[error("the request's body is too large")]
    BodyTooLarge,
    /// 504: connecting took too long.
    #[error("the upstream could not be connected to in time")]
    ConnectTimeout,
    /// 504: no response head in time, or the route's time is up.
    #[error("the upstream did not respond in time")]
    ResponseTimeout,
}

/// One worker's way to the upstreams of one configuration: idle connections, load, turns.
#[derive(Debug)]
pub struct Forwarder {
    // Private to this module.
}

impl Forwarder {
    /// A forwarder to `upstreams`, which stand at their own `index`. Takes over what `previous` has of
    /// idle connections to servers that are still there; requests in flight keep theirs.
    pub fn new(upstreams: &[Arc<Upstream>], previous: Option<&Self>) -> Self {
        let _ = (upstreams, previous);
        todo!()
    }

    /// Sends the request that `permit` allows, and its response back.
    ///
    /// # Errors
    /// When there is no response to pass on; the caller answers.
    pub async fn send(
        &self,
        permit: Permit,
        plan: &Plan<'_>,
        exchange: &mut Exchange<'_>,
    ) -> Result<Forwarded, ForwardError> {
        let _ = (permit, plan, exchange);
        todo!()
    }
}
