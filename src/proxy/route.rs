//! Routes: which requests go where, and what they need.
//!
//! A trailing slash never changes which route is taken (PATH-12): `/notes` and `/notes/` are one path,
//! in a template as in a request. The upstream gets the path as it was received.

mod blind;
mod few;
mod overlap;
mod rewrite;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod upgrade;

pub use few::Few;
pub use rewrite::Rewrite;
pub use table::RouteTable;
pub use upgrade::{Upgrade, is_tunnelled};

use super::cors::Cors;
use super::target::{PathPolicy, Target};
use super::upstream::Upstream;
use crate::enforce::bearer::Methods;
use crate::enforce::decide::Access;
use crate::enforce::rate::RateLimit;
use crate::oauth::resource::RouteResource;
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
    /// Which resource its requests are for.
    pub resource: RouteResource,
    /// What each method needs.
    pub access: MethodAccess,
    /// Everything that does not decide which route is taken.
    pub action: Arc<Action>,
}

/// The methods of a route that takes every one; TRACE is never forwarded (H-trace).
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

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

impl MethodAccess {
    /// What `method` needs; `None` when it is not taken. HEAD needs what GET needs (PX-12).
    pub fn get(&self, method: &str) -> Option<&Arc<Access>> {
        match self {
            Self::Every(access) => Some(access),
            Self::PerMethod { methods, other } => {
                let named = |wanted: &str| methods.iter().find(|(name, _)| name == wanted).map(|(_, access)| access);
                let read = if method == "HEAD" { named("GET") } else { None };
                read.or_else(|| named(method)).or(other.as_ref())
            }
        }
    }

    /// The methods that are named, HEAD where GET is.
    pub fn named(&self) -> Vec<&str> {
        let Self::PerMethod { methods, .. } = self else { return Vec::new() };
        let mut names = Vec::with_capacity(methods.len() + 1);
        for (name, _) in methods {
            names.push(name.as_str());
            if name == Method::GET {
                names.push("HEAD");
            }
        }
        names
    }

    /// Whether every method is taken, named or not.
    pub const fn takes_every_method(&self) -> bool {
        matches!(self, Self::Every(_) | Self::PerMethod { other: Some(_), .. })
    }
}

/// The names of a path template's parameters, in its order: the positions that
/// [`Alternative::templates`](crate::enforce::decide::Alternative::templates) speaks of.
///
/// # Errors
/// What is wrong with the template, in words.
pub fn parameters(path: &str) -> Result<Vec<String>, String> {
    Ok(template::Template::parse(path)?.parameters().map(str::to_owned).collect())
}

/// How the paths that a route takes lie to those below a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them are below it, and nothing below it is left for others.
    All,
    /// None is.
    None,
    /// Some are.
    Some,
    /// All of them are.
    Within,
}

/// How the paths of a template lie to those below `prefix`, which is `/`-separated plain text without
/// a slash at its end. A template that is wrong reaches nothing.
pub fn reach(path: &str, prefix: &str) -> Reach {
    template::Template::parse(path).map_or(Reach::None, |template| template.reach(prefix))
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
    /// To which protocols a connection may be switched.
    pub upgrade: Upgrade,
    /// Decide and log, but let everything pass.
    pub report_only: bool,
    /// How often it may be used.
    pub rate_limit: Option<RateLimit>,
    /// Which pages may read its responses; `None`: the upstream says it.
    pub cors: Option<Cors>,
    /// The upstream does not tell upper from lower case: neither does the route (PATH-13).
    pub case_blind: bool,
    /// A 401 of the upstream is about a credential of the gateway's: 502 (PX-16).
    pub refusal_is_failure: bool,
    /// Fields of requests that pass although their names have underscores (IDH-3), in lower case.
    pub underscored: Vec<String>,
}

impl Action {
    /// Whether a request field, which would be dropped because its name has an underscore, passes here.
    pub fn lets_pass(&self, name: &[u8]) -> bool {
        self.underscored.iter().any(|passing| name.eq_ignore_ascii_case(passing.as_bytes()))
    }
}

/// `headers.request`, `headers.response`: first `remove`, then `set`.
#[derive(Clone, Debug, Default)]
pub struct HeaderEdits {
    /// Replaces every field of that name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Field names, compared after folding.
    pub remove: Vec<HeaderName>,
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
    pub params: Few<(usize, usize)>,
}

impl Matched<'_> {
    /// The values of the path's parameters as [`decide`](crate::enforce::decide::decide) takes them.
    /// `target` is the one that was looked up.
    pub fn values<'t>(&self, target: &'t Target<'_>) -> Few<&'t str> {
        self.params.iter().map(|(start, end)| target.normal().get(*start..*end).unwrap_or_default()).collect()
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
