//! The gateway's own HTTP endpoints: a thin layer of methods, media types and sizes over `issue`
//! and `people`.

use bytes::Bytes;
use http::{Request, Response};
use std::net::IpAddr;

/// Who calls, as the connection and the trusted peers say it.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `None` behind a unix socket without a trusted forwarding field.
    pub address: Option<IpAddr>,
    /// Whether the client's side of the connection is encrypted, loopback or a unix socket.
    pub request_id: String,
}

/// The endpoints of one configuration, for one worker.
pub struct Endpoints {
    // Private to this module.
}

/// The longest request body that an endpoint takes (R6749-3.2b).
pub const BODY_LIMIT: usize = 64 * 1024;

impl Endpoints {
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
