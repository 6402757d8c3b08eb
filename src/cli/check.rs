//! `tollgate check`: every problem of the configuration, or the table of routes.

use super::output::{Failure, load, print, print_json};
use super::table::table;
use crate::config::{self, ConfigErrors, Configuration};
use crate::enforce::decide::Access;
use crate::oauth::resource::Resource;
use crate::proxy::route::{MethodAccess, Route};
use crate::proxy::upstream::Upstream;
use crate::telemetry::rfc3339;
use crate::tls::Certificate;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(file: &Path, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.json {
        return match config::load(file, 1) {
            Ok(configuration) => print_json(&right(&configuration)),
            Err(errors) => print_json(&wrong(&errors)).and(Err(Failure::Said)),
        };
    }
    let configuration = load(file)?;
    for warning in &configuration.warnings {
        eprintln!("warning: {warning}");
    }
    let rows: Vec<[String; 6]> = lines(&configuration).map(Line::cells).collect();
    print(&table(["ROUTE", "HOST", "PATH", "METHODS", "NEEDS", "UPSTREAM"], &rows))?;
    print("\n")?;
    print(&table(["UPSTREAM", "SERVER", "WEIGHT", "BALANCE", "HEALTH"], &upstream_cells(&configuration)))?;
    let rows: Vec<[String; 2]> = certificates(&configuration)
        .map(|certificate| [certificate.names().to_string(), rfc3339(certificate.expires())])
        .collect();
    if !rows.is_empty() {
        print("\n")?;
        print(&table(["CERTIFICATE", "EXPIRES"], &rows))?;
    }
    if !configuration.plan.issue.resources.are_configured() {
        return Ok(());
    }
    let rows: Vec<[String; 4]> = configuration.plan.issue.resources.listed().map(resource_cells).collect();
    print("\n")?;
    print(&table(["RESOURCE", "NAME", "AUDIENCE", "SCOPES"], &rows))
}

/// A line for each server.
fn upstream_cells(configuration: &Configuration) -> Vec<[String; 5]> {
    let upstreams = configuration.plan.upstreams.iter();
    let cells = upstreams.flat_map(|upstream| {
        let health = upstream.health.as_ref().map(|health| format!("{} every {:?}", health.path, health.interval));
        upstream.servers.iter().map(move |weighted| {
            let balance = upstream.balance.as_str().to_owned();
            let (server, weight) = (weighted.server.to_string(), weighted.weight.to_string());
            [upstream.name.clone(), server, weight, balance, health.clone().unwrap_or_default()]
        })
    });
    cells.collect()
}

fn upstream_value(upstream: &Upstream) -> Value {
    let servers = upstream
        .servers
        .iter()
        .map(|weighted| json!({ "url": weighted.server.to_string(), "weight": weighted.weight }));
    json!({
        "name": upstream.name,
        "servers": servers.collect::<Vec<_>>(),
        "balance": upstream.balance.as_str(),
        "health": upstream.health.as_ref().map(|health| &health.path),
    })
}

/// Those that clients are shown, the default one first.
fn certificates(configuration: &Configuration) -> impl Iterator<Item = &Certificate> {
    configuration.server.tls.iter().flat_map(|tls| tls.certificates())
}

fn resource_cells(resource: &Resource) -> [String; 4] {
    let mcp = if resource.mcp { " (mcp)" } else { "" };
    let scopes = resource.scopes.as_ref().map(ToString::to_string).unwrap_or_default();
    let name = resource.name.clone().unwrap_or_default();
    [resource.identifier.clone(), name, format!("{}{mcp}", demand(resource)), scopes]
}

const fn demand(resource: &Resource) -> &'static str {
    if resource.requires_audience { "required" } else { "accepted" }
}

/// One route with those of its methods that need the same.
struct Line<'c> {
    route: &'c Route,
    methods: String,
    needs: String,
}

impl Line<'_> {
    fn cells(self) -> [String; 6] {
        let spec = &self.route.spec;
        let host = spec.host.clone().unwrap_or_else(|| "*".to_owned());
        let report_only = spec.action.report_only.then(|| "report only".to_owned());
        let limit = spec.action.rate_limit.as_ref().map(|limit| limit.terms().to_string());
        let remarks: Vec<String> = report_only.into_iter().chain(limit).collect();
        let needs = if remarks.is_empty() { self.needs } else { format!("{} ({})", self.needs, remarks.join("; ")) };
        [spec.name.clone(), host, spec.path.clone(), self.methods, needs, spec.action.upstream.name.clone()]
    }
}

fn lines(configuration: &Configuration) -> impl Iterator<Item = Line<'_>> {
    let routes = configuration.plan.routes.routes().iter();
    routes.flat_map(|route| {
        by_method(&route.spec.access).into_iter().map(|(methods, needs)| Line { route, methods, needs })
    })
}

