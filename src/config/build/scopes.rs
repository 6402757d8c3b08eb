//! `[scopes]`: what exists, and whether what the rest of the file names is part of it.

use crate::config::error::Report;
use crate::config::file::{Entry, Node};
use crate::config::keys::SCOPE;
use crate::config::section::{Section, texts};
use crate::config::shape::nearest;
use crate::config::source::Place;
use crate::oauth::scope::{OPERATOR, Scope, ScopeDeclaration, ScopeTable, ScopeToken};
use std::sync::Arc;

/// The scopes that exist.
pub(super) struct Scopes {
    /// For the gateway.
    pub(super) table: Arc<ScopeTable>,
    /// Every name of the file, also those whose declaration is wrong, so that a problem is reported
    /// once and not wherever the name is used.
    names: Vec<String>,
}

/// Reads `[scopes]`.
pub(super) fn build(root: &Section<'_>) -> Scopes {
    let entries = root.named("scopes");
    let names: Vec<String> = entries.iter().map(|entry| entry.key.clone()).chain([OPERATOR.to_owned()]).collect();
    let mut declared: Vec<ScopeDeclaration> =
        entries.iter().filter_map(|entry| declaration(entry, &names, root.report)).collect();
    if !declared.iter().any(|scope| scope.name.as_str() == OPERATOR)
        && let Ok(name) = OPERATOR.parse()
    {
        let text = "Operate this gateway".to_owned();
        declared.push(ScopeDeclaration { name, text, implies: Scope::default(), restricted: true });
    }
    let good: Vec<ScopeToken> = declared.iter().map(|scope| scope.name.clone()).collect();
    for scope in &mut declared {
        scope.implies = scope.implies.iter().filter(|token| good.contains(token)).cloned().collect();
    }
    let table = ScopeTable::new(declared).unwrap_or_else(|errors| {
        for (node, error) in
            root.node("scopes").into_iter().flat_map(|node| errors.iter().map(move |error| (node, error)))
        {
            root.report.problem(&node.at, error.to_string(), "change its declaration");
        }
        ScopeTable::default()
    });
    Scopes { table: Arc::new(table), names }
}

fn declaration(entry: &Entry, names: &[String], report: &Report) -> Option<ScopeDeclaration> {
    let Ok(name) = entry.key.parse::<ScopeToken>() else {
        let help = "use printable ASCII, without space, quote and backslash (RFC 6749 section 3.3)";
        report.problem(&entry.key_at, format!("`{}` cannot be the name of a scope", entry.key), help);
        return None;
    };
    let section = Section::new(entry.node.table(), SCOPE, report);
    let mut implies = Vec::new();
    for (node, token) in section.node("implies").map(|node| tokens(node, report)).unwrap_or_default() {
        if names.iter().any(|name| name == token.as_str()) {
            implies.push(token);
        } else {
            undeclared(token.as_str(), &node.at, names, report);
        }
    }
    let declaration = ScopeDeclaration {
        text: entry.node.text().unwrap_or_else(|| section.text_or_default("text")).to_owned(),
        implies: Scope::default(),
        restricted: section.boolean("restricted"),
        name,
    };
    // A table of this one alone tells whether its name is a template as it should be.
    if let Err(errors) = ScopeTable::new(vec![declaration.clone()]) {
        for error in errors {
            report.problem(&entry.key_at, error.to_string(), "write \"shelf:{id}\"");
        }
        return None;
    }
    Some(ScopeDeclaration { implies: implies.into_iter().collect(), ..declaration })
}

/// The scope-tokens of a text or a list of texts, each with the value that holds it.
pub(super) fn tokens<'f>(node: &'f Node, report: &Report) -> Vec<(&'f Node, ScopeToken)> {
    let mut found = Vec::new();
    for (item, text) in texts(node) {
        match text.parse::<Scope>() {
            Ok(scope) => found.extend(scope.iter().map(|token| (item, token.clone()))),
            Err(error) => {
                let help =
                    if text.is_empty() { "leave the key out, or write []" } else { "write \"notes:read notes:write\"" };
                report.problem(&item.at, format!("this is no scope: {error}"), help);
            }
        }
    }
    found
}

fn undeclared(token: &str, at: &Place, names: &[String], report: &Report) {
    let declare = format!("declare it in [scopes]: \"{token}\" = \"what it allows\"");
    let help = match nearest(token, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`? Else {declare}"),
        None => declare,
    };
    report.problem(at, format!("the scope `{token}` does not exist"), help);
}

fn is_between(name: &str, prefix: &str, suffix: &str) -> bool {
    name.len() > prefix.len() + suffix.len() && name.starts_with(prefix) && name.ends_with(suffix)
}

impl Scopes {
    /// The scope that a client or a user has, each token of which must exist.
    pub(super) fn read(&self, node: &Node, report: &Report) -> Scope {
        let tokens = tokens(node, report);
        tokens.into_iter().filter(|(item, token)| self.check(token, &item.at, report)).map(|(_, token)| token).collect()
    }

    /// Reports `token` when nothing declares it.
    pub(super) fn check(&self, token: &ScopeToken, at: &Place, report: &Report) -> bool {
        let known = self.table.may_be_configured(token) || self.names.iter().any(|name| name == token.as_str());
        if !known {
            undeclared(token.as_str(), at, &self.names, report);
        }
        known
    }

    /// Whether some declared scope begins with `prefix` and ends with `suffix` with something in
    /// between: a template of that shape, or one of the literal scopes that it can become.
    pub(super) fn has_between(&self, prefix: &str, suffix: &str) -> bool {
        self.names.iter().any(|name| is_between(name, prefix, suffix))
    }

    /// The declared scopes that a template of a route can become.
    pub(super) fn between<'s>(&'s self, prefix: &'s str, suffix: &'s str) -> impl Iterator<Item = &'s ScopeToken> {
        let declared = self.table.declared().iter().map(|scope| &scope.name);
        declared.filter(move |name| is_between(name.as_str(), prefix, suffix))
    }

    /// Reports a template whose shape nothing declares.
    pub(super) fn undeclared(&self, token: &ScopeToken, at: &Place, report: &Report) {
        undeclared(token.as_str(), at, &self.names, report);
    }
}
