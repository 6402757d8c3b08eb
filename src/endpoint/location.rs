//! Where the endpoints are: below the path of `public_url`, and at the well-known locations that
//! RFC 8414 and RFC 9728 derive from it.

use crate::issue::Settings;
use crate::oauth::resource::{ResourceId, Resources};
use http::Method;

const SERVER: &str = "/.well-known/oauth-authorization-server";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// Where gRPC has Envoy's `Authorization` service: the decision for Envoy.
pub const EXT_AUTHZ: &str = "/envoy.service.auth.v3.Authorization/Check";

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// One that a resource owner's browser visits.
    Browser(Place),
    /// One that takes a form from a client.
    Form(Form),
    /// RFC 7591.
    Register,
    /// RFC 7592.
    Registration,
    /// RFC 9728, of this resource.
    ResourceMetadata(ResourceId),
    /// RFC 8414.
    ServerMetadata,
    /// What the bearer's own token is.
    TokenInfo,
}

/// An endpoint that a resource owner's browser visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Which apps have access, and where somebody is signed in.
    Account,
    /// What pages consist of beside their text.
    Asset,
    /// RFC 6749 section 3.1.
    Authorize,
    /// Where an identity provider sends the browser back to.
    Callback,
    /// The answer to the consent page.
    Consent,
    /// RFC 8628 section 3.3: a device's code, and the answer to it.
    Device,
    /// A name and a password.
    Login,
    /// The end of a session.
    Logout,
    /// The way to an identity provider.
    Provider,
}

impl Place {
    /// Its name in the log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Asset => "asset",
            Self::Authorize => "authorize",
            Self::Callback => "callback",
            Self::Consent => "consent",
            Self::Device => "device",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Provider => "provider",
        }
    }
}

/// An endpoint that takes a form from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 8628 section 3.1.
    DeviceAuthorization,
    /// RFC 7662.
    Introspect,
    /// RFC 9126.
    Par,
    /// RFC 7009.
    Revoke,
    /// RFC 6749 section 3.2.
    Token,
}

impl Endpoint {
    /// The methods it takes, as `Allow` says them.
    pub(super) const fn allowed(self) -> &'static str {
        match self {
            // It is good once: no HEAD.
            Self::Browser(Place::Callback) => "GET",
            // HEAD and GET are one (RFC 9110 section 9.3.2).
            Self::Browser(Place::Account | Place::Authorize | Place::Device) => "GET, HEAD, POST",
            Self::Browser(Place::Consent | Place::Login | Place::Logout | Place::Provider)
            | Self::Form(_)
            | Self::Register => "POST",
            Self::Browser(Place::Asset) | Self::ResourceMetadata(_) | Self::ServerMetadata | Self::TokenInfo => {
                "GET, HEAD"
            }
            Self::Registration => "DELETE, GET, HEAD, PUT",
        }
    }

    pub(super) fn allows(self, method: &Method) -> bool {
        self.allowed().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// The paths of the endpoints, prepared at start.
#[derive(Debug)]
pub(super) struct Locations {
    /// `/oauth2`, behind the path of the issuer.
    base: String,
    base_url: String,
    /// RFC 8414 section 3.1: the issuer's path stands behind the well-known string …
    server: String,
    /// RFC 9728 section 3.1, of each resource.
    resources: Vec<(String, ResourceId)>,
    /// The same behind the path of an MCP server, where some clients look as well.
    suffixed: Vec<(String, ResourceId)>,
    /// … and not before it. Some clients look there all the same: they are told that nothing is
    /// there, by nobody but us. `None`: the issuer has no path, both are one.
    issuer_path: Option<String>,
}

impl Locations {
    /// The locations for an issuer, `[oauth] path`, and the resources.
    pub(super) fn new(issuer: &str, path: &str, resources: &Resources) -> Self {
        let (origin, issuer_path) = split(issuer);
        let base = format!("{issuer_path}{}", path.trim_end_matches('/'));
        Self {
            base_url: format!("{origin}{base}"),
            base,
            server: format!("{SERVER}{issuer_path}"),
            resources: described(issuer_path, resources),
            suffixed: suffixed(resources),
            issuer_path: (!issuer_path.is_empty()).then(|| issuer_path.to_owned()),
        }
    }

    /// The path below which the endpoints live.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The URL below which the endpoints live.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether `path` is one of the gateway's own. Asked of every request.
    pub(super) fn owns(&self, path: &str) -> bool {
        below(path, &self.base)
            || path == EXT_AUTHZ
            || (path.starts_with("/.well-known/") && (below(path, SERVER) || below(path, RESOURCE)))
            || self
                .issuer_path
                .as_deref()
                .and_then(|issuer_path| path.strip_prefix(issuer_path))
                .is_some_and(|path| path.starts_with("/.well-known/") && (below(path, SERVER) || below(path, RESOURCE)))
            || self.suffixed.iter().any(|(suffixed, _)| suffixed == path)
    }

    /// Whether the decision for other proxies is at `path`.
    pub(super) fn is_decision(&self, path: &str) -> bool {
        path.strip_prefix(&*self.base) == Some("/auth")
    }

    /// The endpoint at `path`.
    pub(super) fn find(&self, path: &str) -> Option<Endpoint> {
        if path == self.server {
            return Some(Endpoint::ServerMetadata);
        }
        if let Some((_, id)) = self.resources.iter().chain(&self.suffixed).find(|(known, _)| known == path) {
            return Some(Endpoint::ResourceMetadata(*id));
        }
        match path.strip_prefix(&*self.base)? {
            "/account" => Some(Endpoint::Browser(Place::Account)),
            "/authorize" => Some(Endpoint::Browser(Place::Authorize)),
            "/consent" => Some(Endpoint::Browser(Place::Consent)),
            "/device" => Some(Endpoint::Browser(Place::Device)),
            "/device_authorization" => Some(Endpoint::Form(Form::DeviceAuthorization)),
            "/introspect" => Some(Endpoint::Form(Form::Introspect)),
            "/login" => Some(Endpoint::Browser(Place::Login)),
            "/login/callback" => Some(Endpoint::Browser(Place::Callback)),
            "/login/provider" => Some(Endpoint::Browser(Place::Provider)),
            "/logout" => Some(Endpoint::Browser(Place::Logout)),
            "/par" => Some(Endpoint::Form(Form::Par)),
            "/register" => Some(Endpoint::Register),
            "/revoke" => Some(Endpoint::Form(Form::Revoke)),
            "/token" => Some(Endpoint::Form(Form::Token)),
            "/tokeninfo" => Some(Endpoint::TokenInfo),
            asset if asset.starts_with("/assets/") => Some(Endpoint::Browser(Place::Asset)),
            _ => self.registered_client(path).map(|_| Endpoint::Registration),
        }
    }

    /// The identifier of the client whose registration is at `path` (RFC 7592). It is ours, so that
    /// there is nothing in it to decode.
    pub(super) fn registered_client<'p>(&self, path: &'p str) -> Option<&'p str> {
        let id = path.strip_prefix(&*self.base)?.strip_prefix("/register/")?;
        (!id.is_empty() && id.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')).then_some(id)
    }
}