/// The methods, and what they need; those that need the same together.
fn by_method(access: &MethodAccess) -> Vec<(String, String)> {
    let (methods, other) = match access {
        MethodAccess::Every(access) => return vec![("*".to_owned(), needs(access))],
        MethodAccess::PerMethod { methods, other } => (methods, other),
    };
    let named = methods.iter().map(|(method, access)| (method.as_str(), needs(access)));
    let mut lines: Vec<(String, String)> = Vec::new();
    for (method, needs) in named.chain(other.iter().map(|access| ("*", needs(access)))) {
        match lines.iter_mut().find(|(_, known)| *known == needs) {
            Some((methods, _)) => *methods = format!("{methods} {method}"),
            None => lines.push((method.to_owned(), needs)),
        }
    }
    lines
}

/// What a route needs, in words: `public`, `any token`, `a b | c`.
pub(super) fn needs(access: &Access) -> String {
    match access {
        Access::Public => "public".to_owned(),
        Access::Authenticated => "any token".to_owned(),
        Access::Scopes(alternatives) => {
            alternatives.iter().map(|alternative| alternative.scope.to_string()).collect::<Vec<_>>().join(" | ")
        }
    }
}

fn right(configuration: &Configuration) -> Value {
    let resources = &configuration.plan.issue.resources;
    let routes: Vec<Value> = lines(configuration)
        .map(|line| {
            let spec = &line.route.spec;
            let resource = resources.get(spec.resource.whole());
            json!({
                "name": spec.name,
                "host": spec.host,
                "path": spec.path,
                "methods": line.methods.split(' ').collect::<Vec<_>>(),
                "needs": line.needs,
                "resource": resource.identifier,
                "report_only": spec.action.report_only,
                "rate_limit": spec.action.rate_limit.as_ref().map(|limit| limit.terms().to_string()),
                "cors": spec.action.cors.is_some(),
                "upstream": spec.action.upstream.name,
            })
        })
        .collect();
    let resources: Vec<Value> = resources
        .listed()
        .map(|resource| {
            json!({
                "resource": resource.identifier,
                "name": resource.name,
                "audience": demand(resource),
                "mcp": resource.mcp,
                "scopes": resource.scopes.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let certificates: Vec<Value> = certificates(configuration)
        .map(|one| json!({ "names": one.names().listed(), "expires": rfc3339(one.expires()) }))
        .collect();
    json!({
        "ok": true,
        "file": configuration.file,
        "warnings": configuration.warnings,
        "routes": routes,
        "resources": resources,
        "certificates": certificates,
        "upstreams": configuration.plan.upstreams.iter().map(|upstream| upstream_value(upstream)).collect::<Vec<_>>(),
    })
}

fn wrong(errors: &ConfigErrors) -> Value {
    let problems: Vec<Value> = errors
        .iter()
        .map(|problem| {
            json!({
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "help": problem.help,
            })
        })
        .collect();
    json!({ "ok": false, "count": errors.count(), "problems": problems })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::explain::tests::configuration;

    #[test]
    fn methods_that_need_the_same_share_a_line() {
        let (_folder, configuration) = configuration();
        let rows: Vec<String> = lines(&configuration).map(|line| line.cells().join(";")).collect();
        assert!(rows.contains(&"notes;*;/notes/{*rest};GET;notes:read;api".to_owned()), "{rows:?}");
        assert!(rows.contains(&"notes;*;/notes/{*rest};POST PUT;notes:write;api".to_owned()), "{rows:?}");
        assert!(rows.contains(&"/status;*;/status;*;public;api".to_owned()), "{rows:?}");
        assert!(rows.contains(&"trial;*;/trial;*;notes:read (report only);api".to_owned()), "{rows:?}");
    }

    #[test]
    fn programs_get_places_and_routes() {
        let (folder, configuration) = configuration();
        let value = right(&configuration);
        assert_eq!(value["ok"], true);
        assert_eq!(value["upstreams"][0]["servers"], json!([{ "url": "echo:", "weight": 1 }]));
        assert_eq!(upstream_cells(&configuration), [["api", "echo:", "1", "least-loaded", ""].map(str::to_owned)]);
        let file = folder.path().join("wrong.toml");
        std::fs::write(&file, "[server]\nlissten = 1\n").unwrap();
        let Err(errors) = config::load(&file, 1) else { panic!("a wrong file was taken") };
        let value = wrong(&errors);
        assert_eq!(value["ok"], false);
        assert!(value["problems"].as_array().unwrap().iter().any(|problem| problem["line"] == 2), "{value}");
    }
}
