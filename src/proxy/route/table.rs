//! The table of all routes: built once, then only read.
//!
//! One tree of segments for each host. A lookup walks it from the root, literal text first, then
//! `{name}`, then `{*rest}`; it visits each node at most once, so that a path can cost no more than
//! the table is large, whatever it holds.

use super::template::{HostPattern, Segment, Template, more_specific, parent};
use super::{Few, Matched, MethodAccess, NoRoute, Route, RouteError, RouteSpec};
use super::{blind, overlap};
use crate::proxy::target::{Host, Target};
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Every route, in an order that finds the most specific first.
#[derive(Debug, Default)]
pub struct RouteTable {
    routes: Vec<Arc<Route>>,
    trees: Trees,
    /// The routes that do not tell upper from lower case, where there are any.
    blind: Option<Box<Trees>>,
    warnings: Vec<String>,
}

/// A tree for each host.
#[derive(Debug, Default)]
struct Trees {
    exact: HashMap<Box<str>, Node, RandomState>,
    wildcard: HashMap<Box<str>, Node, RandomState>,
    any: Node,
}

/// A route with what its text says.
struct Parsed {
    host: HostPattern,
    template: Template,
    spec: RouteSpec,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by their text.
    literals: Vec<(Box<str>, Node)>,
    parameter: Option<Box<Node>>,
    rest: Option<Leaf>,
    end: Option<Leaf>,
}

/// The routes of one template.
#[derive(Debug, Default)]
struct Leaf {
    /// The segments in which the parameters stand.
    parameters: Vec<Parameter>,
    routes: Vec<Arc<Route>>,
}

#[derive(Clone, Copy, Debug)]
struct Parameter {
    segment: usize,
    rest: bool,
}

impl RouteTable {
    /// Orders the routes.
    ///
    /// # Errors
    /// Every pair that cannot be ordered and every template that is wrong.
    pub fn new(specs: Vec<RouteSpec>) -> Result<Self, Vec<RouteError>> {
        let mut errors = Vec::new();
        let mut parsed = Vec::with_capacity(specs.len());
        for spec in specs {
            match Parsed::read(spec) {
                Ok(route) => parsed.push(route),
                Err(error) => errors.push(error),
            }
        }
        parsed.sort_by(|one, other| {
            let paths = || more_specific(&one.template.segments, &other.template.segments);
            one.host.cmp(&other.host).then_with(paths)
        });
        let mut table = Self::default();
        let mut patterns = Vec::with_capacity(parsed.len());
        for (index, Parsed { host, template, spec }) in parsed.into_iter().enumerate() {
            let route = Arc::new(Route { index, spec });
            table.trees.leaf(&host, &template, false).add(&route, &mut errors);
            if route.spec.action.case_blind {
                table.blind.get_or_insert_default().leaf(&host, &template, true).add(&route, &mut errors);
            }
            table.routes.push(route);
            patterns.push((host, template.segments));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        table.warnings = warnings(&table.routes, &patterns);
        Ok(table)
    }

    /// The routes in the order in which they are tried.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Sentences about routes that ask for less than a broader one around them (PATH-14): allowed,
    /// but worth a line in the log.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The route of a request. A route with a host beats one without; then the most specific path
    /// (literal before `{name}` before `{*rest}`), then the method.
    ///
    /// # Errors
    /// When there is none for the path, or none for the method.
    pub fn find(&self, method: &str, host: &Host<'_>, target: &Target<'_>) -> Result<Matched<'_>, NoRoute> {
        let normal = target.normal();
        let seen = self.trees.find(host, remaining(normal));
        let leaf = match &self.blind {
            None => seen,
            Some(blind) => earlier(seen, blind.find(host, remaining(&blind::path(normal)))),
        };
        let leaf = leaf.ok_or(NoRoute::NotFound)?;
        let (route, access) = leaf
            .routes
            .iter()
            .find_map(|route| route.spec.access.get(method).map(|access| (route, access)))
            .ok_or_else(|| NoRoute::MethodNotAllowed(leaf.allow()))?;
        Ok(Matched { route, access, params: leaf.captures(normal) })
    }
}

/// The one whose routes are tried first.
fn earlier<'t>(one: Option<&'t Leaf>, other: Option<&'t Leaf>) -> Option<&'t Leaf> {
    let first = |leaf: &&Leaf| leaf.routes.first().map_or(usize::MAX, |route| route.index);
    [one, other].into_iter().flatten().min_by_key(first)
}

impl Trees {
    /// The most specific template for a path.
    fn find(&self, host: &Host<'_>, path: Option<&str>) -> Option<&Leaf> {
        let wildcard = || parent(&host.name).and_then(|parent| self.wildcard.get(parent));
        // Most tables name no host at all: then nothing is hashed.
        let named = !self.exact.is_empty() || !self.wildcard.is_empty();
        named
            .then(|| {
                let exact = self.exact.get(&*host.name).and_then(|node| node.find(path));
                exact.or_else(|| wildcard()?.find(path))
            })
            .flatten()
            .or_else(|| self.any.find(path))
    }

