//! Resource indicators (RFC 8707): the gateway as a whole is one resource, its `public_url`.

use super::IssueError;
use crate::oauth::params::Params;
use std::borrow::Cow;

const MALFORMED: &str = "a resource is an absolute URI without a fragment";
const UNKNOWN: &str = "there is no such resource here";

/// Whether each `resource` that a request names is this gateway's, `ours`.
///
/// # Errors
/// `invalid_target` (R8707-2a): a token for another resource would be good for the wrong one.
pub(super) fn check(params: &Params<'_>, ours: &str) -> Result<(), IssueError> {
    params.get_all("resource").try_for_each(|resource| {
        let resource = normal(resource).ok_or(IssueError::InvalidTarget(MALFORMED))?;
        if normal(ours).is_some_and(|ours| ours == resource) { Ok(()) } else { Err(IssueError::InvalidTarget(UNKNOWN)) }
    })
}

/// R8707-P: scheme and host in lower case, no default port, an empty path is `/`; nothing else. `None`:
/// no absolute URI, or one with a fragment.
fn normal(uri: &str) -> Option<(String, String, Cow<'_, str>)> {
    if uri.contains('#') || !uri.bytes().all(|octet| octet.is_ascii_graphic()) {
        return None;
    }
    let (scheme, rest) = uri.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let default_port = match &*scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    let legal = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && !authority.is_empty();
    let tail = if tail.starts_with('/') { Cow::Borrowed(tail) } else { Cow::Owned(format!("/{tail}")) };
    legal.then(|| (scheme, authority.to_ascii_lowercase(), tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcome(ours: &str, form: &str) -> Result<(), String> {
        let params = Params::parse(form.as_bytes(), &["resource"]).unwrap();
        check(&params, ours).map_err(|error| error.to_string())
    }

    /// R8707-P
    #[test]
    fn the_gateway_is_the_only_resource_in_every_equivalent_spelling() {
        for form in ["", "resource=", "resource=https://gate.example", "resource=HTTPS://Gate.Example:443/"] {
            assert_eq!(outcome("https://gate.example", form), Ok(()), "{form}");
        }
        assert_eq!(outcome("http://127.0.0.1:8080/", "resource=http://127.0.0.1:8080"), Ok(()));
        assert_eq!(outcome("https://a.example/gate", "resource=https://a.example/gate"), Ok(()));
    }

    /// R8707-2a
    #[test]
    fn another_resource_and_what_is_none_are_refused() {
        for (form, why) in [
            ("resource=https://other.example", UNKNOWN),
            ("resource=https://gate.example/notes", UNKNOWN),
            ("resource=https://gate.example/?a", UNKNOWN),
            ("resource=http://gate.example", UNKNOWN),
            ("resource=https://gate.example:8443", UNKNOWN),
            ("resource=https://gate.example&resource=https://other.example", UNKNOWN),
            ("resource=https://gate.example/%23a", MALFORMED),
            ("resource=gate.example", MALFORMED),
            ("resource=/notes", MALFORMED),
            ("resource=https://", MALFORMED),
        ] {
            assert_eq!(outcome("https://gate.example", form), Err(why.to_owned()), "{form}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(resource: String) {
            let _ = normal(&resource);
        }
    }
}
