//! What a request asks for: a route, and the resource that the route's path is below.

use super::Gateway;
use super::failure::Failure;
use super::notes::Notes;
use crate::enforce::bearer::Methods;
use crate::enforce::decide::{self, Access};
use crate::enforce::guard::Invalid;
use crate::http1::body::BodyLength;
use crate::http1::head::Request;
use crate::oauth::resource::Resource;
use crate::proxy::cors::Cors;
use crate::proxy::route::{METHODS, Matched, NoRoute};
use crate::proxy::target::{Host, PathPolicy, Target, TargetError};

/// What a request asks for.
pub(super) struct Wanted<'g> {
    pub(super) matched: Matched<'g>,
    pub(super) resource: &'g Resource,
    /// A CORS preflight of the route: it is no request of a bearer (PX-10).
    pub(super) preflight: bool,
    /// A page of an origin that the resource does not admit sends it.
    foreign: bool,
}

impl Wanted<'_> {
    pub(super) const fn check_origin(&self) -> Result<(), Failure> {
        if self.foreign { Err(Failure::Origin) } else { Ok(()) }
    }

    /// An MCP client learns with every 401 which scope to ask for (MCP-3).
    pub(super) fn invalid(&self, why: Invalid, params: &[&str]) -> Failure {
        let scope = if self.resource.mcp { decide::needed(self.matched.access, params) } else { None };
        Failure::Invalid(why, scope)
    }

    /// The ways in which its token may be sent: for an MCP server only in the header (MCP-9).
    pub(super) fn methods(&self) -> Methods {
        if self.preflight || matches!(**self.matched.access, Access::Public) {
            return NO_WAY;
        }
        let methods = self.matched.route.spec.action.bearer;
        if self.resource.mcp { Methods { form: false, query: false, ..methods } } else { methods }
    }
}

impl Gateway {
    /// The one host of the request: an absolute-form target's authority replaces the field, which
    /// must be right all the same (H-host-1, H-host-2).
    pub(super) fn host<'c>(&'c self, request: &Request<'c>, target: &Target<'c>) -> Result<Host<'c>, Failure> {
        let field = request.host().map(Host::read).transpose().map_err(malformed)?;
        match (target.authority(), field) {
            (Some(authority), _) => Host::read(authority.as_bytes()).map_err(malformed),
            (None, Some(host)) => Ok(host),
            (None, None) => Host::read(self.authority.as_bytes()).map_err(malformed),
        }
    }

    /// What the request asks for.
    pub(super) fn wanted<'g>(
        &'g self,
        request: &Request<'_>,
        host: &Host<'_>,
        target: &Target<'_>,
        notes: &mut Notes<'g>,
    ) -> Result<Wanted<'g>, Failure> {
        let found = self.route(request, host, target);
        if let Err(Failure::NoRoute(NoRoute::MethodNotAllowed(allowed))) = &found {
            notes.cors = self.cors_of_path(allowed, host, target).map(|(_, cors)| cors);
        }
        let (matched, preflight) = found?;
        notes.route = Some(matched.route);
        notes.cors = matched.route.spec.action.cors.as_ref();
        let resource = self.resources.get(matched.route.spec.resource.of(target.normal()));
        notes.resource = resource.id;
        Ok(Wanted { matched, resource, preflight, foreign: !admits_origin(resource, notes.cors, request) })
    }

    /// The route, and whether the request is a CORS preflight of it.
    fn route<'g>(
        &'g self,
        request: &Request<'_>,
        host: &Host<'_>,
        target: &Target<'_>,
    ) -> Result<(Matched<'g>, bool), Failure> {
        let preflight = preflight_method(request);
        let found = match (self.plan.routes.find(request.method(), host, target), preflight) {
            (Err(NoRoute::MethodNotAllowed(_)), Some(method)) => self.plan.routes.find(method, host, target),
            (found, _) => found,
        };
        match found {
            Ok(matched) if !matched.route.spec.action.path_policy.allows(target.oddities()) => Err(TWO_READINGS),
            Ok(_) if request.method() == "TRACE" => {
                Err(Failure::NoRoute(NoRoute::MethodNotAllowed(METHODS.join(", "))))
            }
            Ok(matched) => Ok((matched, preflight.is_some())),
            Err(_) if target.oddities() != PathPolicy::default() => Err(TWO_READINGS),
            Err(none) => Err(Failure::NoRoute(none)),
        }
    }
}

/// PATH-2 to PATH-11.
pub(super) const TWO_READINGS: Failure = Failure::Malformed("the path can be read in two ways");

/// H-form
pub(super) const ONLY_OPTIONS: Failure = Failure::Malformed("only OPTIONS takes the target `*`");

pub(super) const fn malformed(error: TargetError) -> Failure {
    Failure::Malformed(error.0)
}

/// No way of sending a token is looked at.
const NO_WAY: Methods = Methods { header: false, form: false, query: false };

/// The method that a CORS preflight asks for (PX-10). A request with a credential or content is none,
/// whatever else it says.
pub(super) fn preflight_method<'r>(request: &Request<'r>) -> Option<&'r str> {
    if request.method() != "OPTIONS" || request.length() != BodyLength::None {
        return None;
    }
    request.values("origin").next()?;
    if request.values("authorization").next().is_some() {
        return None;
    }
    std::str::from_utf8(request.values("access-control-request-method").next()?).ok()
}

/// MCP-13: a browser says in `Origin` on whose page a request was made. Other clients do not say it.
/// Whom the route's `cors` names is admitted with that.
fn admits_origin(resource: &Resource, cors: Option<&Cors>, request: &Request<'_>) -> bool {
    let admits = |origin| resource.admits_origin(origin) || cors.is_some_and(|cors| cors.names(origin));
    !resource.mcp || request.values("origin").all(admits)
}