/// R9728-3a, R9728-3b, MCP-1
fn described(issuer_path: &str, resources: &Resources) -> Vec<(String, ResourceId)> {
    let root = resources.at_root().id;
    let mut described = vec![(format!("{RESOURCE}{issuer_path}"), root)];
    if root != ResourceId::GATEWAY && !issuer_path.is_empty() {
        described.push((RESOURCE.to_owned(), root));
    }
    described.extend(resources.iter().skip(1).map(|resource| (format!("{RESOURCE}{}", resource.path), resource.id)));
    described
}

fn suffixed(resources: &Resources) -> Vec<(String, ResourceId)> {
    let servers = resources.iter().filter(|resource| resource.mcp && !resource.path.is_empty());
    servers.map(|resource| (format!("{}{RESOURCE}", resource.path), resource.id)).collect()
}

/// The URL of the RFC 9728 metadata of a resource: for challenges (R9728-5.1a).
pub fn resource_metadata_url(identifier: &str) -> String {
    let (origin, path) = split(identifier);
    format!("{origin}{RESOURCE}{path}")
}

/// The path below which the endpoints live: where pages send their forms.
pub fn base_path(settings: &Settings) -> String {
    Locations::new(&settings.issuer, &settings.path, &settings.resources).base
}

/// Where an identity provider sends the browser back to.
pub fn callback_url(settings: &Settings) -> String {
    format!("{}/login/callback", Locations::new(&settings.issuer, &settings.path, &settings.resources).base_url)
}

/// Where it sends the browser back to that has signed out there.
pub fn signed_out_url(settings: &Settings) -> String {
    format!("{}/account", Locations::new(&settings.issuer, &settings.path, &settings.resources).base_url)
}

/// Whether `path` is one of the gateway's own.
pub fn owns(settings: &Settings, path: &str) -> bool {
    Locations::new(&settings.issuer, &settings.path, &settings.resources).owns(path)
}

