//! The decision: a pure function of what a route needs and what a token holds.

use super::guard::Identity;
use crate::oauth::resource::Resource;
use crate::oauth::scope::{Scope, ScopeSet, ScopeTable, ScopeToken};
use std::sync::Arc;

/// The longest value of a path parameter that becomes part of a scope. Longer ones pass no route:
/// no scope of that length is ever issued, and a challenge that names one would be too long a field.
const LONGEST_VALUE: usize = 256;

/// What a route asks of a request.
#[derive(Clone, Debug)]
pub enum Access {
    /// No token is looked at.
    Public,
    /// Any valid token.
    Authenticated,
    /// A token with one of these alternatives.
    Scopes(Vec<Alternative>),
}

/// Scopes that must all be held.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// As configured, templates with their `{name}`.
    pub scope: Scope,
    /// The literal ones.
    pub literal: ScopeSet,
    /// Those with a path parameter, in the order of `scope`: the text before, the parameter's position
    /// in the path template, the text after.
    pub templates: Vec<(Box<str>, usize, Box<str>)>,
}

impl Alternative {
    /// Reads a configured scope: tokens with `{name}` are templates, whose name must be one of the
    /// path's `parameters`, in the order of the path. Whether the scopes exist is the caller's.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(scope: Scope, parameters: &[String], scopes: &ScopeTable) -> Result<Self, String> {
        let mut literal = Vec::new();
        let mut templates = Vec::new();
        for token in scope.iter() {
            let text = token.as_str();
            if !is_template(text) {
                literal.push(token.clone());
                continue;
            }
            let parts = text.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
            let Some((before, (name, after))) = parts.filter(|(_, (_, after))| !is_template(after)) else {
                return Err(format!("scope `{text}`: a template has exactly one parameter, `{{name}}`"));
            };
            let position = parameters.iter().position(|known| known == name);
            let position = position.ok_or_else(|| format!("scope `{text}`: the path has no parameter `{{{name}}}`"))?;
            templates.push((before.into(), position, after.into()));
        }
        let literal = scopes.set_of(&literal.into_iter().collect());
        Ok(Self { scope, literal, templates })
    }

    /// Whether `identity` holds all of it. One that asks for nothing is held by nobody.
    fn is_held(&self, identity: &Identity, params: &[&str], scopes: &ScopeTable) -> bool {
        !self.scope.is_empty()
            && identity.scopes.covers(&self.literal)
            && self
                .instances(params)
                .all(|instance| instance.is_some_and(|token| scopes.holds(&identity.scopes, &token)))
    }

    /// How many of its scopes `identity` lacks.
    fn lacks(&self, identity: &Identity, params: &[&str], scopes: &ScopeTable) -> usize {
        let held = |token: &str| scopes.holds(&identity.scopes, token);
        let literal = self.scope.iter().filter(|token| !is_template(token.as_str()) && !held(token.as_str())).count();
        literal + self.instances(params).filter(|instance| !instance.as_deref().is_some_and(held)).count()
    }

    /// The templates filled in; `None` where a value can be part of no scope.
    fn instances(&self, params: &[&str]) -> impl Iterator<Item = Option<String>> {
        self.templates.iter().map(|(before, position, after)| {
            let mut token = String::with_capacity(before.len() + after.len() + 32);
            token.push_str(before);
            push_value(&mut token, params.get(*position)?)?;
            token.push_str(after);
            Some(token)
        })
    }

    /// The scope in full, templates filled in where that makes a scope.
    fn text(&self, params: &[&str]) -> String {
        let mut text = String::new();
        let mut instances = self.instances(params);
        for token in self.scope.iter().map(ScopeToken::as_str) {
            if !text.is_empty() {
                text.push(' ');
            }
            let instance = if is_template(token) { instances.next().flatten() } else { None };
            text.push_str(instance.as_deref().unwrap_or(token));
        }
        text
    }
}

/// The proof that a request may be forwarded. Only [`decide`] makes one.
#[must_use]
#[derive(Debug)]
pub struct Permit {
    identity: Option<Arc<Identity>>,
}

