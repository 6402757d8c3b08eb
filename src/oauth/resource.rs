//! Protected resources (RFC 8707, RFC 9728): the gateway as a whole, and each `[[resources]]`; as
//! identifiers that compare in one way, and as numbers that compare in one machine instruction.

#[cfg(test)]
pub(crate) mod tests;

use super::scope::{Scope, ScopeTable};
use super::url::Url;

/// The most resources beside the gateway: each has a bit of its own in a [`ResourceSet`].
pub const MOST: usize = 63;

/// Which resource of one configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceId(u8);

impl ResourceId {
    /// The gateway as a whole: what is below no other resource.
    pub const GATEWAY: Self = Self(0);

    /// Its place among all resources, the gateway's being 0.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Resources of one configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceSet(u64);

impl ResourceSet {
    /// Whether `id` is one of them.
    pub const fn contains(self, id: ResourceId) -> bool {
        self.0 >> (id.0 & 63) & 1 == 1
    }

    const fn insert(&mut self, id: ResourceId) {
        self.0 |= 1 << (id.0 & 63);
    }
}

/// A protected resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// Its number: [`Resources::new`] gives it.
    pub id: ResourceId,
    /// Its URL: what clients name in `resource`, and what `aud` says.
    pub identifier: String,
    /// Where it begins, without a slash at the end: empty for the gateway as a whole.
    pub path: String,
    /// What people see.
    pub name: Option<String>,
    /// Whether only tokens that were asked for with its identifier are good for it.
    pub requires_audience: bool,
    /// An MCP server: tokens only in the header, `Origin` checked, challenges that add up.
    pub mcp: bool,
    /// What an `Origin` field may say, where `mcp` is set.
    pub origins: Vec<String>,
    /// The scopes that its routes need, templates by their name; `None`: every one.
    pub scopes: Option<Scope>,
    /// The ways in which it takes tokens, in the words of RFC 9728.
    pub bearer_methods: Vec<&'static str>,
}

impl Resource {
    /// Whether `origin` may call it from a page (MCP-13).
    pub fn admits_origin(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
    }

    /// Whether the scope `token`, which gives what is `held`, means something here.
    fn means(&self, token: &str, held: &super::scope::ScopeSet, scopes: &ScopeTable) -> bool {
        let Some(needed) = &self.scopes else { return true };
        needed.is_empty()
            || needed.iter().any(|needed| {
                scopes.holds(held, needed.as_str())
                    || (needed.as_str().contains('{')
                        && scopes.holds(&scopes.set_of(&std::iter::once(needed.clone()).collect()), token))
            })
    }
}

/// Every resource of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    gateway: Resource,
    others: Vec<Resource>,
    /// Those that a token without an audience is good for.
    unrestricted: ResourceSet,
    gateway_is_one: bool,
}

impl Resources {
    /// The gateway as the only resource.
    pub fn gateway(identifier: &str, bearer_methods: Vec<&'static str>) -> Self {
        let gateway = Resource { identifier: identifier.to_owned(), bearer_methods, ..Resource::default() };
        Self::new(gateway, Vec::new(), true)
    }

    /// The gateway and at most [`MOST`] others; `gateway_is_one`: something that needs a token is below
    /// none of the others.
    pub fn new(gateway: Resource, mut others: Vec<Resource>, gateway_is_one: bool) -> Self {
        others.truncate(MOST);
        let mut unrestricted = ResourceSet::default();
        for (id, resource) in (1..).zip(&mut others) {
            resource.id = ResourceId(id);
        }
        let gateway = Resource { id: ResourceId::GATEWAY, ..gateway };
        for resource in std::iter::once(&gateway).chain(&others).filter(|resource| !resource.requires_audience) {
            unrestricted.insert(resource.id);
        }
        Self { gateway, others, unrestricted, gateway_is_one }
    }

    /// The resource with this number.
    pub fn get(&self, id: ResourceId) -> &Resource {
        usize::from(id.0).checked_sub(1).and_then(|at| self.others.get(at)).unwrap_or(&self.gateway)
    }

