//! Protected resource metadata (RFC 9728).

use super::Endpoints;
use crate::issue::scopes_supported;
use crate::oauth::resource::ResourceId;
use serde_json::{Value, json};

impl Endpoints {
    /// R9728-2a, R9728-2b
    pub(super) fn resource_metadata(&self, id: ResourceId) -> Value {
        let settings = self.issuer.settings();
        let resource = settings.resources.get(id);
        let mut document = json!({
            "resource": resource.identifier,
            "authorization_servers": [settings.issuer],
        });
        if !resource.bearer_methods.is_empty() {
            document["bearer_methods_supported"] = json!(resource.bearer_methods);
        }
        if let Some(name) = &resource.name {
            document["resource_name"] = json!(name);
        }
        if let Some(scopes) = scopes_supported(self.issuer.scopes(), resource.scopes.as_ref()) {
            document["scopes_supported"] = scopes;
        }
        document
    }
}
