//! What two routes have in common: conflicts, and protection that is weaker than it looks.

use super::template::{HostPattern, Segment};
use super::{MethodAccess, Route, RouteError, RouteSpec};
use crate::enforce::decide::Access;

/// A method that no route names, to speak for all those that are not named.
const UNNAMED: &str = "";

/// The refusal of two routes with the same host and path when both take some method.
pub(super) fn conflict(one: &RouteSpec, other: &RouteSpec) -> Option<RouteError> {
    let shared = shared_methods(&one.access, &other.access);
    let methods = match shared.first()? {
        &UNNAMED => "every method".to_owned(),
        _ => shared.iter().filter(|method| **method != UNNAMED).copied().collect::<Vec<_>>().join(", "),
    };
    let host = one.host.as_deref().map(|host| format!(" on {host}")).unwrap_or_default();
    Some(RouteError::Conflict {
        name: one.name.clone(),
        place: one.place.clone(),
        other_name: other.name.clone(),
        other: other.place.clone(),
        why: format!("{methods} {}{host}", one.path),
    })
}

/// The sentence about a route that is tried before a broader one and asks for less (PATH-14).
pub(super) fn weaker(narrow: &Route, broad: &Route) -> Option<String> {
    let mut methods = shared_methods(&narrow.spec.access, &broad.spec.access);
    methods.retain(|method| {
        let strength = |route: &Route| route.spec.access.get(method).map(|access| strength(access));
        strength(narrow) < strength(broad)
    });
    let access = narrow.spec.access.get(methods.first()?)?;
    let everything = methods == [UNNAMED];
    let named: Vec<&str> =
        methods.into_iter().map(|method| if method == UNNAMED { "other methods" } else { method }).collect();
    Some(format!(
        "route `{}` ({}) {}{} inside route `{}` ({}), which asks for more",
        narrow.spec.name,
        narrow.spec.place,
        if strength(access) == 0 { "is public" } else { "takes any valid token" },
        if everything { String::new() } else { format!(" for {}", named.join(", ")) },
        broad.spec.name,
        broad.spec.place,
    ))
}

/// Whether some request is taken by both, as far as host and path go.
pub(super) fn overlap(one: (&HostPattern, &[Segment]), other: (&HostPattern, &[Segment])) -> bool {
    one.0.overlaps(other.0) && paths_overlap(one.1, other.1)
}

fn paths_overlap(one: &[Segment], other: &[Segment]) -> bool {
    for at in 0.. {
        match (one.get(at), other.get(at)) {
            (Some(Segment::Rest(_)), _) | (_, Some(Segment::Rest(_))) | (None, None) => return true,
            (None, Some(_)) | (Some(_), None) => return false,
            (Some(Segment::Literal(one)), Some(Segment::Literal(other))) if one != other => return false,
            _ => {}
        }
    }
    false
}

/// The methods that both take: the named ones, then [`UNNAMED`] if both take every other one.
fn shared_methods<'a>(one: &'a MethodAccess, other: &'a MethodAccess) -> Vec<&'a str> {
    let mut shared: Vec<&str> = Vec::new();
    for method in one.named().into_iter().chain(other.named()).chain([UNNAMED]) {
        if one.get(method).is_some() && other.get(method).is_some() && !shared.contains(&method) {
            shared.push(method);
        }
    }
    shared
}

/// How much is asked for: nothing, any token, scopes.
const fn strength(access: &Access) -> u8 {
    match access {
        Access::Public => 0,
        Access::Authenticated => 1,
        Access::Scopes(_) => 2,
    }
}
