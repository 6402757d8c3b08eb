//! Whether what a request was allowed by still holds, asked from time to time while a long exchange goes
//! on (PX-15). A short one never asks.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::Instant;

/// Who knows whether a permit still holds.
pub trait Watch: fmt::Debug {
    /// Whether it does, now.
    fn holds<'w>(&'w self) -> Pin<Box<dyn Future<Output = bool> + 'w>>;
}

/// Whom to ask, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'w> {
    /// Whom.
    pub watch: &'w dyn Watch,
    /// How often; not zero.
    pub every: Duration,
}

/// The watch over one exchange.
#[derive(Debug)]
pub(super) struct Vigil<'w> {
    watched: Option<Watched<'w>>,
    next: Cell<Instant>,
}

impl<'w> Vigil<'w> {
    pub(super) fn new(watched: Option<Watched<'w>>, start: Instant) -> Self {
        let next = watched.map_or(start, |watched| start + watched.every);
        Self { watched, next: Cell::new(next) }
    }

    /// When is to be asked next; `None`: never.
    pub(super) fn next(&self) -> Option<Instant> {
        self.watched.map(|_| self.next.get())
    }

    /// Whether the permit still holds at `now`, as far as it is time to ask.
    pub(super) async fn holds(&self, now: Instant) -> bool {
        let Some(watched) = self.watched.filter(|_| now >= self.next.get()) else { return true };
        self.next.set(now + watched.every);
        watched.watch.holds().await
    }

    /// As [`holds`](Self::holds), for an exchange that is never silent: reads the clock where there is
    /// something to ask at all.
    pub(super) async fn still_holds(&self) -> bool {
        self.watched.is_none() || self.holds(Instant::now()).await
    }
}
