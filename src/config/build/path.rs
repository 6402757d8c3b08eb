//! Paths of the gateway itself and of routes, as far as the configuration must understand them.

/// What is wrong with a fixed path; `None`: it has one reading, and begins but does not end with `/`.
pub(super) fn wrong(path: &str) -> Option<&'static str> {
    let Some(rest) = path.strip_prefix('/') else { return Some("does not begin with `/`") };
    if path.contains(['{', '}']) {
        return Some("has a parameter, which only the path of a route may have");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    for segment in rest.split('/') {
        if segment.is_empty() {
            return Some("has an empty segment, or ends with `/`");
        }
        if segment == "." || segment == ".." || !segment.chars().all(plain) {
            return Some("may only have letters, digits and `-._~` in its segments, and none that is `.` or `..`");
        }
    }
    None
}

/// The names of the parameters of a route's path, in order; what is malformed is the route table's
/// to report.
pub(super) fn parameters(path: &str) -> Vec<&str> {
    let parameter = |segment| -> Option<&str> {
        let name = str::strip_prefix(segment, '{')?.strip_suffix('}')?;
        Some(name.strip_prefix('*').unwrap_or(name))
    };
    path.split('/').filter_map(parameter).collect()
}

/// Whether `path` is `base` or below it.
pub(super) fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_path_has_one_reading() {
        for path in ["/oauth2", "/a/b-c._~9"] {
            assert_eq!(wrong(path), None, "{path}");
        }
        for path in ["", "/", "oauth2", "/a/", "//a", "/a/../b", "/.", "/{a}", "/a%2Fb", "/a b", "/a;b", "/ä", "/a?b"]
        {
            assert!(wrong(path).is_some(), "{path}");
        }
    }

    #[test]
    fn parameters_are_whole_segments() {
        assert_eq!(parameters("/a/{b}/x{c}/{*d}"), ["b", "d"]);
        assert!(
            is_below("/oauth2", "/oauth2") && is_below("/oauth2/token", "/oauth2") && !is_below("/oauth2x", "/oauth2")
        );
    }
}
