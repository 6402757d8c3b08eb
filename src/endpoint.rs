//! The gateway's own HTTP endpoints: a thin layer of methods, media types and sizes over `issue`
//! and `people`.

use crate::enforce::bearer::Methods;
use crate::enforce::guard::Guard;
use crate::issue::Issuer;
use bytes::Bytes;
use http::{Request, Response};
use std::net::IpAddr;
use std::rc::Rc;

/// What the endpoints say of the proxied API: the challenge of `/tokeninfo`, RFC 9728 metadata.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[bearer] realm`.
    pub realm: String,
    /// `[bearer] methods`: `bearer_methods_supported`, and where `/tokeninfo` takes its token.
    pub bearer: Methods,
}

/// Who calls, as the connection and the trusted peers say it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `None` behind a unix socket without a trusted forwarding field.
    pub address: Option<IpAddr>,
    /// `X-Request-Id` of the response.
    pub request_id: String,
}

/// The endpoints of one configuration, for one worker.
pub struct Endpoints {
    // Private to this module.
}

/// The longest request body that an endpoint takes (R6749-3.2b).
pub const BODY_LIMIT: usize = 64 * 1024;

impl Endpoints {
    /// The endpoints over `issuer` (tokens, introspection, revocation, metadata) and `guard` (token
    /// information, RFC 6750).
    pub fn new(issuer: Rc<Issuer>, guard: Rc<Guard>, settings: Settings) -> Self {
        let _ = (issuer, guard, settings);
        todo!()
    }

    /// Whether the path is the gateway's own, so that no route can shadow it (R8414-7, PX-19).
    /// `path` is `Target::normal`.
    pub fn owns(&self, path: &str) -> bool {
        let _ = path;
        todo!()
    }

    /// Answers a request whose path it [`owns`](Self::owns). The URI is in origin-form.
    pub async fn handle(&self, request: Request<Bytes>, caller: &Caller) -> Response<Bytes> {
        let _ = (request, caller);
        todo!()
    }
}
