//! A request from top to bottom, and the only place where a failure becomes a response.

use crate::endpoint::Endpoints;
use crate::enforce::bearer::Methods;
use crate::enforce::guard::{Directory, Guard, Identity};
use crate::http1::exchange::{Exchange, Outcome};
use crate::issue::{self, Clients, Throttle};
use crate::oauth::scope::ScopeTable;
use crate::people::users::Users;
use crate::proxy::forward::Forwarder;
use crate::proxy::origin::TrustedProxies;
use crate::proxy::route::RouteTable;
use crate::proxy::upstream::Upstream;
use crate::server::Service;
use crate::store::Store;
use crate::store::cache::TokenCache;
use crate::telemetry::{Recorder, Telemetry};
use arc_swap::ArcSwap;
use std::sync::Arc;

/// One configuration, compiled: everything that a reload replaces, shared by all workers.
pub struct Plan {
    /// Every route.
    pub routes: RouteTable,
    /// Every upstream, at its `index`.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Every scope.
    pub scopes: Arc<ScopeTable>,
    /// The clients of the configuration.
    pub clients: Arc<Clients>,
    /// The resource owners of the configuration.
    pub users: Arc<Users>,
    /// How tokens are issued.
    pub issue: Arc<issue::Settings>,
    /// `[bearer] methods`, for the gateway's own endpoints; routes have their own.
    pub bearer: Methods,
    /// `[bearer] realm`.
    pub realm: String,
    /// Whose forwarding fields are believed.
    pub trusted: TrustedProxies,
    /// `[limits] form_body`: the longest form that is searched for a token: 413.
    pub form_body: usize,
    /// `on_store_outage = "serve-cached"`.
    pub serve_cached: bool,
    /// Counts the configurations of this process.
    pub generation: u64,
}

/// What lives as long as the process: one, shared by all workers.
pub struct Shared {
    /// The configuration in force.
    pub plan: ArcSwap<Plan>,
    /// The store.
    pub store: Store,
    /// The cache of tokens.
    pub cache: Arc<TokenCache<Arc<Identity>>>,
    /// Failed attempts.
    pub throttle: Arc<Throttle>,
    /// Logs and metrics.
    pub telemetry: Arc<Telemetry>,
}
