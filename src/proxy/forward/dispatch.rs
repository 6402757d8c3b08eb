//! Where a request goes, and whether it goes again.

use super::attempt::{Failed, Job, Stage};
use super::balance::{Servers, Tried, View};
use super::pool::Node;
use super::{Buffers, ForwardError, Forwarded, Forwarder, try_server};
use crate::http1::exchange::Exchange;
use tokio::time::Instant;

/// Addresses of one name that a request may find refusing before that counts as a retry.
const MOST_DETOURS: u32 = 8;

impl Forwarder {
    /// One server after the other, as far as that may be done.
    pub(super) async fn dispatch(
        &self,
        job: &Job<'_>,
        servers: &Servers,
        exchange: &mut Exchange<'_>,
        buffers: &mut Buffers,
    ) -> Result<Forwarded, ForwardError> {
        let upstream = job.upstream;
        let limit = job.left(job.start).min(upstream.connect_timeout);
        let busy = || ForwardError::Busy(upstream.name.clone());
        let _place = servers.place(limit).await.ok_or_else(busy)?;
        servers.count();
        let mut view = servers.view(job.start);
        if view.is_empty() {
            view = Box::pin(servers.resolved(limit, job.start)).await;
        }
        let mut tried = Tried::default();
        let (mut retries, mut detours) = (upstream.retries, MOST_DETOURS);
        let mut now = job.start;
        loop {
            let Some((position, node)) = servers.choose(&view, tried, &self.dice, now) else {
                return Err(nobody(job, &view));
            };
            let failed = match try_server(job, node, exchange, buffers).await {
                Ok(forwarded) => {
                    node.standing.succeeded(forwarded.ended);
                    return Ok(forwarded);
                }
                Err(failed) => failed,
            };
            now = Instant::now();
            tried.add(position);
            note(job, servers, node, &failed.error, now);
            if detours > 0 && is_elsewhere(&failed, node, &view, tried) {
                detours -= 1;
                continue;
            }
            // A request that met a dead connection may have gone out already: that was its second time.
            retries = retries.saturating_sub(u32::from(failed.resent));
            let again = retries > 0 && may_repeat(job, failed.stage, &view, tried);
            if !again || !servers.group.may_retry(now) {
                return Err(failed.error);
            }
            retries -= 1;
            if !view.has_other(tried) {
                tried = Tried::default();
            }
        }
    }
}

/// There is no server for a request.
fn nobody(job: &Job<'_>, view: &View) -> ForwardError {
    let name = &job.upstream.name;
    if view.is_empty() {
        ForwardError::BadGateway(format!("no server of the upstream `{name}` has an address"))
    } else {
        ForwardError::Unhealthy(name.clone())
    }
}

/// Whether a request may be sent again at all (H-retry).
fn may_repeat(job: &Job<'_>, stage: Stage, view: &View, tried: Tried) -> bool {
    match stage {
        Stage::Connecting => view.has_other(tried),
        Stage::Unsent | Stage::Unanswered => job.repeatable,
        Stage::Final => false,
    }
}

/// Whether one address of a name has refused and another one is there: that costs next to nothing, and
/// is no second try of the server.
fn is_elsewhere(failed: &Failed, node: &Node, view: &View, tried: Tried) -> bool {
    failed.stage == Stage::Connecting
        && !matches!(failed.error, ForwardError::ConnectTimeout)
        && view.has_other_address(node, tried)
}

/// What a failed try says about the server, where it does: not when the client or the route had no more
/// time, nor what a client could bring about with every server.
fn note(job: &Job<'_>, servers: &Servers, node: &Node, error: &ForwardError, now: Instant) {
    let is_late = matches!(error, ForwardError::ResponseTimeout) && !job.left(now).is_zero();
    let counts = is_late || matches!(error, ForwardError::BadGateway(_) | ForwardError::ConnectTimeout);
    if let Some(ejection) = job.upstream.ejection.as_ref().filter(|_| counts) {
        servers.group.failed(&node.member, &node.standing, ejection, now);
    }
}
