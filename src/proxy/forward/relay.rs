//! The response's content on its way to the client, in pieces: the next one is read when the one
//! before has been taken (H-body-4).

use super::ForwardError;
use super::inbound::{Inbound, Pace, Patience};
use super::progress::{Progress, count};
use super::trailers;
use super::vigil::Vigil;
use crate::http1::body::{BodyError, BodyReader, CHUNK_END, chunk_head};
use crate::http1::head::Response;
use crate::http1::stream::Writer;
use crate::proxy::route::HeaderEdits;
use std::time::Duration;
use tokio::time::Instant;

/// Chunks up to this much are gathered into one write; copying them is cheaper than a system call.
const GATHERED: usize = 16 * 1024;
/// How often a slow exchange looks whether the client is still there.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Why a response is not passed on to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client takes no more, or sends no more of its request.
    Client,
    /// The upstream broke off or is malformed.
    Upstream(BodyError),
    /// The route's time is up, or the upstream has sent nothing for too long.
    Time,
    /// The request's body cannot be passed on.
    Request(ForwardError),
    /// What the exchange was allowed by holds no more (PX-15).
    Revoked,
}

/// The client's side of a response.
pub(super) struct Downstream<'d, 'c> {
    pub(super) writer: &'d mut Writer<'c>,
    pub(super) patience: Patience<'d>,
    /// What is not written yet; at first, the head.
    pub(super) out: &'d mut Vec<u8>,
    pub(super) chunked: bool,
    /// What the content belongs to, and what the operator changes of its fields.
    pub(super) response: Response<'d>,
    pub(super) edits: &'d HeaderEdits,
    pub(super) vigil: &'d Vigil<'d>,
    /// How long a write may take.
    pub(super) stall: Duration,
    /// Where is noted what the client got.
    pub(super) progress: &'d Progress,
    /// How long the upstream may send nothing; `None`: as long as it likes.
    pub(super) read_timeout: Option<Duration>,
    /// Something has been written: there is no other response any more.
    pub(super) begun: bool,
}

/// Passes `body` on to its end. The head goes together with what is already there of the content.
pub(super) async fn relay(
    body: &mut BodyReader<'_>,
    down: &mut Downstream<'_, '_>,
    inbound: &mut Inbound<'_, '_>,
    pace: &Pace,
) -> Result<(), Stop> {
    let mut silent = Duration::ZERO;
    loop {
        if let Some(piece) = body.next_ready().map_err(Stop::Upstream)? {
            down.put(piece, inbound).await?;
        } else if body.is_complete() {
            return down.finish(body, inbound).await;
        } else {
            down.flush(inbound).await?;
            let tick = down.read_timeout.map_or(TICK, |limit| limit.saturating_sub(silent).min(TICK));
            let next = inbound.alongside(down.patience.within(tick, body.next())).await.map_err(Stop::Request)?;
            if !down.vigil.still_holds().await {
                return Err(Stop::Revoked);
            }
            match next {
                Ok(Ok(Some(piece))) => {
                    silent = Duration::ZERO;
                    down.put(piece, inbound).await?;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => return Err(Stop::Upstream(error)),
                Err(_) => {
                    silent += tick;
                    if down.read_timeout.is_some_and(|limit| silent >= limit) {
                        return Err(Stop::Time);
                    }
                    down.look(inbound, pace)?;
                }
            }
        }
    }
}

impl Downstream<'_, '_> {
    async fn put(&mut self, piece: &[u8], inbound: &mut Inbound<'_, '_>) -> Result<(), Stop> {
        if self.chunked {
            chunk_head(self.out, piece.len());
            if self.out.len() + piece.len() <= GATHERED {
                self.out.extend_from_slice(piece);
                self.out.extend_from_slice(CHUNK_END);
            } else {
                self.write([piece, CHUNK_END], inbound).await?;
            }
        } else {
            self.write([piece], inbound).await?;
        }
        count(&self.progress.sent, piece.len());
        Ok(())
    }

    async fn finish(&mut self, body: &BodyReader<'_>, inbound: &mut Inbound<'_, '_>) -> Result<(), Stop> {
        if self.chunked {
            trailers::last_chunk(body.trailers(), self.response.connection(), self.edits, self.out);
        }
        self.flush(inbound).await
    }

    async fn flush(&mut self, inbound: &mut Inbound<'_, '_>) -> Result<(), Stop> {
        if self.out.is_empty() { Ok(()) } else { self.write([], inbound).await }
    }

    /// Writes what was gathered, and `parts` behind it.
    async fn write<const N: usize>(&mut self, parts: [&[u8]; N], inbound: &mut Inbound<'_, '_>) -> Result<(), Stop> {
        let mut all: [&[u8]; 3] = [self.out, &[], &[]];
        for (to, part) in all.iter_mut().skip(1).zip(parts) {
            *to = part;
        }
        self.begun = true;
        self.progress.status.set(self.response.status());
        let write = self.writer.write_parts(all);
        let written = inbound.alongside(self.patience.within(self.stall, write)).await.map_err(Stop::Request)?;
        self.out.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Stop::Client),
        }
    }

    /// Nothing came from the upstream for a while: is there still somebody who waits for it?
    fn look(&mut self, inbound: &mut Inbound<'_, '_>, pace: &Pace) -> Result<(), Stop> {
        let now = Instant::now();
        if self.patience.is_over(now) {
            return Err(Stop::Time);
        }
        // Who neither sends nor takes more of a request that is not complete is not waited for.
        let stalled = matches!(inbound, Inbound::Coming(_)) && now.duration_since(pace.since()) >= self.stall;
        if stalled || inbound.client_is_gone() { Err(Stop::Client) } else { Ok(()) }
    }
}
