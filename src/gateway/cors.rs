//! Preflights that the gateway answers itself: those of routes with `cors` (PX-10). No token is looked at,
//! and no upstream asked.

use super::Gateway;
use super::failure::{Failure, append};
use super::notes::Notes;
use super::passage::no_content;
use super::wanted::preflight_method;
use crate::http1::head::Request;
use crate::proxy::cors::Cors;
use crate::proxy::route::{NoRoute, Route};
use crate::proxy::target::{Host, Target};
use bytes::Bytes;
use http::Response;

impl Gateway {
    /// The answer to a preflight of a route with `cors`; `None`: the request is none, and goes on.
    pub(super) fn preflight<'g>(
        &'g self,
        request: &Request<'_>,
        host: &Host<'_>,
        target: &Target<'_>,
        notes: &mut Notes<'g>,
    ) -> Option<Result<Response<Bytes>, Failure>> {
        let method = preflight_method(request)?;
        let (route, cors) = match self.plan.routes.find(method, host, target) {
            Ok(matched) => (&**matched.route, matched.route.spec.action.cors.as_ref()?),
            Err(NoRoute::MethodNotAllowed(allowed)) => self.cors_of_path(&allowed, host, target)?,
            Err(NoRoute::NotFound) => return None,
        };
        if !route.spec.action.path_policy.allows(target.oddities()) {
            return None;
        }
        notes.route = Some(route);
        notes.cors = Some(cors);
        let Some(fields) = cors.preflight(request.values("origin")) else { return Some(Err(Failure::Origin)) };
        let mut response = no_content();
        fields.for_each(|(name, value)| append(response.headers_mut(), name, value));
        Some(Ok(response))
    }

    /// The `cors` that a path has for one of the methods that it takes: what pages may read of a refusal
    /// of any other.
    pub(super) fn cors_of_path(&self, allowed: &str, host: &Host<'_>, target: &Target<'_>) -> Option<(&Route, &Cors)> {
        let matched = allowed.split(", ").filter_map(|method| self.plan.routes.find(method, host, target).ok());
        matched.into_iter().find_map(|matched| Some((&**matched.route, matched.route.spec.action.cors.as_ref()?)))
    }
}
