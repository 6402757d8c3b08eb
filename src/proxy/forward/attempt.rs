//! One try: the request to one server over one connection, and the response back.

use super::gate::Gate;
use super::heads::{Heads, invalid};
use super::inbound::{Inbound, Pace, Patience, Upload, Waiting};
use super::pool::{Connection, Node};
use super::relay::{Downstream, Stop, TICK, relay};
use super::request::Outgoing;
use super::response::{Answer, Passing};
use super::tunnel::{End, Ended, Tally, carry};
use super::upgrade::switching;
use super::vigil::Vigil;
use super::{Buffers, ForwardError, Forwarded};
use crate::http1::body::{BodyLength, BodyReader};
use crate::http1::deadline::Elapsed;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::Response;
use crate::http1::stream::{Reader, Stream, Writer};
use crate::http1::{Limits, Version};
use crate::http2::is_without_tunnels;
use crate::proxy::upstream::Upstream;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// A head that a fresh connection certainly takes in one piece: when its write fails, nothing of it
/// was sent.
const AT_ONCE: usize = 16 * 1024;

/// A request that is to be sent.
pub(super) struct Job<'j> {
    pub(super) outgoing: Outgoing<'j>,
    pub(super) upstream: &'j Upstream,
    /// The request is one bearer's.
    pub(super) identified: bool,
    /// GET, HEAD or OPTIONS without a body: may be sent again (H-retry).
    pub(super) repeatable: bool,
    /// The body goes on behind what is already in the buffers: how many octets more it may have.
    pub(super) rest: Option<Rest>,
    /// Who is asked whether a long exchange may go on.
    pub(super) vigil: Vigil<'j>,
    pub(super) start: Instant,
    /// When the route's time is up.
    pub(super) until: Option<Instant>,
}

impl Job<'_> {
    /// How much of the route's time is left.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::MAX, |until| until.saturating_duration_since(now))
    }
}

/// The part of a body that is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// How many octets it may have.
    pub(super) allowance: Option<u64>,
}

/// A try failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: ForwardError,
    pub(super) stage: Stage,
    /// The request had gone out once before, on a connection that turned out to be dead.
    pub(super) resent: bool,
}

/// How far a try came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// There was no connection.
    Connecting,
    /// Nothing of the request was sent, or of its body, which the upstream had yet to ask for: there was no
    /// whole request that it could have acted upon.
    Unsent,
    /// No octet of a response was received.
    Unanswered,
    /// Trying again cannot help, or must not be done.
    Final,
}

impl Stage {
    /// Whether a connection that was idle has turned out to be dead, and the request may be sent again.
    pub(super) fn is_stale(self, repeatable: bool) -> bool {
        self == Self::Unsent || (self == Self::Unanswered && repeatable)
    }
}

impl From<ForwardError> for Failed {
    fn from(error: ForwardError) -> Self {
        Self { error, stage: Stage::Final, resent: false }
    }
}

/// Sends the request over `connection`; keeps the connection where it may serve another (SMUG-23).
pub(super) async fn attempt(
    job: &Job<'_>,
    node: &Rc<Node>,
    mut connection: Connection,
    exchange: &mut Exchange<'_>,
    buffers: &mut Buffers,
) -> Result<Forwarded, Failed> {
    if job.rest.is_some() && !job.outgoing.expects {
        exchange.send_continue().await.map_err(|_| ForwardError::ClientGone)?;
    }
    let (forwarded, reusable) = converse(job, &mut connection.stream, exchange, buffers).await?;
    if reusable && !connection.shared && !job.upstream.keep_alive.is_zero() {
        node.keep(connection, forwarded.ended);
    }
    Ok(forwarded)
}