    /// Every resource at its number, the gateway first.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        std::iter::once(&self.gateway).chain(&self.others)
    }

    /// Those that something needs a token for: what metadata lists (R9728-4).
    pub fn listed(&self) -> impl Iterator<Item = &Resource> {
        self.iter().skip(usize::from(!self.gateway_is_one))
    }

    /// Whether there is any beside the gateway.
    pub fn are_configured(&self) -> bool {
        !self.others.is_empty()
    }

    /// The resource that is described where the gateway's metadata would be: an MCP server that is
    /// all that there is behind it, for clients that look nowhere else (MCP-1).
    pub fn at_root(&self) -> &Resource {
        match &*self.others {
            [only] if only.mcp && !self.gateway_is_one => only,
            _ => &self.gateway,
        }
    }

    /// The resource that a client names (R8707-P).
    ///
    /// # Errors
    /// When it names none.
    pub fn find(&self, uri: &str) -> Result<&Resource, UnknownResource> {
        let wanted = normal(uri).ok_or(UnknownResource::Malformed)?;
        self.iter()
            .find(|resource| normal(&resource.identifier).is_some_and(|known| known == wanted))
            .ok_or(UnknownResource::Unknown)
    }

    /// What a token with this audience is good for. What is no resource any more is none.
    pub fn set_of(&self, audience: &[String]) -> ResourceSet {
        if audience.is_empty() {
            return self.unrestricted;
        }
        let mut set = ResourceSet::default();
        for resource in audience.iter().filter_map(|uri| self.find(uri).ok()) {
            set.insert(resource.id);
        }
        set
    }

    /// The audience of a token in words: its own, or every resource that demands none.
    pub fn audience_of(&self, audience: &[String]) -> Vec<String> {
        if !audience.is_empty() {
            return audience.to_vec();
        }
        self.iter().filter(|resource| !resource.requires_audience).map(|resource| resource.identifier.clone()).collect()
    }

    /// The part of `scope` that means something at one of the resources of `audience` at least
    /// (R8707-2.2b): what the routes there need, and what implies it. A resource that needs no scope
    /// takes any. Without an audience everything does.
    pub fn meaningful(&self, scope: &Scope, audience: &[String], scopes: &ScopeTable) -> Scope {
        if audience.is_empty() {
            return scope.clone();
        }
        let set = self.set_of(audience);
        let meant = |token: &super::scope::ScopeToken| {
            let held = scopes.set_of(&std::iter::once(token.clone()).collect());
            let mut resources = self.iter().filter(|resource| set.contains(resource.id));
            resources.any(|resource| resource.means(token.as_str(), &held, scopes))
        };
        scope.iter().filter(|token| meant(token)).cloned().collect()
    }
}

/// Why a `resource` parameter names no resource of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.as_str())]
pub enum UnknownResource {
    /// Not a URL that could be one.
    Malformed,
    /// Somebody else's.
    Unknown,
}

impl UnknownResource {
    /// For the client.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "a resource is an absolute URI without query and fragment",
            Self::Unknown => "there is no such resource here",
        }
    }
}

/// The resource of a route's requests: one, or, where the route reaches into the paths of others, the
/// longest that the path is below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteResource {
    whole: ResourceId,
    /// The longest path first.
    inner: Box<[(Box<str>, ResourceId)]>,
}

impl RouteResource {
    /// `whole`, but for the paths below one of `inner`.
    pub fn new(whole: ResourceId, inner: &[&Resource]) -> Self {
        let mut inner: Vec<(Box<str>, ResourceId)> =
            inner.iter().map(|resource| (resource.path.as_str().into(), resource.id)).collect();
        inner.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Self { whole, inner: inner.into() }
    }

    /// The resource of a request to `path`, in the form in which paths are matched.
    pub fn of(&self, path: &str) -> ResourceId {
        self.inner.iter().find(|(prefix, _)| is_below(path, prefix)).map_or(self.whole, |(_, id)| *id)
    }

    /// The one of all paths but those below another.
    pub const fn whole(&self) -> ResourceId {
        self.whole
    }

    /// All that a request can be for.
    pub fn all(&self) -> impl Iterator<Item = ResourceId> {
        std::iter::once(self.whole).chain(self.inner.iter().map(|(_, id)| *id))
    }
}

/// Whether `path` is `prefix`, which has no slash at its end, or below it.
pub fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// R8707-P: scheme and host in lower case, no default port, an empty path is `/`; nothing else. `None`:
/// no absolute URI with a host, or one with a fragment; a query or user information is in no URL of
/// ours either.
fn normal(uri: &str) -> Option<(String, String, Option<u16>, &str)> {
    let url = Url::parse(uri).filter(|url| !url.has_query_or_fragment && url.user_info.is_none())?;
    let scheme = url.scheme.to_ascii_lowercase();
    let default_port = match &*scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let path = if url.path.is_empty() { "/" } else { url.path };
    Some((scheme, url.host.to_ascii_lowercase(), url.port.or(default_port), path))
}
