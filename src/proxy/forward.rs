//! Forwarding: one request to one server of an upstream and its response back, streamed both ways.
//!
//! `request` and `provenance` make the head that goes out, `response` and `caching` the one that comes
//! back; `attempt` is one conversation with one server: `early` and `inbound` carry the request's body,
//! `heads` reads the response's head and `relay` passes its content on; `pool`, `balance` and `connect` know
//! the servers; `dispatch` decides where a request goes, and whether it goes again.

mod attempt;
mod balance;
mod caching;
pub(super) mod connect;
mod cookies;
mod dispatch;
mod early;
mod echo;
mod edits;
mod gate;
mod heads;
mod inbound;
mod pool;
mod progress;
mod provenance;
mod relay;
mod request;
mod response;
mod trail;
mod trailers;
mod tunnel;
mod upgrade;
mod vigil;

pub use self::cookies::without_ours;
pub use self::progress::Progress;
pub use self::provenance::{Parameters, Provenance};
pub use self::trail::max_forwards;
pub use self::vigil::{Watch, Watched};

use self::attempt::{Failed, Job, Stage, attempt};
use self::balance::{Dice, Servers};
use self::early::{asks, check_length, take_early, whole};
use self::pool::{Connection, Node};
use self::request::Outgoing;
use self::upgrade::Offer;
use self::vigil::Vigil;
use super::fleet::Fleet;
use super::origin::Origin;
use super::route::Action;
use super::target::Host;
use super::upstream::{HostHeader, Server, Upstream};
use crate::enforce::decide::Permit;
use crate::enforce::rate::Standing;
use crate::http1::body::BodyLength;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::ResponseHead;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Sets of buffers that are kept for the next requests.
const MOST_BUFFERS: usize = 64;
/// Buffers that have grown beyond this are not kept.
const KEPT: usize = 64 * 1024;
/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// What is sent, beside what the exchange holds.
#[derive(Debug)]
pub struct Plan<'p> {
    /// Now.
    pub start: Instant,
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
    /// What the upstream is told of that.
    pub provenance: Provenance,
    /// `X-Request-Id`.
    pub request_id: &'p str,
    /// The `Authorization` field held a token of ours: it is left out.
    pub strip_authorization: bool,
    /// What is sent as content.
    pub body: Body<'p>,
    /// The token came by the query: the response is `Cache-Control: private` (R6750-2.3b).
    pub token_in_query: bool,
    /// Where the client stands with the route's limit, which the response says.
    pub standing: Option<&'p Standing>,
    /// Who is asked whether a long exchange may go on; `None`: it may.
    pub watched: Option<Watched<'p>>,
    /// Where is noted how far it has come.
    pub progress: &'p Progress,
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
    /// When the response had been passed on.
    pub ended: Instant,
    /// It was cut off because what it was allowed by holds no more.
    pub revoked: bool,
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
    /// 502: the request has been here before (H-via). Its client may have made it look so.
    #[error("the request has been here before")]
    Looped,
    /// 502: the client wants a WebSocket, and the server takes none over HTTP/2 (RFC 8441).
    #[error("the upstream `{0}` makes no tunnels over HTTP/2: its SETTINGS do not have ENABLE_CONNECT_PROTOCOL")]
    NoTunnels(String),
    /// 502: the server refused the gateway's credential (PX-16). It has answered.
    #[error("the upstream refused the gateway's credential")]
    Refused,
    /// What the request was allowed by holds no more (PX-15): 502, or no answer.
    #[error("the token has ended")]
    Revoked,
    /// 503: too many requests are under way to the upstream, and too many or for too long wait.
    #[error("the upstream `{0}` has as many requests as it may")]
    Busy(String),
    /// 503: the checks of every server say that it does not work.
    #[error("no server of the upstream `{0}` is healthy")]
    Unhealthy(String),
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
    /// By the upstream's index: whether it is built in, and its servers.
    upstreams: Vec<(bool, Servers)>,
    dice: Dice,
    buffers: RefCell<Vec<Buffers>>,
    swept: Cell<Instant>,
}

/// What a request needs of memory while it is under way.
#[derive(Debug, Default)]
struct Buffers {
    /// The request's head for the upstream.
    head: Vec<u8>,
    /// What goes with it of the body, framed.
    early: Vec<u8>,
    /// The response as it comes in.
    response: Vec<u8>,
    response_head: ResponseHead,
    /// The response's head for the client.
    answer: Vec<u8>,
}

impl Forwarder {
    /// A forwarder to `upstreams`, which stand at their own `index`; the `fleet` knows how their servers
    /// are. Takes over what `previous` has of idle connections to servers that are still there; requests
    /// in flight keep theirs.
    pub fn new(upstreams: &[Arc<Upstream>], fleet: &Fleet, previous: Option<&Self>) -> Self {
        let servers = |upstream: &Arc<Upstream>| {
            let group = fleet.group(upstream);
            let previous = previous.into_iter().flat_map(|previous| &previous.upstreams);
            let previous = previous.map(|(_, servers)| servers).find(|servers| Arc::ptr_eq(&servers.group, &group));
            let is_echo = upstream.servers.iter().any(|weighted| weighted.server == Server::Echo);
            (is_echo, Servers::new(upstream, group, previous))
        };
        Self {
            upstreams: upstreams.iter().map(servers).collect(),
            dice: Dice::new(),
            buffers: RefCell::default(),
            swept: Cell::new(Instant::now()),
        }
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
        let identity = permit.identity().map(|identity| identity.fields());
        let mut buffers = self.buffers.borrow_mut().pop().unwrap_or_default();
        let result = self.send_with(identity, plan, exchange, &mut buffers).await;
        self.keep(buffers);
        result
    }

