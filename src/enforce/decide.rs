//! The decision: a pure function of what a route needs and what a token holds.

use super::guard::Identity;
use crate::oauth::params;
use crate::oauth::scope::{Scope, ScopeSet, ScopeTable, ScopeToken};
use std::borrow::Cow;
use std::sync::Arc;

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
    /// Those with a path parameter: the text before, the parameter's position in the path template,
    /// the text after.
    pub templates: Vec<(Box<str>, usize, Box<str>)>,
}

/// The proof that a request may be forwarded. Only [`decide`] makes one.
#[must_use]
#[derive(Debug)]
pub struct Permit {
    identity: Option<Arc<Identity>>,
}

impl Permit {
    /// Who is asking; `None` on a public route.
    pub const fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }
}

/// The refusal: 403 `insufficient_scope` with the scope that would pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Denial {
    /// What the route needs: of several alternatives the one that lacks least, in full.
    pub needed: String,
}

/// Whether `identity` may pass. `params` are the path parameters' values, in template order.
///
/// # Errors
/// When a scope is missing.
pub fn decide(
    access: &Access,
    identity: Arc<Identity>,
    params: &[&str],
    scopes: &ScopeTable,
) -> Result<Permit, Denial> {
    let passes = match access {
        Access::Public | Access::Authenticated => true,
        Access::Scopes(alternatives) => {
            alternatives.iter().any(|alternative| alternative.is_held(&identity.scopes, params, scopes))
        }
    };
    if passes {
        return Ok(Permit { identity: Some(identity) });
    }
    Err(Denial { needed: nearest(access, &identity.scopes, params, scopes) })
}

/// The permit of a public route; `None` when the route is not public.
pub fn public(access: &Access) -> Option<Permit> {
    matches!(access, Access::Public).then_some(Permit { identity: None })
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
            alternatives.first().map(|first| first.tokens(params).join(" ")).filter(|scope| !scope.is_empty())
        }
    }
}

impl Alternative {
    fn is_held(&self, held: &ScopeSet, params: &[&str], scopes: &ScopeTable) -> bool {
        held.covers(&self.literal)
            && self
                .templates
                .iter()
                .all(|template| instance(template, params).is_some_and(|token| scopes.holds(held, &token)))
    }

    /// The scope-tokens, with the parameters' values in place of their names. A value that cannot stand
    /// in a scope names none.
    fn tokens(&self, params: &[&str]) -> Vec<String> {
        let mut templates = self.templates.iter();
        self.scope
            .iter()
            .filter_map(|token| {
                if token.as_str().contains('{') {
                    templates.next().and_then(|template| instance(template, params))
                } else {
                    Some(token.as_str().to_owned())
                }
            })
            .collect()
    }
}

/// The alternative that lacks least, in full.
fn nearest(access: &Access, held: &ScopeSet, params: &[&str], scopes: &ScopeTable) -> String {
    let Access::Scopes(alternatives) = access else { return String::new() };
    let lacking = |tokens: &Vec<String>| tokens.iter().filter(|token| !scopes.holds(held, token)).count();
    let all = alternatives.iter().map(|alternative| alternative.tokens(params));
    all.min_by_key(lacking).unwrap_or_default().join(" ")
}

/// The scope-token that a template becomes: the parameter's value decoded once, as it is matched
/// (PATH-10). A value that cannot stand in a scope never matches.
fn instance((before, position, after): &(Box<str>, usize, Box<str>), params: &[&str]) -> Option<String> {
    let value = decoded(params.get(*position)?)?;
    let token = format!("{before}{value}{after}");
    (!value.is_empty() && token.parse::<ScopeToken>().is_ok()).then_some(token)
}

/// The value of a path parameter: a `+` is a plus sign there, unlike in a form.
fn decoded(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains('%') {
        return Some(Cow::Borrowed(value));
    }
    let kept = value.replace('+', "%2B");
    params::decode(kept.as_bytes()).ok().map(|decoded| Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests;
