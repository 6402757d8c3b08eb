//! The request's body on its way to the upstream, beside whatever else goes on: a response may come
//! before the request is complete, and then both go on at the same time.

use super::ForwardError;
use super::gate::Gate;
use super::progress::count;
use super::request::Outgoing;
use crate::http1::body::{BodyError, BodyReader, CHUNK_END, chunk_head};
use crate::http1::deadline::{Deadline, Elapsed};
use crate::http1::stream::Writer;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// What comes from the client while its response is awaited or passed on.
pub(super) enum Inbound<'a, 'c> {
    /// The body is still coming.
    Coming(Pin<Box<dyn Future<Output = Uploaded<'a, 'c>> + 'a>>),
    /// It has been sent to its end.
    Complete(&'a mut BodyReader<'c>),
    /// The upstream takes no more of it.
    Stopped(&'a mut BodyReader<'c>),
    /// It broke off.
    Broken,
}

/// What became of an upload: the state that follows it, or why the body broke off.
pub(super) type Uploaded<'a, 'c> = Result<Inbound<'a, 'c>, ForwardError>;

impl Inbound<'_, '_> {
    /// Does `work`, and passes the body on meanwhile.
    ///
    /// # Errors
    /// When the body breaks off; `work` is dropped.
    pub(super) async fn alongside<T>(&mut self, work: impl Future<Output = T>) -> Result<T, ForwardError> {
        if !matches!(self, Self::Coming(_)) {
            return Ok(work.await);
        }
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Err(error) = self.advance(context) {
                return Poll::Ready(Err(error));
            }
            work.as_mut().poll(context).map(Ok)
        })
        .await
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Result<(), ForwardError> {
        if let Self::Coming(upload) = self
            && let Poll::Ready(uploaded) = upload.as_mut().poll(context)
        {
            *self = Self::Broken;
            *self = uploaded?;
        }
        Ok(())
    }

    /// Whether the whole body has been sent.
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }

    /// Whether the client has ended its side of the connection or lost it, without waiting and
    /// without reading: what is there belongs to the next request.
    pub(super) fn client_is_gone(&mut self) -> bool {
        match self {
            Self::Complete(body) | Self::Stopped(body) => body.reader().is_closed(),
            Self::Coming(_) | Self::Broken => false,
        }
    }
}

/// What an upload is made of.
pub(super) struct Upload<'a, 'c, 'w> {
    pub(super) body: &'a mut BodyReader<'c>,
    pub(super) writer: Writer<'w>,
    /// How many octets may still come.
    pub(super) allowance: Option<u64>,
    pub(super) chunked: bool,
    pub(super) outgoing: &'a Outgoing<'a>,
    pub(super) pace: &'a Pace,
    /// What it waits at before it is read.
    pub(super) gate: Option<&'a Gate>,
}

impl<'a, 'c> Upload<'a, 'c, '_> {
    /// Passes the body on, piece by piece: a piece is read when the one before has been taken.
    pub(super) async fn run(mut self) -> Uploaded<'a, 'c> {
        if !self.admitted().await? {
            return Ok(Inbound::Stopped(self.body));
        }
        let mut frame = Vec::new();
        loop {
            self.pace.wait_for(Waiting::Client);
            let Some(piece) = self.body.next().await.map_err(refused)? else { break };
            let size = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if let Some(allowance) = &mut self.allowance {
                *allowance = allowance.checked_sub(size).ok_or(ForwardError::BodyTooLarge)?;
            }
            count(&self.outgoing.plan.progress.received, piece.len());
            self.pace.wait_for(Waiting::Upstream);
            let written = if self.chunked {
                frame.clear();
                chunk_head(&mut frame, piece.len());
                self.writer.write_parts([&frame, piece, CHUNK_END]).await
            } else {
                self.writer.write_all(piece).await
            };
            if written.is_err() {
                return Ok(Inbound::Stopped(self.body));
            }
        }
        self.pace.wait_for(Waiting::Upstream);
        if self.chunked {
            frame.clear();
            self.outgoing.last_chunk(self.body, &mut frame);
            if self.writer.write_all(&frame).await.is_err() {
                return Ok(Inbound::Stopped(self.body));
            }
        }
        self.pace.wait_for(Waiting::Upstream);
        Ok(Inbound::Complete(self.body))
    }

    /// Waits until the body may pass; `false`: it is not wanted. A client that sends it all the same does not
    /// wait: holding that back would help nobody.
    async fn admitted(&mut self) -> Result<bool, ForwardError> {
        let Some(gate) = self.gate else { return Ok(true) };
        tokio::select! {
            biased;
            passed = gate.passed() => Ok(passed),
            arrived = self.body.arrived() => {
                arrived.map_err(refused)?;
                gate.open();
                Ok(true)
            }
        }
    }
}

/// What a body that cannot be read means for the request.
pub(super) fn refused(error: BodyError) -> ForwardError {
    match error {
        BodyError::Io(_) => ForwardError::ClientGone,
        BodyError::Malformed(why) => ForwardError::BadBody(why),
        BodyError::Truncated => ForwardError::BadBody("it ends early"),
    }
}

/// Whom an exchange waits for, and since when.
#[derive(Debug)]
pub(super) struct Pace {
    waiting: Cell<Waiting>,
    since: Cell<Instant>,
}

/// Whom an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The next piece of the request's body.
    Client,
    /// The upstream: to take a piece, or to respond.
    Upstream,
}

impl Pace {
    pub(super) const fn new(since: Instant) -> Self {
        Self { waiting: Cell::new(Waiting::Upstream), since: Cell::new(since) }
    }

    fn wait_for(&self, waiting: Waiting) {
        self.waiting.set(waiting);
        self.since.set(Instant::now());
    }

    pub(super) fn waiting(&self) -> Waiting {
        self.waiting.get()
    }

    pub(super) fn since(&self) -> Instant {
        self.since.get()
    }
}

/// The connection's timer, and the moment at which the route's time is up.
#[derive(Debug)]
pub(super) struct Patience<'d> {
    pub(super) deadline: &'d mut Deadline,
    pub(super) until: Option<Instant>,
}

impl Patience<'_> {
    /// Does `work` within `limit` and within the route's time.
    pub(super) async fn within<F: Future>(&mut self, limit: Duration, work: F) -> Result<F::Output, Elapsed> {
        self.deadline.within_both(limit, self.until, work).await
    }

    /// Does `work` until the moment `end`, and within the route's time.
    pub(super) async fn until<F: Future>(&mut self, end: Instant, work: F) -> Result<F::Output, Elapsed> {
        self.deadline.until(self.until.map_or(end, |until| until.min(end)), work).await
    }

    /// Whether the route's time is up.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}
