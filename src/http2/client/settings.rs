//! Whether the SETTINGS of a server have come. A connection is used before they are there; only who needs
//! to know what stands in them waits for them.

use h2::{Ping, PingPong};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The SETTINGS that a server begins with.
#[derive(Debug)]
pub(super) struct Settings {
    /// Until somebody asks.
    ping: RefCell<Option<PingPong>>,
    waiting: Rc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    known: Cell<bool>,
    /// Who waits, by the number of its stream.
    wakers: RefCell<Vec<(u64, Waker)>>,
}

impl Settings {
    pub(super) fn new(ping: Option<PingPong>) -> Self {
        Self { ping: RefCell::new(ping), waiting: Rc::default() }
    }

    /// Whether they have come, as far as somebody has asked; or the connection is lost.
    pub(super) fn are_known(&self) -> bool {
        self.waiting.known.get()
    }

    /// Ready when they have come, or the connection is lost: the answer to a PING stands behind them.
    pub(super) fn poll_known(&self, number: u64, context: &Context<'_>) -> Poll<()> {
        if self.waiting.known.get() {
            return Poll::Ready(());
        }
        self.leave(number);
        self.waiting.wakers.borrow_mut().push((number, context.waker().clone()));
        if let Some(mut ping) = self.ping.take() {
            let waiting = Rc::clone(&self.waiting);
            tokio::task::spawn_local(async move {
                if let Err(error) = ping.ping(Ping::opaque()).await {
                    tracing::debug!(%error, "an HTTP/2 connection ended before its server's settings were known");
                }
                waiting.known.set(true);
                waiting.wakers.take().into_iter().for_each(|(_, waker)| waker.wake());
            });
        }
        Poll::Pending
    }

    /// The stream of this number waits no more.
    pub(super) fn leave(&self, number: u64) {
        self.waiting.wakers.borrow_mut().retain(|(waiting, _)| *waiting != number);
    }
}