impl Permit {
    /// Who is asking; `None` on a public route.
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }
}

/// The refusal.
#[derive(Debug, PartialEq, Eq)]
pub enum Denial {
    /// 401 `invalid_token`: the token is for another resource (R6750-5.3b).
    Audience,
    /// 403 `insufficient_scope` with the scope that would pass.
    Scope {
        /// What the route needs: of several alternatives the one that lacks least, in full; for an MCP
        /// server with what the token has, so that the client loses nothing by asking for it (MCP-4).
        needed: String,
    },
}

/// Whether `identity` may pass to `resource`. `params` are the path parameters' values, in template order, in the
/// form in which paths are matched: what is still escaped there is decoded here, so that a scope
/// names what the upstream sees.
///
/// # Errors
/// When the token is for another resource, or a scope is missing.
pub fn decide(
    access: &Access,
    identity: Arc<Identity>,
    resource: &Resource,
    params: &[&str],
    scopes: &ScopeTable,
) -> Result<Permit, Denial> {
    match access {
        Access::Public => Ok(Permit { identity: None }),
        Access::Authenticated | Access::Scopes(_) if !identity.resources.contains(resource.id) => Err(Denial::Audience),
        Access::Authenticated => Ok(Permit { identity: Some(identity) }),
        Access::Scopes(alternatives) => {
            if alternatives.iter().any(|alternative| alternative.is_held(&identity, params, scopes)) {
                return Ok(Permit { identity: Some(identity) });
            }
            let least = alternatives.iter().min_by_key(|alternative| alternative.lacks(&identity, params, scopes));
            let needed = least.map(|alternative| alternative.text(params)).unwrap_or_default();
            Err(Denial::Scope { needed: if resource.mcp { joined(identity.scope(), needed) } else { needed } })
        }
    }
}

/// What is `held` and, in its order, what of `needed` is not.
fn joined(held: &str, needed: String) -> String {
    match (held.parse::<Scope>(), needed.parse::<Scope>()) {
        (Ok(held), Ok(needed)) => held.iter().chain(needed.iter()).cloned().collect::<Scope>().to_string(),
        _ => needed,
    }
}

/// The permit of a public route; `None` when the route is not public.
pub const fn public(access: &Access) -> Option<Permit> {
    match access {
        Access::Public => Some(Permit { identity: None }),
        Access::Authenticated | Access::Scopes(_) => None,
    }
}

/// The permit of a route in `report_only`, whatever was decided.
pub const fn report_only(identity: Option<Arc<Identity>>) -> Permit {
    Permit { identity }
}

/// The permit of a CORS preflight, which carries no credential and no content (PX-10): it is
/// forwarded without identity fields.
pub const fn preflight() -> Permit {
    Permit { identity: None }
}

/// The scope that a challenge without a token names: the only alternative, or the first.
pub fn needed(access: &Access, params: &[&str]) -> Option<String> {
    match access {
        Access::Public | Access::Authenticated => None,
        Access::Scopes(alternatives) => {
            alternatives.first().map(|alternative| alternative.text(params)).filter(|scope| !scope.is_empty())
        }
    }
}

fn is_template(token: &str) -> bool {
    token.contains(['{', '}'])
}

/// Appends a parameter's value, decoded; `None` when it is empty, too long, or holds a character that
/// no scope-token has (R6749-3.3a). Braces are none either: a value must never name a template.
fn push_value(token: &mut String, value: &str) -> Option<()> {
    if value.is_empty() || value.len() > LONGEST_VALUE {
        return None;
    }
    let mut octets = value.bytes();
    while let Some(octet) = octets.next() {
        let octet = if octet == b'%' {
            let mut digit = || octets.next().and_then(|digit| char::from(digit).to_digit(16));
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            octet
        };
        if !matches!(octet, b'!' | b'#'..=b'[' | b']'..=b'z' | b'|' | b'~') {
            return None;
        }
        token.push(char::from(octet));
    }
    Some(())
}

#[cfg(test)]
mod tests;
