//! A request from top to bottom, and the only place where a failure becomes a response.
//!
//! [`Worker`] holds what one thread needs and makes a `Gateway` anew when the configuration in
//! force has changed; a request keeps the one that it began with, and a long one has its token
//! checked by the one in force.

mod cors;
mod credential;
mod decision;
mod ext_authz;
mod failure;
mod judgement;
mod notes;
mod own;
mod passage;
mod recheck;
mod request_id;
mod wanted;

use crate::endpoint::{self, Endpoints, People};
use crate::enforce::bearer::Methods;
use crate::enforce::challenge::Challenge;
use crate::enforce::guard::{Directory, Guard, GuardSettings, Identity};
use crate::enforce::rate::Limiter;
use crate::http1::exchange::{Exchange, Outcome};
use crate::http1::head::HeadError;
use crate::http1::stream::Peer;
use crate::issue::{self, Clients, Issuer, Throttle};
use crate::oauth::resource::{ResourceId, Resources};
use crate::oauth::scope::ScopeTable;
use crate::page::{Branding, Pages};
use crate::people;
use crate::people::session::{self, Sessions};
use crate::people::users::Users;
use crate::proxy::fleet::Fleet;
use crate::proxy::forward::{Forwarder, Provenance};
use crate::proxy::origin::TrustedProxies;
use crate::proxy::route::RouteTable;
use crate::proxy::upstream::Upstream;
use crate::server::{HandshakeFailure, Service};
use crate::store::Store;
use crate::store::cache::TokenCache;
use crate::telemetry::{Recorder, Telemetry};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::HeaderValue;
use request_id::RequestIds;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
    /// `[login]`: who checks passwords in place of the gateway.
    pub login: Option<Arc<people::login::Login>>,
    /// `[login] issuer`: an identity provider where people may sign in.
    pub provider: Option<Arc<people::provider::Provider>>,
    /// `[bearer] methods`, for the gateway's own endpoints; routes have their own.
    pub bearer: Methods,
    /// `[bearer] realm`.
    pub realm: String,
    /// `[bearer] recheck`: how often the token of a long exchange is checked again; zero: never.
    pub recheck: Duration,
    /// Whose forwarding fields are believed.
    pub trusted: TrustedProxies,
    /// What upstreams are told of where a request comes from.
    pub provenance: Provenance,
    /// `[server] hsts`: `Strict-Transport-Security` of the gateway's own answers over https (TLS-2).
    pub hsts: Option<HeaderValue>,
    /// `[limits] form_body`: the longest form that is searched for a token: 413.
    pub form_body: usize,
    /// `[oauth] session_ttl` and `session_idle`.
    pub sessions: session::Settings,
    /// `[branding]`.
    pub branding: Arc<Branding>,
    /// `on_store_outage = "serve-cached"`.
    pub serve_cached: bool,
    /// Counts the configurations of this process.
    pub generation: u64,
}

impl Plan {
    /// The resource owners, for one worker.
    pub fn directory(&self, store: Store) -> people::directory::Directory {
        let directory = people::directory::Directory::new(Arc::clone(&self.users), store);
        directory.with_login(self.login.clone()).with_provider(self.provider.clone())
    }
}

impl Directory for Plan {
    fn has_client(&self, id: &str) -> bool {
        self.clients.get(id).is_some()
    }

    fn has_user(&self, name: &str) -> bool {
        self.users.has(name)
    }

    fn has_provided(&self, subject: &str) -> bool {
        self.provider.as_ref().is_some_and(|provider| provider.has(subject))
    }
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
    /// The counts of the routes' limits.
    pub limiter: Arc<Limiter>,
    /// What is known of the upstreams' servers.
    pub fleet: Arc<Fleet>,
    /// Logs and metrics.
    pub telemetry: Arc<Telemetry>,
}

/// One thread's gateway, always of the configuration in force.
pub struct Worker {
    shared: Arc<Shared>,
    store: Store,
    ids: RequestIds,
    current: Rc<RefCell<Rc<Gateway>>>,
}

/// How often idle connections to upstreams are looked through while no requests come.
const SWEEP: Duration = Duration::from_secs(15);

