//! The `WWW-Authenticate` challenge (RFC 6750 section 3), prepared with the route.

use crate::oauth::error::BearerErrorCode;

/// The parts of a challenge that are known at start.
#[derive(Clone, Debug)]
pub struct Challenge {
    // Private: `Bearer realm="…"` and `resource_metadata="…"` as ready text.
}

impl Challenge {
    /// A challenge for `realm` and, where known, the URL of the RFC 9728 metadata. Characters that
    /// may not stand in a quoted-string are the configuration's to refuse.
    pub fn new(realm: &str, resource_metadata: Option<&str>) -> Self {
        let _ = (realm, resource_metadata);
        todo!()
    }

    /// The field's value. `error` with its description; `scope` where one would help. Each
    /// parameter at most once, nothing from the request in it (R6750-3c).
    pub fn value(&self, error: Option<(BearerErrorCode, &str)>, scope: Option<&str>) -> String {
        let _ = (error, scope);
        todo!()
    }
}
