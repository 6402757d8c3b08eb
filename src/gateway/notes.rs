//! What is known of a request when it ends, for the log and the metrics.

use super::decision::Described;
use crate::clock::{self, Timestamp};
use crate::enforce::guard::Identity;
use crate::oauth::resource::ResourceId;
use crate::proxy::route::Route;
use crate::telemetry::Verdict;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is known of a request.
pub(super) struct Notes<'g> {
    began: (Timestamp, Instant),
    now: Instant,
    pub(super) route: Option<&'g Route>,
    pub(super) resource: ResourceId,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) verdict: Verdict,
    pub(super) reason: &'static str,
    pub(super) status: u16,
    pub(super) upstream: Option<Duration>,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// The request that a decision was asked for, which the log is about.
    pub(super) described: Option<Box<Described>>,
    /// Who sent that request, where the proxy says so outside of the usual fields.
    pub(super) client: Option<IpAddr>,
}

impl Notes<'_> {
    /// Those of a request that begins now.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self {
            began: (clock::now(), now),
            now,
            route: None,
            resource: ResourceId::GATEWAY,
            identity: None,
            verdict: Verdict::Public,
            reason: "ok",
            status: 0,
            upstream: None,
            sent: 0,
            received: 0,
            described: None,
            client: None,
        }
    }

    /// Reads the clock. To be called after something was waited for, and nowhere else: a reading
    /// costs as much as the look into the cache.
    pub(super) fn waited(&mut self) {
        self.now = Instant::now();
    }

    /// Takes over a reading of the clock.
    pub(super) const fn waited_until(&mut self, now: Instant) {
        self.now = now;
    }

    /// Now.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// Now, by the wall clock.
    pub(super) fn timestamp(&self) -> Timestamp {
        self.began.0.plus(self.duration())
    }

    /// The time since the request began.
    pub(super) fn duration(&self) -> Duration {
        self.now.duration_since(self.began.1)
    }
}