    fn leaf(&mut self, host: &HostPattern, template: &Template, is_blind: bool) -> &mut Leaf {
        let mut node = match host {
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
            HostPattern::Wildcard(name) => self.wildcard.entry(name.clone()).or_default(),
            HostPattern::Any => &mut self.any,
        };
        let mut parameters = Vec::new();
        for (segment, what) in template.segments.iter().enumerate() {
            match what {
                Segment::Literal(text) if is_blind => node = node.literal(&blind::segment(text)),
                Segment::Literal(text) => node = node.literal(text),
                Segment::Parameter(_) => {
                    parameters.push(Parameter { segment, rest: false });
                    node = node.parameter.get_or_insert_default();
                }
                Segment::Rest(_) => {
                    parameters.push(Parameter { segment, rest: true });
                    let leaf = node.rest.get_or_insert_default();
                    leaf.parameters = parameters;
                    return leaf;
                }
            }
        }
        let leaf = node.end.get_or_insert_default();
        leaf.parameters = parameters;
        leaf
    }
}

impl Parsed {
    fn read(spec: RouteSpec) -> Result<Self, RouteError> {
        let read = || {
            let host = HostPattern::parse(spec.host.as_deref())?;
            let template = Template::parse(&spec.path)?;
            if !spec.action.path_policy.allows(template.oddities) {
                return Err(format!("the path `{}` holds a form that the route does not `keep`", spec.path));
            }
            check_methods(&spec.access)?;
            Ok((host, template))
        };
        match read() {
            Ok((host, template)) => Ok(Self { host, template, spec }),
            Err(why) => Err(RouteError::Malformed { name: spec.name, place: spec.place, why }),
        }
    }
}

impl Node {
    fn literal(&mut self, text: &str) -> &mut Self {
        let at = match self.literals.binary_search_by(|(known, _)| (**known).cmp(text)) {
            Ok(at) => at,
            Err(at) => {
                self.literals.insert(at, (text.into(), Self::default()));
                at
            }
        };
        &mut self.literals[at].1
    }

    /// The most specific template for what remains of the path; `None` of it is its end.
    fn find(&self, path: Option<&str>) -> Option<&Leaf> {
        let Some(path) = path else { return self.end.as_ref().or(self.rest.as_ref()) };
        let (segment, next) = match memchr::memchr(b'/', path.as_bytes()) {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        let literal = self.literals.binary_search_by(|(text, _)| (**text).cmp(segment)).ok();
        literal
            .and_then(|at| self.literals[at].1.find(next))
            // A kept empty segment is nobody's `{name}`.
            .or_else(|| self.parameter.as_ref().filter(|_| !segment.is_empty()).and_then(|node| node.find(next)))
            .or(self.rest.as_ref())
    }
}

impl Leaf {
    fn add(&mut self, route: &Arc<Route>, errors: &mut Vec<RouteError>) {
        errors.extend(self.routes.iter().filter_map(|known| overlap::conflict(&known.spec, &route.spec)));
        self.routes.push(Arc::clone(route));
    }

    /// The value of `Allow`. No route here takes every method, or it would not be asked for.
    fn allow(&self) -> String {
        let mut allowed: Vec<&str> = Vec::new();
        for method in self.routes.iter().flat_map(|route| route.spec.access.named()) {
            if !allowed.contains(&method) {
                allowed.push(method);
            }
        }
        allowed.join(", ")
    }

    /// Where the parameters' values stand in the matched form of the path.
    fn captures(&self, normal: &str) -> Few<(usize, usize)> {
        let mut captures = Few::default();
        let mut starts = memchr::memchr_iter(b'/', normal.as_bytes()).map(|at| at + 1);
        let mut next = 0;
        for parameter in &self.parameters {
            // Beyond the last segment stands the rest of a path that has none.
            let start = starts.nth(parameter.segment - next).unwrap_or(normal.len());
            next = parameter.segment + 1;
            let end = if parameter.rest { None } else { memchr::memchr(b'/', &normal.as_bytes()[start..]) };
            captures.push((start, end.map_or(normal.len(), |length| start + length)));
        }
        captures
    }
}

/// The path without its first slash and a trailing one; `None` when no segment is left.
fn remaining(normal: &str) -> Option<&str> {
    let path = normal.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    // `//` where it is kept: an empty segment before the trailing slash.
    if path.is_empty() && normal.len() < 2 { None } else { Some(path) }
}

/// Refuses methods that are named twice, and a HEAD that needs something else than GET.
fn check_methods(access: &MethodAccess) -> Result<(), String> {
    let MethodAccess::PerMethod { methods, other } = access else { return Ok(()) };
    if methods.is_empty() && other.is_none() {
        return Err("no method is taken".to_owned());
    }
    let names = |wanted: &str| methods.iter().filter(|(name, _)| name == wanted).count();
    if let Some((name, _)) = methods.iter().find(|(name, _)| names(name.as_str()) > 1) {
        return Err(format!("the method {name} is named twice"));
    }
    if names("HEAD") > 0 && (names("GET") > 0 || other.is_some()) {
        return Err("HEAD needs what GET needs: leave HEAD out".to_owned());
    }
    Ok(())
}

/// Compares every two routes; the earlier one is the one that is tried first.
fn warnings(routes: &[Arc<Route>], patterns: &[(HostPattern, Vec<Segment>)]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (at, ((host, path), narrow)) in patterns.iter().zip(routes).enumerate() {
        for ((other_host, other_path), broad) in patterns.iter().zip(routes).skip(at + 1) {
            if overlap::overlap((host, path), (other_host, other_path)) {
                warnings.extend(overlap::weaker(narrow, broad));
            }
        }
    }
    warnings
}
