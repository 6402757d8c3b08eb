//! The `WWW-Authenticate` challenge (RFC 6750 section 3), prepared with the route.

use crate::oauth::error::BearerErrorCode;

/// The parts of a challenge that are known at start.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// `Bearer realm="…"`
    scheme: Box<str>,
    /// `, resource_metadata="…"` or nothing.
    resource_metadata: Box<str>,
}

impl Challenge {
    /// A challenge for `realm` and, where known, the URL of the RFC 9728 metadata. Characters that
    /// may not stand in a quoted-string are the configuration's to refuse; here they are left out.
    pub fn new(realm: &str, resource_metadata: Option<&str>) -> Self {
        let mut scheme = String::from("Bearer realm=\"");
        push_quotable(&mut scheme, realm);
        scheme.push('"');
        let mut metadata = String::new();
        if let Some(url) = resource_metadata {
            push_parameter(&mut metadata, "resource_metadata", url);
        }
        Self { scheme: scheme.into(), resource_metadata: metadata.into() }
    }

    /// The field's value. `error` with its description; `scope` where one would help. Each
    /// parameter at most once, nothing from the request in it (R6750-3c).
    pub fn value(&self, error: Option<(BearerErrorCode, &str)>, scope: Option<&str>) -> String {
        let mut value = String::with_capacity(self.scheme.len() + self.resource_metadata.len() + 160);
        value.push_str(&self.scheme);
        if let Some((code, description)) = error {
            push_parameter(&mut value, "error", code.as_str());
            push_parameter(&mut value, "error_description", description);
        }
        if let Some(scope) = scope {
            push_parameter(&mut value, "scope", scope);
        }
        value.push_str(&self.resource_metadata);
        value
    }
}

fn push_parameter(value: &mut String, name: &str, text: &str) {
    value.push_str(", ");
    value.push_str(name);
    value.push_str("=\"");
    push_quotable(value, text);
    value.push('"');
}

/// Appends what may stand between quotes without an escape: `%x20-21 / %x23-5B / %x5D-7E`.
fn push_quotable(value: &mut String, text: &str) {
    value.extend(text.chars().filter(|character| matches!(character, ' ' | '!' | '#'..='[' | ']'..='~')));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METADATA: &str = "https://api.example/.well-known/oauth-protected-resource";

    /// R6750-3a, R6750-3b; section 28, "Miscellaneous"
    #[test]
    fn without_a_credential_there_is_no_error() {
        assert_eq!(Challenge::new("example", None).value(None, None), "Bearer realm=\"example\"");
        assert_eq!(
            Challenge::new("example", Some(METADATA)).value(None, Some("a b")),
            format!("Bearer realm=\"example\", scope=\"a b\", resource_metadata=\"{METADATA}\"")
        );
    }

    /// R6750-3c
    #[test]
    fn parameters_come_once_and_in_order() {
        let error = Some((BearerErrorCode::InsufficientScope, "a scope is missing"));
        assert_eq!(
            Challenge::new("notes", Some(METADATA)).value(error, Some("notes:write")),
            format!(
                "Bearer realm=\"notes\", error=\"insufficient_scope\", error_description=\"a scope is missing\", \
                 scope=\"notes:write\", resource_metadata=\"{METADATA}\""
            )
        );
    }

    proptest! {
        /// SMUG-21
        #[test]
        fn nothing_can_end_a_quoted_string_or_the_field(realm: String, description: String, scope: String) {
            let error = Some((BearerErrorCode::InvalidRequest, &*description));
            let value = Challenge::new(&realm, Some(&description)).value(error, Some(&scope));
            prop_assert_eq!(value.matches('"').count(), 10);
            prop_assert!(value.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic()) && !value.contains('\\'));
        }
    }
}
