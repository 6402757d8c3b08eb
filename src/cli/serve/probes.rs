//! Probes and metrics on the listener of `[telemetry]`.

use super::{Phase, refusal};
use crate::gateway::Shared;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::HeadError;
use crate::http1::stream::Peer;
use crate::server::{Load, Service};
use crate::store::cache::CacheNumbers;
use crate::telemetry::{FeedNumbers, Probes, Readiness};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// `/livez`, `/readyz`, `/metrics`.
pub(super) struct ProbeService {
    /// What is answered.
    pub(super) probes: Probes,
    /// What is measured.
    pub(super) shared: Arc<Shared>,
    /// Where the process is in its life.
    pub(super) phase: Rc<Cell<Phase>>,
    /// The client connections.
    pub(super) load: Load,
}

impl ProbeService {
    fn readiness(&self) -> Readiness {
        match self.phase.get() {
            Phase::Starting => Readiness::Starting,
            Phase::Draining => Readiness::Draining,
            Phase::Serving if self.shared.store.is_trusted() => Readiness::Ready,
            // A store that has never answered has left nothing to serve.
            Phase::Serving if self.shared.plan.load().serve_cached && self.shared.store.tag_keys().is_ok() => {
                Readiness::Degraded
            }
            Phase::Serving => Readiness::StoreOut,
        }
    }
}

impl Service for ProbeService {
    async fn serve(&self, exchange: &mut Exchange<'_>) -> Outcome {
        let CacheNumbers { entries, bytes, shared, invalidated } = self.shared.cache.numbers();
        let counters = self.shared.telemetry.counters();
        counters.cache_entries.set(entries);
        counters.cache_bytes.set(bytes);
        counters.show_feed(FeedNumbers { shared, invalidated, age: self.shared.store.feed_age() });
        counters.connections.set(self.load.open());
        counters.store_up.set(self.shared.store.is_trusted().into());
        counters.show_upstreams(self.shared.fleet.numbers());
        let target = exchange.request.target();
        let path = target.split(|octet| *octet == b'?').next().unwrap_or_default();
        let path = std::str::from_utf8(path).unwrap_or_default();
        let response = match Method::from_bytes(exchange.request.method().as_bytes()) {
            Ok(method) => self.probes.respond(&method, path, || self.readiness()),
            Err(_) => refusal(StatusCode::BAD_REQUEST),
        };
        exchange.respond(response).await
    }

    fn refuse(&self, _: HeadError, _: &Peer) -> Response<Bytes> {
        refusal(StatusCode::BAD_REQUEST)
    }
}