impl Worker {
    /// The gateway of the calling thread, inside its local runtime.
    pub fn new(shared: Arc<Shared>) -> Self {
        let store = shared.store.for_worker();
        let gateway = Gateway::new(&shared, shared.plan.load_full(), store.clone(), None);
        let current = Rc::new(RefCell::new(Rc::new(gateway)));
        let swept = Rc::downgrade(&current);
        tokio::task::spawn_local(async move {
            while let Some(current) = swept.upgrade() {
                current.borrow().forwarder.sweep();
                drop(current);
                tokio::time::sleep(SWEEP).await;
            }
        });
        Self { store, ids: RequestIds::new(), current, shared }
    }

    /// The gateway of the configuration in force; costs one comparison when nothing has changed.
    fn gateway(&self) -> Rc<Gateway> {
        let plan = self.shared.plan.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&plan, &current.plan) {
            let next = Gateway::new(&self.shared, Arc::clone(&plan), self.store.clone(), Some(&current.forwarder));
            *current = Rc::new(next);
        }
        Rc::clone(&current)
    }
}

impl Service for Worker {
    async fn serve(&self, exchange: &mut Exchange<'_>) -> Outcome {
        self.gateway().serve(exchange, self).await
    }

    fn accepted(&self) {
        self.shared.telemetry.counters().connections_accepted.increment();
    }

    fn handshake_failed(&self, failure: HandshakeFailure) {
        self.shared.telemetry.counters().handshake_failed(failure.as_str());
    }

    fn is_announcing(&self, peer: &Peer) -> bool {
        self.shared.plan.load().trusted.is_announcing(peer)
    }

    fn refuse(&self, error: HeadError, peer: &Peer) -> http::Response<Bytes> {
        self.gateway().refuse(error, peer, &self.ids)
    }
}

/// One configuration at work on one thread.
struct Gateway {
    plan: Arc<Plan>,
    guard: Rc<Guard>,
    endpoints: Endpoints,
    forwarder: Forwarder,
    recorder: Recorder,
    limiter: Arc<Limiter>,
    /// Where limits that nodes share are counted.
    store: Store,
    resources: Arc<Resources>,
    /// That of each resource, at its index.
    challenges: Vec<Challenge>,
    /// That of a request before it is known which resource it is for.
    challenge: Challenge,
    /// The authority of `public_url`: the host of an HTTP/1.0 request that names none.
    authority: String,
}

impl Gateway {
    fn new(shared: &Arc<Shared>, plan: Arc<Plan>, store: Store, previous: Option<&Forwarder>) -> Self {
        let settings = GuardSettings { generation: plan.generation, serve_cached: plan.serve_cached };
        let directory: Arc<dyn Directory> = Arc::clone(&plan) as Arc<dyn Directory>;
        let guard = Guard::new(
            store.clone(),
            Arc::clone(&shared.cache),
            Arc::clone(&plan.scopes),
            Arc::clone(&plan.issue.resources),
            directory,
            settings,
        );
        let guard = Rc::new(guard);
        let people = People {
            directory: plan.directory(store.clone()),
            sessions: Sessions::new(store.clone(), plan.sessions),
            pages: Pages::new(Arc::clone(&plan.branding), &endpoint::base_path(&plan.issue)),
            store: store.clone(),
        };
        let issuer = Issuer::new(
            Arc::clone(&plan.issue),
            Arc::clone(&plan.clients),
            people.directory.clone(),
            Arc::clone(&plan.scopes),
            store.clone(),
            Arc::clone(&shared.throttle),
        );
        let settings = endpoint::Settings { realm: plan.realm.clone(), bearer: plan.bearer };
        let routes = plan.routes.routes().iter().map(|route| route.spec.name.clone()).collect();
        Self {
            endpoints: Endpoints::new(Rc::new(issuer), Rc::clone(&guard), people, settings),
            forwarder: Forwarder::new(&plan.upstreams, &shared.fleet, previous),
            recorder: shared.telemetry.recorder(routes),
            challenges: plan.issue.resources.iter().map(|resource| challenge(&plan, &resource.identifier)).collect(),
            challenge: challenge(&plan, &plan.issue.issuer),
            resources: Arc::clone(&plan.issue.resources),
            limiter: Arc::clone(&shared.limiter),
            store,
            authority: own::authority(&plan.issue.issuer).to_owned(),
            guard,
            plan,
        }
    }

    /// The challenge of a resource (R9728-5.1a).
    fn challenge(&self, resource: ResourceId) -> &Challenge {
        self.challenges.get(resource.index()).unwrap_or(&self.challenge)
    }
}

fn challenge(plan: &Plan, resource: &str) -> Challenge {
    Challenge::new(&plan.realm, Some(&endpoint::resource_metadata_url(resource)))
}
