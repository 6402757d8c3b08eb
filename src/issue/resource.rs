//! Resource indicators (RFC 8707): the gateway as a whole is one resource, its `public_url`.

use super::IssueError;
use crate::oauth::params::Params;
use crate::oauth::url::Url;

const MALFORMED: &str = "a resource is an absolute URI without query and fragment";
const UNKNOWN: &str = "there is no such resource here";
const BEYOND: &str = "a resource is beyond what was granted";

/// Whether each `resource` that a request names is this gateway's, `ours`.
///
/// # Errors
/// `invalid_target` (R8707-2a): a token for another resource would be good for the wrong one.
pub(super) fn check(params: &Params<'_>, ours: &str) -> Result<(), IssueError> {
    meant(params.get_all("resource"), ours).map(drop)
}

/// The resources that a request names, each once and in the spelling of the configuration.
///
/// # Errors
/// `invalid_target`, where one of them is not this gateway's, `ours`.
pub(super) fn meant<'r>(named: impl Iterator<Item = &'r str>, ours: &str) -> Result<Vec<String>, IssueError> {
    let mut meant: Vec<String> = Vec::new();
    for resource in named {
        let resource = normal(resource).ok_or(IssueError::InvalidTarget(MALFORMED))?;
        if normal(ours).is_none_or(|ours| ours != resource) {
            return Err(IssueError::InvalidTarget(UNKNOWN));
        }
        if !meant.iter().any(|known| known == ours) {
            meant.push(ours.to_owned());
        }
    }
    Ok(meant)
}

/// What a token is good for whose request means `requested`, of a grant for `granted` (R8707-2.2a). An
/// empty list is every resource that does not require to be named.
///
/// # Errors
/// `invalid_target`, where the request goes beyond the grant.
pub(super) fn within(requested: Vec<String>, granted: &[String]) -> Result<Vec<String>, IssueError> {
    if requested.is_empty() {
        return Ok(granted.to_vec());
    }
    let beyond = !granted.is_empty() && requested.iter().any(|resource| !granted.contains(resource));
    if beyond { Err(IssueError::InvalidTarget(BEYOND)) } else { Ok(requested) }
}

/// R8707-P: scheme and host in lower case, no default port, an empty path is `/`; nothing else. `None`:
/// no absolute URI with a host, or one with a fragment; a query or user information is in no URL of
/// ours either.
fn normal(uri: &str) -> Option<(String, String, Option<u16>, &str)> {
    let url = Url::parse(uri).filter(|url| !url.has_query_or_fragment && url.user_info.is_none())?;
    let scheme = url.scheme.to_ascii_lowercase();
    let default_port = match &*scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let path = if url.path.is_empty() { "/" } else { url.path };
    Some((scheme, url.host.to_ascii_lowercase(), url.port.or(default_port), path))
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
            ("resource=https://gate.example/?a", MALFORMED),
            ("resource=https://u@gate.example", MALFORMED),
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

    /// R8707-2.2a
    #[test]
    fn a_token_is_good_for_a_part_of_what_was_granted() {
        let of = |resources: &[&str]| resources.iter().map(|resource| (*resource).to_owned()).collect::<Vec<_>>();
        let (a, both) = (of(&["a"]), of(&["a", "b"]));
        assert_eq!(within(a.clone(), &both).unwrap(), a);
        assert_eq!(within(Vec::new(), &both).unwrap(), both);
        assert_eq!(within(a.clone(), &[]).unwrap(), a);
        assert!(within(both, &a).is_err());
        let named = ["HTTPS://Gate.Example:443/", "https://gate.example"];
        assert_eq!(meant(named.into_iter(), "https://gate.example").unwrap(), ["https://gate.example"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(resource: String) {
            let _ = normal(&resource);
        }
    }
}
