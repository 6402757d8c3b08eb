//! Protected resource metadata (RFC 9728): the whole gateway is one resource, its `public_url`.

use super::Endpoints;
use crate::enforce::bearer::Methods;
use crate::issue::scopes_supported;
use serde_json::{Value, json};

impl Endpoints {
    /// R9728-2a, R9728-2b
    pub(super) fn resource_metadata(&self) -> Value {
        let issuer = &self.issuer.settings().issuer;
        let mut document = json!({
            "resource": issuer,
            "authorization_servers": [issuer],
            "bearer_methods_supported": methods(self.settings.bearer),
        });
        if let Some(scopes) = scopes_supported(self.issuer.scopes()) {
            document["scopes_supported"] = scopes;
        }
        document
    }
}

/// The names of RFC 9728: the form is called `body` there.
fn methods(methods: Methods) -> Vec<&'static str> {
    let named = [(methods.header, "header"), (methods.form, "body"), (methods.query, "query")];
    named.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect()
}
