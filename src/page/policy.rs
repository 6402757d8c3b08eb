//! The fields of every page (UI-1): what it may load, where its forms may lead (UI-2), and that nobody
//! frames, keeps or guesses it.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};
use std::net::Ipv4Addr;

const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// What no page needs.
const NO_PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), \
     gyroscope=(), microphone=(), midi=(), payment=(), serial=(), usb=()";

/// A logo may have colours of its own; it may load nothing and run nothing, even when it is opened by
/// itself.
const OF_A_LOGO: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/// The fields of a page whose forms may lead to `destinations`, URIs with spaces between them.
///
/// There is no `Cross-Origin-Opener-Policy`: a single page app may sign people in in a popup, and its
/// callback there needs `window.opener`. An opener reads nothing of our pages, and cannot send their forms.
pub(super) fn of_page(fields: &mut HeaderMap, destinations: Option<&str>) {
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (RESOURCE, "same-origin"),
        (PERMISSIONS, NO_PERMISSIONS),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.insert(CONTENT_SECURITY_POLICY, content_security_policy(destinations.unwrap_or_default()));
}

/// The fields of a style sheet or a logo; `caching` is for how long.
pub(super) fn of_asset(fields: &mut HeaderMap, media_type: &'static str, caching: &'static str) {
    for (name, value) in [
        (CONTENT_TYPE, media_type),
        (CACHE_CONTROL, caching),
        (CONTENT_SECURITY_POLICY, OF_A_LOGO),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (RESOURCE, "same-origin"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
}

fn content_security_policy(destinations: &str) -> HeaderValue {
    let mut policy =
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
            .to_owned();
    for source in destinations.split_ascii_whitespace().filter_map(source) {
        policy.push(' ');
        policy.push_str(&source);
    }
    // Every source is ASCII without control characters.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The source expression (CSP 3 section 2.3.1) that a URI matches; `None`: it is no URI that a browser
/// could be sent to. Only letters, digits and `+-.:/` come out of it, whatever goes in.
fn source(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let scheme = Some(scheme.to_ascii_lowercase()).filter(|scheme| is_scheme(scheme))?;
    if scheme != "https" && scheme != "http" {
        return Some(format!("{scheme}:"));
    }
    let rest = rest.strip_prefix("//")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let origin = host_source(authority).map(|place| format!("{scheme}://{place}"));
    // Hosts that the grammar has no expression for, or that match none: IPv6, IPv4 but for 127.0.0.1,
    // underscores. Their scheme is the narrowest that lets the browser through.
    Some(origin.unwrap_or_else(|| format!("{scheme}:")))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
}

fn host_source(authority: &str) -> Option<String> {
    let (host, port) = match authority.split_once(':') {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (authority, None),
    };
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    if !host.split('.').all(is_label) || host.parse::<Ipv4Addr>().is_ok_and(|address| address != Ipv4Addr::LOCALHOST) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    Some(port.map_or(host.clone(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form_action(destinations: &str) -> String {
        let mut fields = HeaderMap::new();
        of_page(&mut fields, Some(destinations));
        let policy = fields[CONTENT_SECURITY_POLICY].to_str().unwrap();
        policy.split("form-action ").nth(1).unwrap().to_owned()
    }

    /// UI-2
    #[test]
    fn the_form_may_lead_to_the_redirect_uri() {
        for (uri, source) in [
            ("https://app.example/cb?a=1", " https://app.example"),
            ("HTTPS://App.Example:8443/cb", " https://app.example:8443"),
            ("http://127.0.0.1:51004/cb", " http://127.0.0.1:51004"),
            ("http://localhost:3000", " http://localhost:3000"),
            ("http://[::1]:3000/cb", " http:"),
            ("http://127.9.9.9/cb", " http:"),
            ("https://a_b.example/cb", " https:"),
            ("com.example.app:/cb", " com.example.app:"),
            ("COM.Example.App:/cb;x,y", " com.example.app:"),
            ("https://app.example/cb https://login.example/", " https://app.example https://login.example"),
            ("", ""),
            ("/cb", ""),
            ("https:cb", ""),
        ] {
            assert_eq!(form_action(uri), format!("'self'{source}"), "{uri}");
        }
    }

    /// UI-2: a policy cannot be ended, widened or split by what stands in a redirect URI.
    #[test]
    fn no_redirect_uri_breaks_the_policy() {
        for uri in [
            "https://a.example;script-src *",
            "https://a.example,default-src *",
            "https://a.example/cb;x,y'*'",
            "https://*",
            "https://*.example",
            "https://'unsafe-inline'",
            "https://a.example:*/",
            "https://a.example:1;x/",
            "x;y:/cb",
            "x,y:/cb",
            "'self':/",
            "https://a.example\r\nset-cookie: a=b",
            "*",
            "*:",
            "https://u@a.example/",
        ] {
            let sources = form_action(uri);
            let safe = |c: char| c.is_ascii_alphanumeric() || " '+-.:/".contains(c);
            assert!(sources.chars().all(safe) && sources.matches('\'').count() == 2, "{uri}: {sources}");
        }
    }

    proptest! {
        /// UI-2
        #[test]
        fn any_destination_leaves_the_policy_whole(uri in prop_oneof![
            ".*", "https?://[a-z;,*'.:@\\[\\]/ \\r\\n]{0,30}", "[a-z;,.*']{0,10}:[ -~]{0,20}",
        ]) {
            let sources = form_action(&uri);
            for (at, source) in sources.split(' ').enumerate() {
                let plain = source.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:/".contains(c));
                prop_assert!((at == 0 && source == "'self'") || (at > 0 && plain && source.contains(':')), "{}", sources);
            }
        }
    }
}
