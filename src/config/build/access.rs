//! What a route needs: `scopes` in each of its forms, or `access`.

use super::path::parameters;
use super::scopes::{Scopes, tokens};
use crate::config::error::Report;
use crate::config::file::{Entry, Node, Table, Value};
use crate::config::section::Section;
use crate::config::source::Place;
use crate::enforce::decide::{Access, Alternative};
use crate::oauth::scope::{Scope, ScopeToken};
use crate::proxy::route::MethodAccess;
use http::Method;
use std::sync::Arc;

/// What to write where the protection of a route is missing.
const HELP: &str = "say `scopes = \"…\"`, `access = \"authenticated\"` (any token) or `access = \"public\"` (none)";

/// Reads the protection of a route that begins at `at` and has this `path`.
pub(super) fn read(section: &Section<'_>, at: &Place, path: &str, scopes: &Scopes) -> Option<MethodAccess> {
    let report = section.report;
    let reader = Reader { parameters: parameters(path), scopes, report };
    match (section.entry("scopes"), section.entry("access")) {
        (Some(needed), None) => reader.method_access(&needed.node),
        (None, Some(access)) => match access.node.text()? {
            "public" => Some(MethodAccess::Every(Arc::new(Access::Public))),
            "authenticated" => Some(MethodAccess::Every(Arc::new(Access::Authenticated))),
            _ => None,
        },
        (Some(needed), Some(access)) => {
            let message = "a route has either `scopes` or `access`";
            report.conflict(&needed.key_at, message, "remove one of them", &access.key_at, "the other one");
            None
        }
        (None, None) => {
            report.problem(at, "this route does not say how it is protected", HELP);
            None
        }
    }
}

/// What the key of a table by method takes.
enum Taken {
    /// `"*"`: every method that has no line of its own.
    Every,
    /// The method of that name.
    One(Method),
}

struct Reader<'r> {
    parameters: Vec<&'r str>,
    scopes: &'r Scopes,
    report: &'r Report,
}

impl Reader<'_> {
    fn method_access(&self, node: &Node) -> Option<MethodAccess> {
        match node.table() {
            Some(table) if table.get("any").is_none() => self.per_method(node, table),
            _ => self.access(node).map(MethodAccess::Every),
        }
    }

    fn per_method(&self, node: &Node, table: &Table) -> Option<MethodAccess> {
        if table.entries.is_empty() {
            self.report.problem(
                &node.at,
                "no method is named",
                "write { GET = \"notes:read\", \"*\" = \"notes:write\" }",
            );
            return None;
        }
        // Every line is read, so that every problem is reported.
        let lines: Vec<_> = table.entries.iter().map(|entry| (self.method(entry), self.access(&entry.node))).collect();
        let mut methods = Vec::new();
        let mut other = None;
        for (method, access) in lines {
            match method? {
                Taken::Every => other = Some(access?),
                Taken::One(method) => methods.push((method, access?)),
            }
        }
        Some(MethodAccess::PerMethod { methods, other })
    }

    fn method(&self, entry: &Entry) -> Option<Taken> {
        let key = entry.key.as_str();
        if key == "*" {
            return Some(Taken::Every);
        }
        let upper = key.to_ascii_uppercase();
        let message = format!("`{key}` is no method that can be routed");
        if key == "CONNECT" {
            self.report.problem(&entry.key_at, message, "CONNECT is never forwarded: remove it");
            return None;
        }
        match Method::from_bytes(key.as_bytes()) {
            Ok(method) if upper == key => Some(Taken::One(method)),
            Ok(_) => {
                self.report.problem(&entry.key_at, message, format!("methods are in capitals: write `{upper}`"));
                None
            }
            Err(_) => {
                self.report.problem(&entry.key_at, message, "write GET, POST, …, or \"*\" for every other method");
                None
            }
        }
    }

    fn access(&self, node: &Node) -> Option<Arc<Access>> {
        let alternatives = match &node.value {
            Value::Text(_) | Value::List(_) => self.all_of(node).map(|alternative| vec![alternative]),
            Value::Table(table) => self.any_of(node, table),
            Value::Broken => None,
            Value::Boolean(_) | Value::Integer(_) | Value::Unwanted(_) => {
                let message = format!("`scopes` must be a string, a list or a table, not {}", node.kind());
                self.report.problem(&node.at, message, "write \"notes:read\"");
                None
            }
        };
        alternatives.map(|alternatives| Arc::new(Access::Scopes(alternatives)))
    }

    fn any_of(&self, node: &Node, table: &Table) -> Option<Vec<Alternative>> {
        for entry in table.entries.iter().filter(|entry| entry.key != "any") {
            let message = format!("unknown key `{}` beside `any`", entry.key);
            self.report.problem(&entry.key_at, message, "write { any = [\"a b\", \"c\"] }: a and b, or c");
        }
        let items = table.get("any").and_then(|entry| entry.node.list());
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            let help = "write { any = [\"a b\", \"c\"] }: a and b, or c";
            self.report.problem(&node.at, "there is no alternative", help);
            return None;
        };
        // Every item is read, so that every problem is reported.
        let alternatives: Vec<_> = items.iter().map(|item| self.all_of(item)).collect();
        alternatives.into_iter().collect()
    }

    fn all_of(&self, node: &Node) -> Option<Alternative> {
        if node.text().is_some_and(str::is_empty) || node.list().is_some_and(<[Node]>::is_empty) {
            self.report.problem(&node.at, "no scope is named, which is no protection", HELP);
            return None;
        }
        let unfit = |item: &&Node| !matches!(item.value, Value::Text(_) | Value::Broken);
        if let Some(item) = node.list().unwrap_or(std::slice::from_ref(node)).iter().find(unfit) {
            let message = format!("a scope must be a string, not {}", item.kind());
            self.report.problem(&item.at, message, "write \"notes:read\"");
        }
        let found = tokens(node, self.report);
        let mut literal = Vec::new();
        let mut templates = Vec::new();
        for (item, token) in &found {
            if token.as_str().contains(['{', '}']) {
                templates.extend(self.template(token, &item.at));
            } else if self.scopes.check(token, &item.at, self.report) {
                literal.push(token.clone());
            }
        }
        let literal: Scope = literal.into_iter().collect();
        Some(Alternative {
            scope: found.into_iter().map(|(_, token)| token).collect(),
            literal: self.scopes.table.set_of(&literal),
            templates,
        })
    }

    /// Text before, position of the parameter, text after.
    fn template(&self, token: &ScopeToken, at: &Place) -> Option<(Box<str>, usize, Box<str>)> {
        let parts = token.as_str().split_once('{').and_then(|(prefix, rest)| {
            let (parameter, suffix) = rest.split_once('}')?;
            (!format!("{prefix}{parameter}{suffix}").contains(['{', '}'])).then_some((prefix, parameter, suffix))
        });
        let Some((prefix, parameter, suffix)) = parts else {
            let message = format!("`{}` is no template: it needs exactly one parameter", token.as_str());
            self.report.problem(at, message, "write \"shelf:{id}\"");
            return None;
        };
        let Some(position) = self.parameters.iter().position(|known| *known == parameter) else {
            let message = format!("the path of the route has no parameter `{parameter}`");
            let help = if self.parameters.is_empty() {
                format!("write {{{parameter}}} as a segment of `path`")
            } else {
                format!("it has: {}", self.parameters.join(", "))
            };
            self.report.problem(at, message, help);
            return None;
        };
        if !self.scopes.has_between(prefix, suffix) {
            self.scopes.undeclared(token, at, self.report);
            return None;
        }
        Some((prefix.into(), position, suffix.into()))
    }
}
