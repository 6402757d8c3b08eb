//! The operator's API in this process.

use super::super::output::Failure;
use crate::admin::{Admin, Transport};
use crate::config::Configuration;
use crate::enforce::guard::{Directory, Guard, GuardSettings, Identity};
use crate::gateway::Plan;
use crate::issue::{Issuer, Throttle};
use crate::store::cache::TokenCache;
use crate::store::{Listener, Store};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// The store, opened by this process.
pub(in crate::cli) struct Local {
    admin: Admin,
    runtime: Runtime,
}

impl Local {
    /// Opens the store of a configuration.
    pub(super) fn open(configuration: &Configuration) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("the runtime cannot be made: {error}"))?;
        let store = runtime.block_on(Store::open(&configuration.store)).map_err(|error| error.to_string())?;
        let cache = TokenCache::new(configuration.cache);
        store.listen(Arc::clone(&cache) as Arc<dyn Listener>);
        let admin = over(&configuration.plan, store, cache, Arc::new(Throttle::new()));
        Ok(Self { admin, runtime })
    }

    pub(super) fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let mut request = Request::new(body.map(|body| Bytes::from(body.to_string())).unwrap_or_default());
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.parse().map_err(|error| format!("the request cannot be made: {error}"))?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.runtime.block_on(self.admin.handle(request, Transport::Private));
        let answer = serde_json::from_slice(response.body()).unwrap_or_default();
        Ok((response.status(), answer))
    }
}

/// The operator's API over what a gateway has.
pub(in crate::cli) fn over(
    plan: &Arc<Plan>,
    store: Store,
    cache: Arc<TokenCache<Arc<Identity>>>,
    throttle: Arc<Throttle>,
) -> Admin {
    let settings = GuardSettings { generation: plan.generation, serve_cached: plan.serve_cached };
    let directory = Arc::clone(plan) as Arc<dyn Directory>;
    let guard = Guard::new(
        store.clone(),
        cache,
        Arc::clone(&plan.scopes),
        Arc::clone(&plan.issue.resources),
        directory,
        settings,
    );
    let users = plan.directory(store.clone());
    let issuer = Issuer::new(
        Arc::clone(&plan.issue),
        Arc::clone(&plan.clients),
        users.clone(),
        Arc::clone(&plan.scopes),
        store.clone(),
        throttle,
    );
    Admin::new(store, issuer, guard, Arc::clone(&plan.clients), users)
}