    /// Closes idle connections whose time is up or that the other end has closed. Done now and then
    /// while requests come; to be called from time to time where none may come.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.swept.set(now);
        for (_, servers) in &self.upstreams {
            servers.sweep(now);
        }
    }

    async fn send_with(
        &self,
        identity: Option<&[u8]>,
        plan: &Plan<'_>,
        exchange: &mut Exchange<'_>,
        buffers: &mut Buffers,
    ) -> Result<Forwarded, ForwardError> {
        let upstream = &*plan.action.upstream;
        let (is_echo, servers) = self
            .upstreams
            .get(upstream.index)
            .ok_or_else(|| ForwardError::BadGateway(format!("there is no upstream `{}`", upstream.name)))?;
        let start = plan.start;
        if start.duration_since(self.swept.get()) >= SWEEP {
            self.sweep();
        }
        let framing = match plan.body {
            Body::Whole(content) => whole(content),
            Body::Started(_) | Body::Stream => exchange.body.length(),
        };
        let mut job = Job {
            outgoing: Outgoing {
                plan,
                request: exchange.request,
                peer: exchange.peer,
                identity: identity.unwrap_or_default(),
                framing,
                offer: Offer::of(&exchange.request, framing, &plan.action.upgrade),
                expects: false,
            },
            upstream,
            identified: identity.is_some(),
            repeatable: framing == BodyLength::None && matches!(exchange.request.method(), "GET" | "HEAD" | "OPTIONS"),
            rest: None,
            vigil: Vigil::new(plan.watched, start),
            start,
            until: plan.action.timeout.map(|timeout| start + timeout),
        };
        check_length(&job)?;
        if *is_echo {
            write_head(&job, "localhost", buffers)?;
            return echo::echo(&job, exchange, buffers).await;
        }
        job.rest = take_early(&job, &mut exchange.body, &mut buffers.early)?;
        job.outgoing.expects = job.rest.is_some() && buffers.early.is_empty() && asks(&job, exchange.continued);
        self.dispatch(&job, servers, exchange, buffers).await
    }

    fn keep(&self, buffers: Buffers) {
        let mut kept = self.buffers.borrow_mut();
        let grown = [&buffers.head, &buffers.early, &buffers.response, &buffers.answer]
            .iter()
            .any(|buffer| buffer.capacity() > KEPT);
        if kept.len() < MOST_BUFFERS && !grown {
            kept.push(buffers);
        }
    }
}

/// One server: over an idle connection, and where that one turns out to be dead, over a fresh one.
async fn try_server(
    job: &Job<'_>,
    node: &Rc<Node>,
    exchange: &mut Exchange<'_>,
    buffers: &mut Buffers,
) -> Result<Forwarded, Failed> {
    let _load = node.enter();
    write_head(job, &node.authority, buffers)?;
    if !job.repeatable {
        // What must not be sent twice must not meet a dead connection: let the runtime take in what has
        // happened to the idle ones.
        tokio::task::yield_now().await;
    }
    let (repeatable, keep_alive) = (job.repeatable, job.upstream.keep_alive);
    let mut idle =
        if job.upstream.http2 { node.take_shared() } else { node.take_idle(repeatable, keep_alive, job.start) };
    let mut resent = false;
    let mut again = false;
    loop {
        let connection = match idle.take() {
            Some(connection) => connection,
            None => Box::pin(connected(job, node)).await?,
        };
        let (reused, shared) = (connection.reused, connection.shared);
        match attempt(job, node, connection, exchange, buffers).await {
            Err(failed) if !again && is_for_another(failed.stage, job, (reused, shared)) => {
                resent = failed.stage == Stage::Unanswered;
                again = true;
            }
            Err(failed) => return Err(Failed { resent, ..failed }),
            Ok(forwarded) => return Ok(forwarded),
        }
    }
}

/// Whether a request goes over another connection to the same server: an idle one was dead, or HTTP/2 has said that
/// nobody looked at it (RFC 9113 section 8.7).
fn is_for_another(stage: Stage, job: &Job<'_>, (reused, shared): (bool, bool)) -> bool {
    if reused { stage.is_stale(job.repeatable) } else { shared && stage == Stage::Unsent }
}

/// A fresh connection.
async fn connected(job: &Job<'_>, node: &Node) -> Result<Connection, Failed> {
    let now = Instant::now();
    let limit = job.upstream.connect_timeout.min(job.left(now));
    let shared = job.upstream.http2;
    let connecting = connect::connect(&node.server, node.standing.address, limit);
    let made = if shared { connect::shared(node, limit, connecting).await } else { connecting.await };
    match made {
        Ok(stream) => {
            node.restore();
            Ok(Connection { stream, reused: false, shared })
        }
        Err(error) => {
            node.put_aside(now);
            let error = if error.kind() == io::ErrorKind::TimedOut {
                ForwardError::ConnectTimeout
            } else {
                ForwardError::BadGateway(format!("connecting to {}: {error}", node.server))
            };
            Err(Failed { error, stage: Stage::Connecting, resent: false })
        }
    }
}

fn write_head(job: &Job<'_>, authority: &str, buffers: &mut Buffers) -> Result<(), ForwardError> {
    let host = match job.upstream.host_header {
        HostHeader::Client => job.outgoing.plan.host.raw,
        HostHeader::Upstream => authority,
    };
    job.outgoing.write(host.as_bytes(), &mut buffers.head).map_err(|request::Looped| ForwardError::Looped)
}

#[cfg(test)]
mod tests;
