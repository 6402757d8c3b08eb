//! `tollgate explain METHOD URL`: what would happen to a request. No network is asked: the decision is
//! the gateway's own, made on a token that only exists here.

use super::check::needs;
use super::output::{Failure, load, print, print_json};
use crate::clock::Timestamp;
use crate::endpoint;
use crate::enforce::decide::{self, Access, Denial};
use crate::enforce::guard::Identity;
use crate::gateway::Plan;
use crate::oauth::resource::Resource;
use crate::oauth::scope::Scope;
use crate::oauth::token::{Origin, TokenRecord};
use crate::proxy::route::{Matched, NoRoute};
use crate::proxy::target::{Host, PathPolicy, Target};
use crate::telemetry::Verdict;
use http::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// GET, POST, …
    method: String,
    /// A path, or a whole URL where a route names a host
    url: String,
    /// The scopes of the token, separated by spaces; without it the request has no token
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// A resource that the token was asked for with (RFC 8707); may be given several times
    #[arg(long, value_name = "URL")]
    resource: Vec<String>,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(file: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let plan = load(file)?.plan;
    let scope = arguments.scope.as_deref().map(|text| read_scope(text, &plan)).transpose()?;
    let audience = arguments.resource.iter().map(|uri| read_resource(uri, &plan)).collect::<Result<Vec<_>, _>>()?;
    let token = scope.as_ref().map(|scope| (scope, audience.as_slice()));
    let explained = explain(&plan, &arguments.method, &arguments.url, token);
    let printed = if arguments.json { print_json(&explained.json()) } else { print(&explained.text()) };
    printed?;
    if explained.passes() { Ok(()) } else { Err(Failure::Said) }
}

fn read_scope(text: &str, plan: &Plan) -> Result<Scope, Failure> {
    if text.trim().is_empty() {
        return Ok(Scope::default());
    }
    let scope: Scope = text.parse().map_err(|error| format!("--scope: {error}"))?;
    for token in scope.iter().filter(|token| !plan.scopes.exists(token)) {
        eprintln!("warning: the scope {} does not exist, so no token has it", token.as_str());
    }
    Ok(scope)
}

fn read_resource(uri: &str, plan: &Plan) -> Result<String, Failure> {
    let found = plan.issue.resources.find(uri).map(|resource| resource.identifier.clone());
    found.map_err(|error| format!("--resource: {error}").into())
}

/// The scope and the audience of a token.
type Held<'t> = (&'t Scope, &'t [String]);

/// What would happen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explained {
    route: Option<String>,
    resource: Option<String>,
    needs: Option<String>,
    limit: Option<String>,
    verdict: Verdict,
    status: Option<u16>,
    reason: String,
    upstream: Option<String>,
}

impl Explained {
    fn passes(&self) -> bool {
        matches!(self.verdict, Verdict::Allowed | Verdict::Public | Verdict::WouldDeny)
    }

    /// Lines that can be searched for.
    fn text(&self) -> String {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let reason = match self.status {
            Some(status) => format!("{status} {}", self.reason),
            None => self.reason.clone(),
        };
        let (route, needs, verdict) = (or_none(&self.route), or_none(&self.needs), self.verdict.as_str());
        let resource = self.resource.as_ref().map(|uri| format!("resource: {uri}\n")).unwrap_or_default();
        let limit = self.limit.as_ref().map(|limit| format!("limit: {limit}\n")).unwrap_or_default();
        format!("route: {route}\n{resource}needs: {needs}\n{limit}verdict: {verdict}\nreason: {reason}\n")
    }

    fn json(&self) -> Value {
        json!({
            "route": self.route,
            "resource": self.resource,
            "needs": self.needs,
            "limit": self.limit,
            "verdict": self.verdict.as_str(),
            "status": self.status,
            "reason": self.reason,
            "upstream": self.upstream,
            "passes": self.passes(),
        })
    }

    fn refused(status: u16, reason: impl Into<String>) -> Self {
        Self {
            route: None,
            resource: None,
            needs: None,
            limit: None,
            verdict: Verdict::Denied,
            status: Some(status),
            reason: reason.into(),
            upstream: None,
        }
    }
}

