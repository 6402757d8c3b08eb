//! Authorization server metadata (RFC 8414): true to what is switched on.

use super::{Admission, Issuer, register};
use crate::oauth::client::GrantType;
use crate::oauth::pkce;
use crate::oauth::scope::{OPERATOR, Scope, ScopeTable, ScopeToken};
use serde_json::{Value, json};

impl Issuer {
    /// The metadata document; `base` is the URL below which the endpoints live.
    pub fn metadata(&self, base: &str) -> Value {
        let mut methods = vec!["client_secret_basic", "client_secret_post"];
        let confidential = methods.clone();
        let registration = self.settings.registration.admission != Admission::Closed;
        if registration || self.clients.iter().any(|client| !client.is_confidential()) {
            methods.push("none");
        }
        // Clients of the store can be registered for these at any time.
        let always = [GrantType::AuthorizationCode, GrantType::ClientCredentials];
        let served = |grant: &GrantType| {
            if *grant == GrantType::DeviceCode {
                return self.settings.device.is_some();
            }
            always.contains(grant) || self.is_registered(*grant) || registration && register::GRANTS.contains(grant)
        };
        let grants = GrantType::ALL.into_iter().filter(served);
        let protected = self.settings.resources.listed().map(|resource| &resource.identifier);
        let mut document = json!({
            "issuer": self.settings.issuer,
            "authorization_endpoint": format!("{base}/authorize"),
            "authorization_response_iss_parameter_supported": true,
            "code_challenge_methods_supported": [pkce::METHOD],
            "response_modes_supported": ["query"],
            "response_types_supported": ["code"],
            "token_endpoint": format!("{base}/token"),
            "token_endpoint_auth_methods_supported": methods,
            "grant_types_supported": grants.map(GrantType::as_str).collect::<Vec<_>>(),
            "revocation_endpoint": format!("{base}/revoke"),
            "revocation_endpoint_auth_methods_supported": methods,
            "pushed_authorization_request_endpoint": format!("{base}/par"),
            "require_pushed_authorization_requests": self.settings.par_required,
            "introspection_endpoint": format!("{base}/introspect"),
            "introspection_endpoint_auth_methods_supported": confidential,
            // R9728-4
            "protected_resources": protected.collect::<Vec<_>>(),
        });
        if registration {
            document["registration_endpoint"] = format!("{base}/register").into();
        }
        if self.settings.device.is_some() {
            document["device_authorization_endpoint"] = format!("{base}/device_authorization").into();
        }
        if let Some(scopes) = scopes_supported(&self.scopes, None) {
            document["scopes_supported"] = scopes;
        }
        document
    }
}

/// The scopes that can be asked for by name, of all or of those of a resource, less the operator's, which is no business of clients;
/// `None`: there are none (R8414-3.2).
pub fn scopes_supported(table: &ScopeTable, of: Option<&Scope>) -> Option<Value> {
    let declared = || table.declared().iter().map(|scope| scope.name.clone()).collect();
    let all = of.map_or_else(declared, Scope::clone);
    let names = all.iter().filter(|name| table.exists(name)).map(ScopeToken::as_str).filter(|name| *name != OPERATOR);
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| json!(names))
}
