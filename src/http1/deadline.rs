//! Timeouts that cost a connection one timer, not one a phase: the timer is armed once and moved
//! only when it fires too early or would fire too late.

use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

/// Too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time is up")]
pub struct Elapsed;

/// The one timer of a connection.
#[derive(Debug)]
pub struct Deadline {
    // Private to this module.
}

impl Deadline {
    /// A timer that is not armed.
    pub fn new() -> Self {
        todo!()
    }

    /// Runs `work` for `limit` at most. A `work` that is ready at once costs no timer operation.
    ///
    /// # Errors
    /// When `limit` passes first; `work` is dropped.
    pub async fn within<F: Future>(&mut self, limit: Duration, work: F) -> Result<F::Output, Elapsed> {
        let _ = (limit, work);
        todo!()
    }

    /// Runs `work` until the moment `end` at most.
    ///
    /// # Errors
    /// When `end` comes first; `work` is dropped.
    pub async fn until<F: Future>(&mut self, end: Instant, work: F) -> Result<F::Output, Elapsed> {
        let _ = (end, work);
        todo!()
    }
}
