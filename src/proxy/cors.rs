//! Which pages may read a route's responses (the Fetch standard, "HTTP extensions"): PX-10, PX-11, MCP-14.
//!
//! What is allowed is said in full and never made of what a request asks for, so that nothing has to be
//! read of a preflight but its origin. A request of another origin passes as ever: it is the browser that keeps
//! the response from the page.

#[cfg(test)]
mod tests;

use http::HeaderName;
use std::time::Duration;

/// The fields that every page may send, beside those that browsers allow anyway.
const HEADERS: [&str; 11] = [
    "accept",
    "accept-language",
    "authorization",
    "content-language",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
    "x-requested-with",
];

/// Those of an MCP client (MCP-14).
const MCP_HEADERS: [&str; 3] = ["mcp-session-id", "mcp-protocol-version", "last-event-id"];

/// The fields that every page may read, beside those that browsers show anyway.
const EXPOSED: [&str; 5] = ["www-authenticate", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"];

/// Those of an MCP client.
const MCP_EXPOSED: [&str; 2] = ["mcp-session-id", "mcp-protocol-version"];

/// Whose pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Everybody's.
    Any,
    /// Those of these.
    Of(Vec<OriginPattern>),
}

/// An origin, or those one label below a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    /// `https://` before a label, or the whole origin.
    start: Box<str>,
    /// `.example.com:8443` behind it; `None`: there is no label.
    end: Option<Box<str>>,
}

impl OriginPattern {
    /// This origin, as browsers write it.
    pub fn exact(origin: &str) -> Self {
        Self { start: origin.into(), end: None }
    }

    /// One label between `start` and `end`.
    pub fn below(start: &str, end: &str) -> Self {
        Self { start: start.into(), end: Some(end.into()) }
    }

    /// Octet by octet: browsers write an origin in one way.
    fn matches(&self, origin: &[u8]) -> bool {
        let Some(end) = &self.end else { return origin == self.start.as_bytes() };
        let label = origin.strip_prefix(self.start.as_bytes()).and_then(|rest| rest.strip_suffix(end.as_bytes()));
        let is_letter = |octet: &u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        label.is_some_and(|label| !label.is_empty() && label.iter().all(is_letter))
    }
}

/// What a route's `cors` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    methods: String,
    headers: String,
    exposed: String,
    max_age: String,
}

/// A field of a response.
type Line<'l> = Option<(&'static str, &'l [u8])>;

impl Cors {
    /// For `origins`, with `methods`; with cookies and the like where `credentials`. `None` of everybody's
    /// pages may send those: then there is no such setting.
    pub fn new(origins: Origins, credentials: bool, methods: &[&str], max_age: Duration) -> Option<Self> {
        if credentials && origins == Origins::Any {
            return None;
        }
        Some(Self {
            origins,
            credentials,
            methods: methods.join(", "),
            headers: HEADERS.join(", "),
            exposed: EXPOSED.join(", "),
            max_age: max_age.as_secs().to_string(),
        })
    }

    /// Pages may send these as well.
    pub fn with_headers(mut self, names: &[HeaderName]) -> Self {
        add(&mut self.headers, names.iter().map(HeaderName::as_str));
        self
    }

    /// Pages may read these as well.
    pub fn with_exposed(mut self, names: &[HeaderName]) -> Self {
        add(&mut self.exposed, names.iter().map(HeaderName::as_str));
        self
    }

    /// An MCP server stands behind it.
    pub fn serve_mcp(&mut self) {
        add(&mut self.headers, MCP_HEADERS.into_iter());
        add(&mut self.exposed, MCP_EXPOSED.into_iter());
    }

    /// Whether `origin` is named, by itself or by its parent.
    pub fn names(&self, origin: &[u8]) -> bool {
        matches!(&self.origins, Origins::Of(patterns) if patterns.iter().any(|pattern| pattern.matches(origin)))
    }

    /// What `Access-Control-Allow-Origin` says to a request with these `Origin` fields.
    fn allowed<'o>(&self, mut origins: impl Iterator<Item = &'o [u8]>) -> Option<&'o [u8]> {
        if self.origins == Origins::Any {
            return Some(b"*");
        }
        let origin = origins.next().filter(|_| origins.next().is_none());
        origin.filter(|origin| self.names(origin))
    }

    /// The fields of the response to a request with these `Origin` fields.
    pub fn response<'l>(
        &'l self,
        origins: impl Iterator<Item = &'l [u8]>,
    ) -> impl Iterator<Item = (&'static str, &'l [u8])> {
        let allowed = self.allowed(origins);
        let lines: [Line<'l>; 3] = [
            allowed.map(|_| ("access-control-expose-headers", self.exposed.as_bytes())),
            self.with_credentials(allowed),
            (self.origins != Origins::Any).then_some(("vary", b"Origin".as_slice())),
        ];
        allowed.map(|origin| ("access-control-allow-origin", origin)).into_iter().chain(lines.into_iter().flatten())
    }

    /// The fields of the answer to a preflight with these `Origin` fields; `None`: the origin is not allowed.
    pub fn preflight<'l>(
        &'l self,
        origins: impl Iterator<Item = &'l [u8]>,
    ) -> Option<impl Iterator<Item = (&'static str, &'l [u8])>> {
        let origin = self.allowed(origins)?;
        let lines: [Line<'l>; 6] = [
            Some(("access-control-allow-origin", origin)),
            self.with_credentials(Some(origin)),
            Some(("access-control-allow-methods", self.methods.as_bytes())),
            Some(("access-control-allow-headers", self.headers.as_bytes())),
            Some(("access-control-max-age", self.max_age.as_bytes())),
            Some(("vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")),
        ];
        Some(lines.into_iter().flatten())
    }

    fn with_credentials<'l>(&self, allowed: Option<&[u8]>) -> Line<'l> {
        (self.credentials && allowed.is_some()).then_some(("access-control-allow-credentials", b"true".as_slice()))
    }
}

/// Whether the field is one that only the gateway says of a route with `cors`, so that there is one.
pub fn is_ours(name: &[u8]) -> bool {
    const PREFIX: &[u8] = b"access-control-";
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

fn add<'n>(list: &mut String, names: impl Iterator<Item = &'n str>) {
    for name in names {
        if list.split(", ").all(|known| known != name) {
            list.push_str(", ");
            list.push_str(name);
        }
    }
}