/// Whether `path` is `prefix` or below it.
fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A URL's origin, and its path without the slash at the end.
fn split(url: &str) -> (&str, &str) {
    let authority = url.find("://").map_or(0, |at| at + "://".len());
    let path = url.get(authority..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| authority + at);
    let (origin, path) = url.split_at(path);
    (origin, path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::resource::Resource;

    /// R8414-3a, R8414-3b
    #[test]
    fn metadata_is_where_the_issuer_says() {
        for (issuer, path) in [
            ("https://example.com", "/.well-known/oauth-authorization-server"),
            ("https://example.com/", "/.well-known/oauth-authorization-server"),
            ("https://example.com/issuer1", "/.well-known/oauth-authorization-server/issuer1"),
            ("https://example.com/issuer1/", "/.well-known/oauth-authorization-server/issuer1"),
        ] {
            let locations = Locations::new(issuer, "/oauth2", &Resources::default());
            assert_eq!(locations.find(path), Some(Endpoint::ServerMetadata), "{issuer}");
            assert!(locations.owns(path));
        }
        let locations = Locations::new("https://example.com/issuer1", "/oauth2", &Resources::default());
        for path in ["/.well-known/oauth-authorization-server", "/issuer1/.well-known/oauth-authorization-server"] {
            assert_eq!(locations.find(path), None);
            assert!(locations.owns(path), "{path}");
        }
    }

    /// R9728-3a
    #[test]
    fn resource_metadata_is_inserted_behind_the_host() {
        for (resource, url) in [
            ("https://resource.example.com", "https://resource.example.com/.well-known/oauth-protected-resource"),
            (
                "https://resource.example.com/resource1",
                "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
            ),
            ("https://example.com/public/mcp", "https://example.com/.well-known/oauth-protected-resource/public/mcp"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/.well-known/oauth-protected-resource"),
        ] {
            assert_eq!(resource_metadata_url(resource), url);
        }
    }

    fn servers(mcp: bool) -> Resources {
        let resource = |path: &str| Resource { path: path.to_owned(), mcp, ..Resource::default() };
        Resources::new(Resource::default(), vec![resource("/notes"), resource("/notes/mcp")], true)
    }

    /// R9728-3a, R9728-3c, MCP-1
    #[test]
    fn each_resource_has_metadata_of_its_own() {
        let resources = servers(true);
        let [_, notes, mcp] = resources.iter().map(|resource| resource.id).collect::<Vec<_>>()[..] else { panic!() };
        let locations = Locations::new("https://example.com", "/oauth2", &resources);
        for (path, id) in [
            ("/.well-known/oauth-protected-resource", ResourceId::GATEWAY),
            ("/.well-known/oauth-protected-resource/notes", notes),
            ("/.well-known/oauth-protected-resource/notes/mcp", mcp),
            ("/notes/mcp/.well-known/oauth-protected-resource", mcp),
        ] {
            assert_eq!(locations.find(path), Some(Endpoint::ResourceMetadata(id)), "{path}");
            assert!(locations.owns(path), "{path}");
        }
        assert_eq!(locations.find("/.well-known/oauth-protected-resource/other"), None);
        let locations = Locations::new("https://example.com", "/oauth2", &servers(false));
        assert!(!locations.owns("/notes/.well-known/oauth-protected-resource"));
    }

    /// MCP-1
    #[test]
    fn an_mcp_server_alone_is_described_at_both_roots() {
        let server = Resource { path: "/mcp".to_owned(), mcp: true, ..Resource::default() };
        let resources = Resources::new(Resource::default(), vec![server], false);
        let locations = Locations::new("https://example.com/gate", "/oauth2", &resources);
        let id = resources.at_root().id;
        for path in ["", "/gate", "/mcp"] {
            let path = format!("/.well-known/oauth-protected-resource{path}");
            assert_eq!(locations.find(&path), Some(Endpoint::ResourceMetadata(id)), "{path}");
        }
    }

    /// R8414-7
    #[test]
    fn what_is_below_the_prefixes_is_ours_and_nothing_else() {
        let locations = Locations::new("https://example.com/api", "/oauth2", &Resources::default());
        for path in [
            "/api/oauth2",
            "/api/oauth2/token",
            "/api/oauth2/unheard/of",
            "/.well-known/oauth-authorization-server/other",
            "/.well-known/oauth-protected-resource/api/notes",
            "/api/.well-known/oauth-protected-resource",
        ] {
            assert!(locations.owns(path), "{path}");
        }
        for path in [
            "/",
            "/oauth2/token",
            "/api/oauth2x",
            "/api/oauth",
            "/api",
            "/.well-known/oauth-authorization-serverx",
            "/.well-known/openid-configuration",
            "/api/.well-known/oauth-other",
        ] {
            assert!(!locations.owns(path), "{path}");
        }
        assert_eq!(locations.find("/api/oauth2/token"), Some(Endpoint::Form(Form::Token)));
        assert_eq!(locations.find("/api/oauth2/token/"), None);
        assert_eq!(locations.base_url(), "https://example.com/api/oauth2");
    }
}
