//! What follows an accepted upgrade: octets both ways, until both ends have finished (WS-2).
//!
//! Both directions are one task. A direction holds a buffer only while it carries something, and reads the
//! next piece when the one before has been taken: a slow reader slows its writer, and nothing piles up.

use super::progress::{Progress, count};
use super::vigil::Vigil;
use crate::http1::deadline::Deadline;
use crate::http1::stream::{Reader, Writer};
use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

/// A buffer, and one where as much came as the first could hold.
const BUFFER: usize = 16 * 1024;
const LARGE: usize = 64 * 1024;
/// How long the other direction may be silent once one has ended: who has gone for good often looks like
/// one who has finished.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// One end of a tunnel.
pub(super) struct End<'e, 's> {
    pub(super) reader: &'e mut Reader<'s>,
    pub(super) writer: &'e mut Writer<'s>,
    /// What was read from it already.
    pub(super) first: Vec<u8>,
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Both ends have finished.
    Finished,
    /// One was lost, or nothing came for too long.
    Broken,
    /// What the exchange was allowed by holds no more.
    Revoked,
}

/// What went through a tunnel, and when something last did.
#[derive(Debug)]
pub(super) struct Tally<'p> {
    progress: &'p Progress,
    last: Cell<Instant>,
    half_closed: Cell<bool>,
}

impl<'p> Tally<'p> {
    pub(super) fn new(progress: &'p Progress) -> Self {
        Self { progress, last: Cell::new(Instant::now()), half_closed: Cell::new(false) }
    }

    fn idle_until(&self, idle: Duration) -> Instant {
        self.last.get() + if self.half_closed.get() { idle.min(HALF_CLOSED) } else { idle }
    }
}

/// Carries octets between `client` and `upstream` until both have finished, one is lost, nothing has come
/// for `idle`, or the permit holds no more.
pub(super) async fn carry(
    client: End<'_, '_>,
    upstream: End<'_, '_>,
    tally: &Tally<'_>,
    (deadline, idle): (&mut Deadline, Duration),
    vigil: &Vigil<'_>,
) -> Ended {
    let up = flow(client.reader, client.first, upstream.writer, &tally.progress.received, tally);
    let down = flow(upstream.reader, upstream.first, client.writer, &tally.progress.sent, tally);
    let mut both = pin!(async { tokio::try_join!(up, down) });
    loop {
        let idle_until = tally.idle_until(idle);
        let end = vigil.next().map_or(idle_until, |next| next.min(idle_until));
        match deadline.until(end, both.as_mut()).await {
            Ok(Ok(_)) => return Ended::Finished,
            Ok(Err(_)) => return Ended::Broken,
            Err(_) => {}
        }
        let now = Instant::now();
        if !vigil.holds(now).await {
            return Ended::Revoked;
        }
        if now >= tally.idle_until(idle) {
            return Ended::Broken;
        }
    }
}

/// One direction: to the end of `reader`, which then is that of `writer`.
async fn flow(
    reader: &mut Reader<'_>,
    first: Vec<u8>,
    writer: &mut Writer<'_>,
    octets: &Cell<u64>,
    tally: &Tally<'_>,
) -> io::Result<()> {
    let mut buffer = first;
    loop {
        if !buffer.is_empty() {
            tally.last.set(Instant::now());
            writer.write_all(&buffer).await?;
            count(octets, buffer.len());
        }
        let full = buffer.len() == buffer.capacity() && !buffer.is_empty();
        buffer = Vec::new();
        reader.readable().await?;
        buffer.reserve_exact(if full { LARGE } else { BUFFER });
        if reader.read(&mut buffer).await? == 0 {
            tally.last.set(Instant::now());
            tally.half_closed.set(true);
            return writer.shutdown().await;
        }
    }
}