/// What would happen to a request with a token of this scope, or without a token. In the order of the
/// gateway: the target, our own endpoints, the route, the token, the scope.
pub(super) fn explain(plan: &Plan, method: &str, url: &str, token: Option<Held<'_>>) -> Explained {
    if Method::from_bytes(method.as_bytes()).is_err() {
        return Explained::refused(400, "malformed: this is no method");
    }
    if method == "CONNECT" {
        return Explained::refused(501, "connect: the gateway is no tunnel");
    }
    let target = match Target::read(url.as_bytes()) {
        Ok(target) => target,
        Err(error) => return Explained::refused(400, format!("malformed: {error}")),
    };
    let authority = target.authority().unwrap_or_else(|| authority(&plan.issue.issuer));
    let host = match Host::read(authority.as_bytes()) {
        Ok(host) => host,
        Err(error) => return Explained::refused(400, format!("malformed: {error}")),
    };
    if endpoint::owns(&plan.issue, target.normal()) {
        return own(&target);
    }
    let refused_path = || Explained::refused(400, "malformed: the path can be read in two ways");
    match plan.routes.find(method, &host, &target) {
        Ok(matched) if !matched.route.spec.action.path_policy.allows(target.oddities()) => refused_path(),
        Ok(_) if method == "TRACE" => Explained::refused(405, "method_not_allowed: TRACE is never forwarded"),
        Ok(matched) => decided(plan, &matched, &target, token),
        Err(_) if target.oddities() != PathPolicy::default() => refused_path(),
        Err(NoRoute::NotFound) => Explained::refused(404, "no_route: no route takes this path on this host"),
        Err(NoRoute::MethodNotAllowed(allow)) => {
            Explained::refused(405, format!("method_not_allowed: the path takes {allow}"))
        }
    }
}

/// The gateway's own endpoints judge for themselves.
fn own(target: &Target<'_>) -> Explained {
    if target.oddities() != PathPolicy::default() {
        return Explained::refused(400, "malformed: the path can be read in two ways");
    }
    Explained {
        route: Some("the gateway's own endpoint".to_owned()),
        resource: None,
        needs: Some("public".to_owned()),
        limit: None,
        verdict: Verdict::Public,
        status: None,
        reason: "ok: answered by the gateway itself".to_owned(),
        upstream: None,
    }
}

fn decided(plan: &Plan, matched: &Matched<'_>, target: &Target<'_>, token: Option<Held<'_>>) -> Explained {
    let spec = &matched.route.spec;
    let params = matched.values(target);
    let resources = &plan.issue.resources;
    let resource = resources.get(spec.resource.of(target.normal()));
    let (verdict, status, reason) = judge(plan, (matched.access, resource), &params, token);
    let tolerated = verdict == Verdict::Denied && spec.action.report_only;
    let (verdict, status) = if tolerated { (Verdict::WouldDeny, None) } else { (verdict, status) };
    let route = if spec.name == spec.path { spec.path.clone() } else { format!("{} {}", spec.name, spec.path) };
    Explained {
        route: Some(route),
        resource: resources.are_configured().then(|| resource.identifier.clone()),
        needs: Some(needed(matched.access, &params)),
        limit: spec.action.rate_limit.as_ref().map(|limit| limit.terms().to_string()),
        verdict,
        status,
        reason,
        upstream: Some(spec.action.upstream.name.clone()),
    }
}

fn judge(
    plan: &Plan,
    (access, resource): (&Access, &Resource),
    params: &[&str],
    token: Option<Held<'_>>,
) -> (Verdict, Option<u16>, String) {
    if decide::public(access).is_some() {
        return (Verdict::Public, None, "ok: no token is looked at".to_owned());
    }
    let Some(token) = token else { return (Verdict::Denied, Some(401), "no_token: a token is needed".to_owned()) };
    match decide::decide(access, identity(plan, token), resource, params, &plan.scopes) {
        Ok(_) => (Verdict::Allowed, None, "ok: the token has what is needed".to_owned()),
        Err(Denial::Audience) => {
            let reason = format!("audience: a token asked for with resource={} is needed", resource.identifier);
            (Verdict::Denied, Some(401), reason)
        }
        Err(Denial::Scope { needed }) => {
            (Verdict::Denied, Some(403), format!("insufficient_scope: {needed} is needed"))
        }
    }
}

/// What is needed, with the path's parameters filled in where there is one alternative.
fn needed(access: &Access, params: &[&str]) -> String {
    match access {
        Access::Scopes(alternatives) if alternatives.len() == 1 => {
            decide::needed(access, params).unwrap_or_else(|| needs(access))
        }
        Access::Public | Access::Authenticated | Access::Scopes(_) => needs(access),
    }
}

/// A token that only exists here.
fn identity(plan: &Plan, (scope, audience): Held<'_>) -> Arc<Identity> {
    let record = TokenRecord {
        client_id: String::new(),
        client_origin: Origin::Store,
        subject: None,
        subject_origin: Origin::Store,
        scope: scope.to_string(),
        audience: audience.to_vec(),
        issued_at: Timestamp::default(),
        expires_at: Timestamp::from_millis(u64::MAX),
        grant: None,
    };
    Arc::new(Identity::new(record, &plan.scopes, &plan.issue.resources, plan.generation))
}

/// The authority of an absolute URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests;
