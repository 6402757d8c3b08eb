//! What holds a request's body back while its client waits for `100 Continue` (H-exp-1): the upstream's
//! word opens it, or the upstream's silence; a final status closes it.

use std::cell::Cell;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long the upstream's word is waited for: not every one knows the expectation (RFC 9110 section 10.1.1).
const SILENCE: Duration = Duration::from_secs(1);

/// What a body waits at.
#[derive(Debug)]
pub(super) struct Gate {
    position: Cell<Position>,
    changed: Notify,
    /// When it is opened without the upstream's word.
    pub(super) until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Held,
    Open,
    Closed,
}

impl Gate {
    /// A gate that is held at `now`, in front of an upstream that may take `response_timeout` to respond:
    /// it is opened while there is still time for that.
    pub(super) fn new(now: Instant, response_timeout: Duration) -> Self {
        let until = now + SILENCE.min(response_timeout / 2);
        Self { position: Cell::new(Position::Held), changed: Notify::new(), until }
    }

    /// Whether nothing has been decided yet.
    pub(super) fn is_held(&self) -> bool {
        self.position.get() == Position::Held
    }

    /// The body may pass. Says whether it was this that opened the gate.
    pub(super) fn open(&self) -> bool {
        self.become_once(Position::Open)
    }

    /// The body is not wanted any more, unless it is passing already.
    pub(super) fn close(&self) {
        self.become_once(Position::Closed);
    }

    /// Waits until something is decided: whether the body may pass.
    pub(super) async fn passed(&self) -> bool {
        while self.is_held() {
            self.changed.notified().await;
        }
        self.position.get() == Position::Open
    }

    fn become_once(&self, position: Position) -> bool {
        let held = self.is_held();
        if held {
            self.position.set(position);
            self.changed.notify_one();
        }
        held
    }
}
