//! The decision: a pure function of what a route needs and what a token holds.

use super::guard::Identity;
use crate::oauth::scope::{Scope, ScopeSet, ScopeTable};
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
    pub fn identity(&self) -> Option<&Arc<Identity>> {
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
    let _ = (access, identity, params, scopes);
    todo!()
}

/// The permit of a public route.
///
/// # Errors
/// When the route is not public.
pub fn public(access: &Access) -> Option<Permit> {
    let _ = access;
    todo!()
}

/// The permit of a route in `report_only`, whatever was decided.
pub fn report_only(identity: Option<Arc<Identity>>) -> Permit {
    let _ = identity;
    todo!()
}

/// The permit of a CORS preflight, which carries no credential and no content (PX-10): it is
/// forwarded without identity fields.
pub fn preflight() -> Permit {
    todo!()
}

/// The scope that a challenge without a token names: the only alternative, or the first.
pub fn needed(access: &Access, params: &[&str]) -> Option<String> {
    let _ = (access, params);
    todo!()
}
