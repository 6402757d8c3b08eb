//! Routes: which requests go where, and what they need.

use super::target::{Host, PathPolicy, Target};
use super::upstream::Upstream;
use crate::enforce::bearer::Methods;
use crate::enforce::decide::Access;
use http::{HeaderName, HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;

/// A route as the configuration has it, checked for itself but not yet against the others.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    /// For logs, metrics and `explain`; the path unless given.
    pub name: String,
    /// Where the configuration says it (`file:line`), for conflicts.
    pub place: String,
    /// `None` for every host; `*.example.com` is one label.
    pub host: Option<String>,
    /// `/notes/{id}/{*rest}`.
    pub path: String,
    /// What each method needs.
    pub access: MethodAccess,
    /// Everything that does not decide which route is taken.
    pub action: Arc<Action>,
}

/// What each method of a route needs.
#[derive(Clone, Debug)]
pub enum MethodAccess {
    /// Every method needs the same.
    Every(Arc<Access>),
    /// By method; `other` is `"*"`. A method that is not in it is 405. HEAD needs what GET needs.
    PerMethod {
        /// The methods that are named.
        methods: Vec<(Method, Arc<Access>)>,
        /// What every other method needs.
        other: Option<Arc<Access>>,
    },
}

/// What happens to a request once its route is found.
#[derive(Clone, Debug)]
pub struct Action {
    /// Where it goes.
    pub upstream: Arc<Upstream>,
    /// The ways in which a token may be sent here.
    pub bearer: Methods,
    /// The path that the upstream gets, `/internal/{rest}`; `None`: the path as received.
    pub rewrite: Option<Rewrite>,
    /// What the route opted into.
    pub path_policy: PathPolicy,
    /// The longest body in bytes: 413 beyond.
    pub body_limit: Option<u64>,
    /// From the request's head to the response's end.
    pub timeout: Option<Duration>,
    /// Edits of the forwarded request's fields.
    pub request_headers: HeaderEdits,
    /// Edits of the response's fields.
    pub response_headers: HeaderEdits,
    /// Decide and log, but let everything pass.
    pub report_only: bool,
}

/// `headers.request`, `headers.response`: first `remove`, then `set`.
#[derive(Clone, Debug, Default)]
pub struct HeaderEdits {
    /// Replaces every field of that name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Field names, compared after folding.
    pub remove: Vec<HeaderName>,
}

/// A path template for the upstream.
#[derive(Clone, Debug)]
pub struct Rewrite {
    // Private to this module: literal text and parameters by position.
}

impl Rewrite {
    /// Reads `template`, whose parameters must be among those of `path`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(template: &str, path: &str) -> Result<Self, String> {
        let _ = (template, path);
        todo!()
    }

    /// The path for the upstream: captured text as received, without extra decoding, checked again
    /// (PATH-15).
    ///
    /// # Errors
    /// When the result can be read two ways.
    pub fn apply(&self, matched: &Matched<'_>, target: &Target<'_>) -> Result<String, super::target::TargetError> {
        let _ = (matched, target);
        todo!()
    }
}

/// Two routes that no rule orders, or one that is wrong in itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The same host, path and method twice: `place` and `other` of the configuration.
    #[error("routes `{name}` ({place}) and `{other_name}` ({other}) both take the same requests: {why}")]
    Conflict {
        /// The one.
        name: String,
        /// Its place.
        place: String,
        /// The other.
        other_name: String,
        /// Its place.
        other: String,
        /// Which requests, in words.
        why: String,
    },
    /// The path template is wrong.
    #[error("route `{name}` ({place}): {why}")]
    Malformed {
        /// The route.
        name: String,
        /// Its place.
        place: String,
        /// What is wrong, in words.
        why: String,
    },
}

/// Every route, in an order that finds the most specific first.
#[derive(Debug, Default)]
pub struct RouteTable {
    // Private to this module.
}

/// A route of the table.
#[derive(Debug)]
pub struct Route {
    /// Its position in the table: the index of its metrics.
    pub index: usize,
    /// As configured.
    pub spec: RouteSpec,
}

/// The route that a request takes, what its method needs, and the path parameters.
#[derive(Debug)]
pub struct Matched<'r> {
    /// The route.
    pub route: &'r Arc<Route>,
    /// What the method needs.
    pub access: &'r Arc<Access>,
    /// Values of the path's parameters, ranges of `Target::normal`, in the order of the template.
    pub params: Vec<(usize, usize)>,
}

impl Matched<'_> {
    /// The values of the path's parameters.
    pub fn values<'t>(&self, target: &'t Target<'_>) -> Vec<&'t str> {
        let _ = target;
        todo!()
    }
}

/// No route takes the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// 404.
    NotFound,
    /// 405 with these in `Allow`.
    MethodNotAllowed(String),
}

impl RouteTable {
    /// Orders the routes.
    ///
    /// # Errors
    /// Every pair that cannot be ordered and every template that is wrong.
    pub fn new(specs: Vec<RouteSpec>) -> Result<Self, Vec<RouteError>> {
        let _ = specs;
        todo!()
    }

    /// The routes in the order in which they are tried.
    pub fn routes(&self) -> &[Arc<Route>] {
        todo!()
    }

    /// The route of a request. A route with a host beats one without; then the most specific path
    /// (literal before `{name}` before `{*rest}`), then the method.
    ///
    /// # Errors
    /// When there is none for the path, or none for the method.
    pub fn find(&self, method: &str, host: &Host<'_>, target: &Target<'_>) -> Result<Matched<'_>, NoRoute> {
        let _ = (method, host, target);
        todo!()
    }
}
