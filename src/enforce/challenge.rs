//! The `WWW-Authenticate` challenge (RFC 6750 section 3), prepared with the configuration.

use crate::oauth::error::BearerErrorCode;

/// The parts of a challenge that are known at start.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// `Bearer realm="…"`.
    start: String,
    /// `, resource_metadata="…"` or nothing.
    end: String,
}

impl Challenge {
    /// A challenge for `realm` and, where known, the URL of the RFC 9728 metadata. Characters that
    /// may not stand in a quoted-string are the configuration's to refuse; here they are left out.
    pub fn new(realm: &str, resource_metadata: Option<&str>) -> Self {
        let mut start = "Bearer ".to_owned();
        parameter(&mut start, "realm", realm);
        let mut end = String::new();
        if let Some(url) = resource_metadata {
            end.push_str(", ");
            parameter(&mut end, "resource_metadata", url);
        }
        Self { start, end }
    }

    /// The field's value. `error` with its description; `scope` where one would help. Each
    /// parameter at most once, nothing from the request in it (R6750-3c).
    pub fn value(&self, error: Option<(BearerErrorCode, &str)>, scope: Option<&str>) -> String {
        let mut value = self.start.clone();
        let mut add = |name, text| {
            value.push_str(", ");
            parameter(&mut value, name, text);
        };
        if let Some((code, description)) = error {
            add("error", code.as_str());
            add("error_description", description);
        }
        if let Some(scope) = scope {
            add("scope", scope);
        }
        value.push_str(&self.end);
        value
    }
}

/// Appends `name="text"` with the characters that RFC 6749 allows in an error description, a subset of
/// the quoted-string that needs no escapes (R6749-5.2f).
fn parameter(out: &mut String, name: &str, text: &str) {
    out.push_str(name);
    out.push_str("=\"");
    out.extend(text.chars().filter(|character| matches!(character, ' '..='~') && !matches!(character, '"' | '\\')));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6750-3a, R6750-3b, R9728-5.1a
    #[test]
    fn without_a_credential_the_challenge_has_no_error() {
        assert_eq!(Challenge::new("notes", None).value(None, None), r#"Bearer realm="notes""#);
        let challenge = Challenge::new("notes", Some("https://a.example/.well-known/oauth-protected-resource"));
        assert_eq!(
            challenge.value(None, Some("a b")),
            r#"Bearer realm="notes", scope="a b", resource_metadata="https://a.example/.well-known/oauth-protected-resource""#
        );
    }

    /// R6750-3.1b, R6750-3c
    #[test]
    fn every_parameter_occurs_once_and_cannot_break_out_of_its_quotes() {
        let challenge = Challenge::new("a\"b\\c\r\n", None);
        assert_eq!(
            challenge.value(Some((BearerErrorCode::InsufficientScope, "It \"lacks\" one.")), Some("x")),
            r#"Bearer realm="abc", error="insufficient_scope", error_description="It lacks one.", scope="x""#
        );
    }
}
