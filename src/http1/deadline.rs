//! Timeouts that cost a connection one timer, not one a phase: the timer is armed once and moved
//! only when it fires too early or would fire too late.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time is up")]
pub struct Elapsed;

/// The one timer of a connection.
#[derive(Debug, Default)]
pub struct Deadline {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// A timer that is not armed.
    pub const fn new() -> Self {
        Self { sleep: None }
    }

    /// Runs `work` for `limit` at most. A `work` that is ready at once costs no timer operation.
    ///
    /// # Errors
    /// When `limit` passes first; `work` is dropped.
    pub async fn within<F: Future>(&mut self, limit: Duration, work: F) -> Result<F::Output, Elapsed> {
        self.within_both(limit, None, work).await
    }

    /// Runs `work` for `limit` at most, and until the moment `last` at most, where there is one.
    ///
    /// # Errors
    /// When either passes first; `work` is dropped.
    pub async fn within_both<F: Future>(
        &mut self,
        limit: Duration,
        last: Option<Instant>,
        work: F,
    ) -> Result<F::Output, Elapsed> {
        let mut work = pin!(work);
        let mut end = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            // The clock is read only when there is something to wait for.
            let end = *end.get_or_insert_with(|| {
                let end = Instant::now() + limit;
                last.map_or(end, |last| last.min(end))
            });
            self.poll_end(end, context).map(Err)
        })
        .await
    }

    /// Runs `work` until the moment `end` at most.
    ///
    /// # Errors
    /// When `end` comes first; `work` is dropped.
    pub async fn until<F: Future>(&mut self, end: Instant, work: F) -> Result<F::Output, Elapsed> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => self.poll_end(end, context).map(Err),
        })
        .await
    }

    /// Ready at `end`. A timer that is armed for an earlier moment is left alone: it wakes the task
    /// for nothing once, which is cheaper than moving it for each phase of each request.
    fn poll_end(&mut self, end: Instant, context: &mut Context<'_>) -> Poll<Elapsed> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if sleep.deadline() > end {
            sleep.as_mut().reset(end);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= end {
                // The next phase arms it anew.
                self.sleep = None;
                return Poll::Ready(Elapsed);
            }
            sleep.as_mut().reset(end);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    fn paused<F: Future>(work: F) -> F::Output {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap().block_on(work)
    }

    #[test]
    fn each_phase_has_its_own_time_whatever_was_armed_before() {
        paused(async {
            let mut deadline = Deadline::new();
            assert_eq!(deadline.within(Duration::from_secs(60), ready(1)).await, Ok(1));
            assert!(deadline.sleep.is_none());
            for (seconds, phase) in [(60, 10), (10, 60), (1, 1), (30, 5)] {
                let long = tokio::time::sleep(Duration::from_millis(1));
                deadline.within(Duration::from_secs(seconds), long).await.unwrap();
                let began = Instant::now();
                assert_eq!(deadline.within(Duration::from_secs(phase), pending::<()>()).await, Err(Elapsed));
                assert_eq!(began.elapsed().as_secs(), phase);
            }
        });
    }

    #[test]
    fn a_moment_in_the_past_is_over_at_once() {
        paused(async {
            let mut deadline = Deadline::new();
            let now = Instant::now();
            assert_eq!(deadline.until(now, pending::<()>()).await, Err(Elapsed));
            assert_eq!(deadline.until(now, ready(())).await, Ok(()));
        });
    }
}
