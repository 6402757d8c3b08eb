//! What a request asks for: a route, and the resource that the route's path is below.

use super::failure::Failure;
use crate::enforce::bearer::Methods;
use crate::enforce::decide;
use crate::enforce::guard::Invalid;
use crate::http1::head::Request;
use crate::oauth::resource::Resource;
use crate::proxy::route::Matched;

/// What a request asks for.
pub(super) struct Wanted<'a> {
    pub(super) matched: &'a Matched<'a>,
    pub(super) resource: &'a Resource,
    /// A page of an origin that the resource does not admit sends it.
    foreign: bool,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(matched: &'a Matched<'a>, resource: &'a Resource, request: &Request<'_>) -> Self {
        Self { matched, resource, foreign: !admits_origin(resource, request) }
    }

    pub(super) const fn check_origin(&self) -> Result<(), Failure> {
        if self.foreign { Err(Failure::Origin) } else { Ok(()) }
    }

    /// An MCP client learns with every 401 which scope to ask for (MCP-3).
    pub(super) fn invalid(&self, why: Invalid, params: &[&str]) -> Failure {
        let scope = if self.resource.mcp { decide::needed(self.matched.access, params) } else { None };
        Failure::Invalid(why, scope)
    }
}

/// The ways in which a route takes its tokens: an MCP server only in the header (MCP-9).
pub(super) const fn ways(methods: Methods, resource: &Resource) -> Methods {
    if resource.mcp { Methods { form: false, query: false, ..methods } } else { methods }
}

/// MCP-13: a browser says in `Origin` on whose page a request was made. Other clients do not say it.
fn admits_origin(resource: &Resource, request: &Request<'_>) -> bool {
    !resource.mcp || request.values("origin").all(|origin| resource.admits_origin(origin))
}
