//! The gateway's own cookies are between it and the browser: no upstream learns or sets them. They are
//! for every path of the host, so a browser sends them along with requests that are forwarded.

/// How the names of the gateway's own cookies end; `__Host-` stands before them where there is https.
const OURS: [&[u8]; 2] = [b"tollgate-session", b"tollgate-browser"];

/// What an upstream gets of a `Cookie` line: `None`, the whole line; otherwise what is left, which may
/// be nothing.
pub fn without_ours(value: &[u8]) -> Option<Vec<u8>> {
    let pairs = || value.split(|octet| *octet == b';');
    if !pairs().any(is_ours) {
        return None;
    }
    let left: Vec<&[u8]> = pairs().filter(|pair| !is_ours(pair)).map(<[u8]>::trim_ascii).collect();
    Some(left.join(&b"; "[..]))
}

/// Whether a `Set-Cookie` line, or a pair of a `Cookie` line, is about one of the gateway's own.
pub(super) fn is_ours(pair: &[u8]) -> bool {
    let name = pair.split(|octet| matches!(octet, b'=' | b';')).next().unwrap_or_default().trim_ascii();
    let prefixed = name.get(..7).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"__Host-"));
    let name = if prefixed { name.get(7..).unwrap_or_default() } else { name };
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(value: &str) -> Option<String> {
        without_ours(value.as_bytes()).map(|left| String::from_utf8(left).unwrap())
    }

    #[test]
    fn other_cookies_pass() {
        assert_eq!(left("a=1; b=2"), None);
        assert_eq!(left("a=tollgate-session; my-tollgate-session=1"), None);
        assert_eq!(left("a=1;  tollgate-session=s;b=\"2\""), Some("a=1; b=\"2\"".into()));
        assert_eq!(left("__Host-tollgate-session=s; __host-Tollgate-Browser=b"), Some(String::new()));
    }

    #[test]
    fn a_cookie_is_ours_by_its_name() {
        assert!(
            is_ours(b"tollgate-session=x; Path=/")
                && is_ours(b" __Host-tollgate-browser")
                && is_ours(b"tollgate-session ;")
        );
        assert!(!is_ours(b"a=tollgate-session") && !is_ours(b"") && !is_ours(b"__Host-tollgate-sessions=1"));
    }
}