/// The conversation itself: what was passed on, and whether the connection may serve another request.
async fn converse(
    job: &Job<'_>,
    stream: &mut Stream,
    exchange: &mut Exchange<'_>,
    buffers: &mut Buffers,
) -> Result<(Forwarded, bool), Failed> {
    let (mut reader, mut writer) = stream.split();
    let mut patience = Patience { deadline: exchange.deadline, until: job.until };
    first_write(job, &mut writer, &mut patience, buffers).await?;

    let pace = Pace::new(job.start);
    let gate = job.outgoing.expects.then(|| Gate::new(Instant::now(), job.upstream.response_timeout));
    let (mut inbound, writer) = inbound(job, &mut exchange.body, writer, (&pace, gate.as_ref()));
    let mut heads = Heads {
        reader: &mut reader,
        bytes: &mut buffers.response,
        head: &mut buffers.response_head,
        outgoing: &job.outgoing,
        client: (exchange.request.version() != Version::Http10).then_some(&mut exchange.writer),
        whole: job.rest.is_none(),
        scratch: &mut buffers.answer,
        gate: gate.as_ref(),
        continued: &mut exchange.continued,
    };
    let waits = Waits { job, pace: &pace, stall: exchange.limits.body_timeout };
    let length = waits.head(&mut heads, &mut inbound, &mut patience).await?;
    let waited = Instant::now().duration_since(job.start);

    let (head, ahead) = buffers.response.split_at_checked(length).unwrap_or_default();
    let response = Response::new(&buffers.response_head, head);
    if response.status() == 101 {
        let (Inbound::Complete(body), Some(writer)) = (inbound, writer) else {
            return Err(invalid("a protocol switch beside a body"));
        };
        switching(&response, job.outgoing.plan, &job.outgoing.request, &mut buffers.answer);
        let ends = Ends { body, client: &mut exchange.writer, upstream: (reader, writer), first: ahead.to_vec() };
        let head = std::mem::take(buffers).answer;
        let forwarded = Box::pin(switched(job, head, ends, (patience, exchange.limits))).await?;
        return Ok((Forwarded { waited, ..forwarded }, false));
    }
    check_refusal(&response, job)?;
    let uploaded = inbound.is_complete();
    let persist = exchange.request.persistent() && !exchange.closing.get() && uploaded;
    let answer = Answer { plan: job.outgoing.plan, request: job.outgoing.request, identified: job.identified, persist };
    let passing = answer.write(&response, &mut buffers.answer);
    let mut body = BodyReader::new(response.length(), ahead, reader);
    let mut down = Downstream {
        writer: &mut exchange.writer,
        patience,
        out: &mut buffers.answer,
        chunked: passing.chunked,
        response,
        edits: &job.outgoing.plan.action.response_headers,
        vigil: &job.vigil,
        stall: exchange.limits.body_timeout,
        progress: job.outgoing.plan.progress,
        read_timeout: job.upstream.read_timeout,
        begun: false,
    };
    let ended = relay(&mut body, &mut down, &mut inbound, &pace).await;
    let revoked = matches!(ended, Err(Stop::Revoked));
    let whole = ended.is_ok() && uploaded && body.finish() == (ahead.len(), Vec::new());
    let outcome = outcome(ended, down.begun, passing)?;
    let reusable = whole && leaves_connection(&response, job);
    Ok((Forwarded { status: response.status(), outcome, waited, ended: Instant::now(), revoked }, reusable))
}

/// Whether the connection may be used again behind a response. An upstream that was offered another protocol
/// may think of it otherwise (WS-3).
fn leaves_connection(response: &Response<'_>, job: &Job<'_>) -> bool {
    response.persistent() && response.length() != BodyLength::Close && job.outgoing.offer.is_none()
}

/// The request's body beside the response; and the way to the upstream where there is none.
fn inbound<'a, 'c, 'w: 'a>(
    job: &'a Job<'_>,
    body: &'a mut BodyReader<'c>,
    writer: Writer<'w>,
    (pace, gate): (&'a Pace, Option<&'a Gate>),
) -> (Inbound<'a, 'c>, Option<Writer<'w>>) {
    let Some(Rest { allowance }) = job.rest else { return (Inbound::Complete(body), Some(writer)) };
    let chunked = job.outgoing.framing == BodyLength::Chunked;
    let upload = Upload { body, writer, allowance, chunked, outgoing: &job.outgoing, pace, gate };
    (Inbound::Coming(Box::pin(upload.run())), None)
}

/// Both ends of a connection that is switched to another protocol.
struct Ends<'e, 'c, 'u> {
    body: &'e mut BodyReader<'c>,
    client: &'e mut Writer<'c>,
    upstream: (Reader<'u>, Writer<'u>),
    /// What the upstream sent behind its head.
    first: Vec<u8>,
}

