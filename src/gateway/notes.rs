//! What is known of a request when it ends, for the log and the metrics.

use super::decision::Described;
use super::failure::append;
use crate::clock::{self, Timestamp};
use crate::enforce::guard::Identity;
use crate::enforce::rate::Standing;
use crate::http1::head::Request;
use crate::oauth::resource::ResourceId;
use crate::proxy::cors::Cors;
use crate::proxy::route::Route;
use crate::telemetry::Verdict;
use http::HeaderMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is known of a request.
pub(super) struct Notes<'g> {
    began: (Timestamp, Instant),
    now: Instant,
    pub(super) route: Option<&'g Route>,
    /// Which pages may read the answer.
    pub(super) cors: Option<&'g Cors>,
    pub(super) resource: ResourceId,
    pub(super) identity: Option<Arc<Identity>>,
    /// Where the client stands with the route's limit.
    pub(super) standing: Option<Standing>,
    pub(super) verdict: Verdict,
    pub(super) reason: &'static str,
    pub(super) status: u16,
    pub(super) upstream: Option<Duration>,
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
            cors: None,
            resource: ResourceId::GATEWAY,
            identity: None,
            standing: None,
            verdict: Verdict::Public,
            reason: "ok",
            status: 0,
            upstream: None,
            described: None,
            client: None,
        }
    }

    /// Adds to an answer of the gateway's own what concerns the client's limit and other origins' pages
    /// (PX-11).
    pub(super) fn complete(&self, fields: &mut HeaderMap, request: &Request<'_>) {
        if let Some(standing) = &self.standing {
            standing.fields().iter().for_each(|(name, value)| append(fields, name, value));
        }
        if let Some(cors) = self.cors {
            cors.response(request.values("origin")).for_each(|(name, value)| append(fields, name, value));
        }
    }

    /// Reads the clock. To be called after something was waited for, and nowhere else: a reading
    /// costs as much as the look into the cache.
    pub(super) fn waited(&mut self) {
        self.now = Instant::now();
    }

    /// It was cut off from outside; the client has got as much as `status`, which is 0 for nothing.
    pub(super) fn cut(&mut self, status: u16) {
        self.waited();
        if self.status == 0 {
            self.status = status;
        }
        if self.reason == "ok" {
            self.reason = "shutdown";
        }
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
