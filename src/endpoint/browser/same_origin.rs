//! Whether a POST comes from a page of ours, as far as the browser says it (UI-4). The sealed dialogue
//! is the first check, this is the second.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origin of a URL, in its one spelling.
pub(super) fn origin_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let port = if scheme == "http" { ":80" } else { ":443" };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    format!("{scheme}://{authority}")
}

/// Whether nothing in the request says that another site sent it. A page without a referrer sends the
/// origin `null`: then the browser has to say in `Sec-Fetch-Site` that it is our page.
pub(super) fn is_same_origin(headers: &HeaderMap, public: &str) -> bool {
    let Ok(site) = only(headers, &SEC_FETCH_SITE) else { return false };
    let Ok(origin) = only(headers, &ORIGIN) else { return false };
    if !matches!(site, None | Some("same-origin" | "none")) {
        return false;
    }
    match origin {
        None => true,
        Some("null") => site == Some("same-origin"),
        Some(origin) => origin_of(origin) == public,
    }
}

/// Two values, or one that cannot be read.
struct Unclear;

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Unclear> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Unclear),
        (Some(_), Some(_)) => Err(Unclear),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn passes(fields: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        is_same_origin(&headers, &origin_of("https://Gate.example:443/api"))
    }

    /// UI-4
    #[test]
    fn a_post_of_another_site_is_recognised() {
        assert!(passes(&[]));
        assert!(passes(&[("origin", "https://gate.example")]));
        assert!(passes(&[("origin", "https://gate.example"), ("sec-fetch-site", "same-origin")]));
        assert!(passes(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        for fields in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "http://gate.example")],
            &[("origin", "https://gate.example:444")],
            &[("origin", "https://gate.example.evil.example")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://gate.example"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null"), ("sec-fetch-site", "none")],
            &[("origin", "https://gate.example"), ("origin", "https://gate.example")],
        ] {
            assert!(!passes(fields), "{fields:?}");
        }
    }

    #[test]
    fn an_origin_has_one_spelling() {
        assert_eq!(origin_of("http://[::1]:8080/x"), "http://[::1]:8080");
        assert_eq!(origin_of("http://127.0.0.1:80"), "http://127.0.0.1");
        assert_eq!(origin_of("https://a.example:80?x"), "https://a.example:80");
    }
}