/// Passes the 101 on, and then whatever comes (WS-2). The route's time was for the handshake.
async fn switched(
    job: &Job<'_>,
    head: Vec<u8>,
    ends: Ends<'_, '_, '_>,
    (mut patience, limits): (Patience<'_>, &Limits),
) -> Result<Forwarded, Failed> {
    let written = patience.within(limits.body_timeout, ends.client.write_all(&head)).await;
    if !matches!(written, Ok(Ok(()))) {
        return Err(ForwardError::ClientGone.into());
    }
    drop(head);
    let progress = job.outgoing.plan.progress;
    progress.status.set(101);
    let tally = Tally::new(progress);
    let (first, reader) = ends.body.take_over();
    let client = End { reader, writer: ends.client, first };
    let (mut reader, mut writer) = ends.upstream;
    let upstream = End { reader: &mut reader, writer: &mut writer, first: ends.first };
    let ended = carry(client, upstream, &tally, (patience.deadline, limits.tunnel_idle_timeout), &job.vigil).await;
    Ok(Forwarded {
        status: 101,
        outcome: if ended == Ended::Finished { Outcome::Close } else { Outcome::Abort },
        waited: Duration::ZERO,
        ended: Instant::now(),
        revoked: ended == Ended::Revoked,
    })
}

/// PX-16: where the upstream knows the gateway and not the client, its 401 is not the client's.
fn check_refusal(response: &Response<'_>, job: &Job<'_>) -> Result<(), ForwardError> {
    if response.status() == 401 && job.outgoing.plan.action.refusal_is_failure {
        return Err(ForwardError::Refused);
    }
    Ok(())
}

/// The head, and what is here of the body, in one write.
async fn first_write(
    job: &Job<'_>,
    writer: &mut Writer<'_>,
    patience: &mut Patience<'_>,
    buffers: &Buffers,
) -> Result<(), Failed> {
    let limit = job.upstream.response_timeout;
    let written = if buffers.early.is_empty() {
        patience.within(limit, writer.write_all(&buffers.head)).await
    } else {
        patience.within(limit, writer.write_parts([&buffers.head, &buffers.early])).await
    };
    let at_once = buffers.head.len() + buffers.early.len() <= AT_ONCE;
    match written {
        Ok(Ok(())) => Ok(()),
        Err(Elapsed) => Err(ForwardError::ResponseTimeout.into()),
        // Nothing is wrong with the server, and the next time it would be the same.
        Ok(Err(error)) if is_without_tunnels(&error) => Err(ForwardError::NoTunnels(job.upstream.name.clone()).into()),
        Ok(Err(error)) => Err(Failed {
            error: ForwardError::BadGateway(format!("writing the request: {error}")),
            stage: if at_once { Stage::Unsent } else { Stage::Unanswered },
            resent: false,
        }),
    }
}

fn outcome(ended: Result<(), Stop>, begun: bool, passing: Passing) -> Result<Outcome, ForwardError> {
    match ended {
        Ok(()) if passing.persist => Ok(Outcome::Complete),
        Ok(()) => Ok(Outcome::Close),
        Err(_) if begun => Ok(Outcome::Abort),
        Err(Stop::Upstream(error)) => Err(ForwardError::BadGateway(format!("the response's body: {error}"))),
        Err(Stop::Client) => Err(ForwardError::ClientGone),
        Err(Stop::Time) => Err(ForwardError::ResponseTimeout),
        Err(Stop::Request(error)) => Err(error),
        Err(Stop::Revoked) => Err(ForwardError::Revoked),
    }
}

/// How long a response's head may take.
struct Waits<'w> {
    job: &'w Job<'w>,
    pace: &'w Pace,
    /// How long the request's body may make no progress.
    stall: std::time::Duration,
}

impl Waits<'_> {
    /// Waits for the head, passes the request's body on meanwhile, and looks from time to time whether
    /// the client is still there.
    async fn head(
        &self,
        heads: &mut Heads<'_, '_, '_>,
        inbound: &mut Inbound<'_, '_>,
        patience: &mut Patience<'_>,
    ) -> Result<usize, Failed> {
        let mut work = pin!(heads.next());
        let mut now = self.job.start;
        loop {
            let end = (self.pace.since() + self.limit()).min(now + TICK);
            match patience.until(end, inbound.alongside(work.as_mut())).await {
                Ok(done) => return done?,
                Err(Elapsed) => now = Instant::now(),
            }
            if patience.is_over(now) {
                return Err(ForwardError::ResponseTimeout.into());
            }
            if now >= self.pace.since() + self.limit() {
                return Err(self.late().into());
            }
            if inbound.client_is_gone() {
                return Err(ForwardError::ClientGone.into());
            }
            if !self.job.vigil.holds(now).await {
                return Err(ForwardError::Revoked.into());
            }
        }
    }

    fn limit(&self) -> std::time::Duration {
        match self.pace.waiting() {
            Waiting::Client => self.stall,
            Waiting::Upstream => self.job.upstream.response_timeout,
        }
    }

    fn late(&self) -> ForwardError {
        match self.pace.waiting() {
            Waiting::Client => ForwardError::BodyStalled,
            Waiting::Upstream => ForwardError::ResponseTimeout,
        }
    }
}
