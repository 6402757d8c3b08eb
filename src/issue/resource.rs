//! Resource indicators (RFC 8707): which resources a token is asked for, and which it is issued for.

use super::grant::{Granted, Via};
use super::refusal::IssueError;
use super::{Issuer, scope_decision};
use crate::oauth::params::Params;
use crate::oauth::resource::Resources;
use crate::oauth::scope::Scope;

const BEYOND: &str = "the resource is beyond what was granted";

impl Issuer {
    /// The resources that a request names, in the configured spelling, each once; none: the client
    /// did not say. For every endpoint that takes `resource`.
    ///
    /// # Errors
    /// `invalid_target` (R8707-2a): a token for another resource would be good for the wrong one.
    pub(super) fn named_resources(&self, params: &Params<'_>) -> Result<Vec<String>, IssueError> {
        self.known_resources(params.get_all("resource"))
    }

    /// The same of resources that were kept as text: those of a request that comes back, or of an
    /// order.
    ///
    /// # Errors
    /// As above.
    pub(super) fn known_resources<'u>(&self, uris: impl Iterator<Item = &'u str>) -> Result<Vec<String>, IssueError> {
        named(uris, &self.settings.resources)
    }

    /// The part of `scope` that means something to the resources of `audience` (R8707-2.2b).
    ///
    /// # Errors
    /// `invalid_scope` when nothing is left.
    pub(super) fn meaningful_scope(&self, scope: &Scope, audience: &[String]) -> Result<Scope, IssueError> {
        scope_decision::not_empty(self.settings.resources.meaningful(scope, audience, &self.scopes))
    }

    /// A grant with the audience of its access token, and the scope that means something there. What was
    /// granted before is narrowed and never widened.
    ///
    /// # Errors
    /// `invalid_target` when the request goes beyond that; `invalid_scope` when no scope is left.
    pub(super) fn aim(&self, granted: Granted, params: &Params<'_>) -> Result<Granted, IssueError> {
        let audience = match granted.via() {
            // Was done before the code was used up.
            Via::AuthorizationCode(_) | Via::DeviceCode(_) => return Ok(granted),
            Via::ClientCredentials | Via::Password => self.named_resources(params)?,
            Via::Refresh { record, .. } => self.part_of(params, &record.audience)?,
        };
        granted.narrowed(audience, |scope, audience| self.meaningful_scope(scope, audience))
    }

    /// The audience of a token: the part that a request names of what was `granted` (R8707-2.2a), or all of it.
    ///
    /// # Errors
    /// `invalid_target` when the request goes beyond that.
    pub(super) fn part_of(&self, params: &Params<'_>, granted: &[String]) -> Result<Vec<String>, IssueError> {
        within(self.named_resources(params)?, granted, &self.settings.resources)
    }
}

fn named<'u>(uris: impl Iterator<Item = &'u str>, resources: &Resources) -> Result<Vec<String>, IssueError> {
    let mut named: Vec<String> = Vec::new();
    for uri in uris {
        let resource = resources.find(uri).map_err(|error| IssueError::InvalidTarget(error.as_str()))?;
        if !named.contains(&resource.identifier) {
            named.push(resource.identifier.clone());
        }
    }
    Ok(named)
}

/// R8707-2.2a: what is named must be a part of what was `granted`; a grant that names nothing is for
/// every resource that does not require an audience.
fn within(named: Vec<String>, granted: &[String], resources: &Resources) -> Result<Vec<String>, IssueError> {
    if named.is_empty() {
        return Ok(granted.to_vec());
    }
    let all = resources.set_of(granted);
    let is_granted = |uri: &String| resources.find(uri).is_ok_and(|resource| all.contains(resource.id));
    if named.iter().all(is_granted) { Ok(named) } else { Err(IssueError::InvalidTarget(BEYOND)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::resource::Resource;

    fn resources() -> Resources {
        let resource = |path: &str, requires_audience| Resource {
            identifier: format!("https://gate.example{path}"),
            path: path.to_owned(),
            requires_audience,
            ..Resource::default()
        };
        Resources::new(resource("", false), vec![resource("/notes", true), resource("/files", false)], true)
    }

    fn asked(form: &str) -> Result<Vec<String>, String> {
        let params = Params::parse(form.as_bytes(), &["resource"]).unwrap();
        named(params.get_all("resource"), &resources()).map_err(|error| error.to_string())
    }

    fn uris(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| format!("https://gate.example{path}")).collect()
    }

    /// R8707-2a, R8707-P
    #[test]
    fn resources_are_named_in_every_equivalent_spelling_and_kept_in_one() {
        assert_eq!(asked(""), Ok(Vec::new()));
        assert_eq!(asked("resource="), Ok(Vec::new()));
        assert_eq!(asked("resource=HTTPS://Gate.Example:443/"), Ok(uris(&[""])));
        let form =
            "resource=https://GATE.example/notes&resource=https://gate.example&resource=https://gate.example/notes";
        assert_eq!(asked(form), Ok(uris(&["/notes", ""])));
    }

    /// R8707-2a
    #[test]
    fn another_resource_and_what_is_none_are_refused() {
        for (form, why) in [
            ("resource=https://other.example", "there is no such resource here"),
            ("resource=https://gate.example/other", "there is no such resource here"),
            ("resource=https://gate.example/notes&resource=https://other.example", "there is no such resource here"),
            ("resource=https://gate.example/%23a", "a resource is an absolute URI without query and fragment"),
            ("resource=/notes", "a resource is an absolute URI without query and fragment"),
        ] {
            assert_eq!(asked(form), Err(why.to_owned()), "{form}");
        }
    }

    /// R8707-2.2a
    #[test]
    fn a_grant_is_narrowed_and_never_widened() {
        let of = |named: &[&str], granted: &[&str]| within(uris(named), &uris(granted), &resources()).ok();
        assert_eq!(of(&[], &["/notes", ""]), Some(uris(&["/notes", ""])));
        assert_eq!(of(&["/notes"], &["/notes", ""]), Some(uris(&["/notes"])));
        assert_eq!(of(&["/files"], &["/notes", ""]), None);
        assert_eq!(of(&["/files"], &[]), Some(uris(&["/files"])));
        assert_eq!(of(&["/notes"], &[]), None, "it requires an audience, which was not granted");
        assert_eq!(of(&[], &[]), Some(Vec::new()));
    }
}
