//! Redirection endpoints of clients (RFC 6749 section 3.1.2, RFC 8252 section 7).

use super::url::{Url, is_loopback_host};

/// Schemes that run or show what they hold (R8252-7.1).
const DANGEROUS: [&str; 7] = ["about", "blob", "data", "file", "javascript", "vbscript", "view-source"];

/// Parameters of our own responses (R6749-3.1.2f).
const RESPONSE: [&str; 8] =
    ["code", "state", "iss", "error", "error_description", "error_uri", "response", "access_token"];

/// What is wrong with a redirect URI, and what to do.
pub(crate) fn wrong(uri: &str) -> Option<(&'static str, &'static str)> {
    if uri.contains('#') {
        return Some(("has a fragment", "leave it out (RFC 6749 section 3.1.2)"));
    }
    if !uri.bytes().all(|octet| octet.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&octet)) {
        return Some(("has characters that a URI cannot have", "percent-encode them"));
    }
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).filter(|scheme| is_scheme(scheme));
    let Some(scheme) = scheme else { return Some(("is not absolute", "write \"https://app.example.com/callback\"")) };
    if pollutes(uri) {
        return Some(("has a parameter that responses have", "rename it: code, state, iss and error are taken"));
    }
    match scheme.as_str() {
        "https" | "http" => web(uri, &scheme),
        dangerous if DANGEROUS.contains(&dangerous) => Some((
            "has a scheme that runs what it holds",
            "use https, or a scheme of the app: com.example.app:/callback",
        )),
        private if private.contains('.') => None,
        _ => Some(("has a scheme without a period", "reverse a domain of yours: com.example.app:/callback (RFC 8252)")),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

fn pollutes(uri: &str) -> bool {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| RESPONSE.contains(&pair.split('=').next().unwrap_or_default()))
}

fn web(uri: &str, scheme: &str) -> Option<(&'static str, &'static str)> {
    let Some(url) = Url::parse(uri) else {
        return Some(("has no host that can be read", "write \"https://app.example.com/callback\""));
    };
    if url.user_info.is_some() {
        return Some(("has user information", "leave it out: it hides where the browser goes"));
    }
    (scheme == "http" && !is_loopback_host(url.host))
        .then_some(("is http, and not on loopback", "use https (RFC 9700 section 2.1)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6749-3.1.2a, R6749-3.1.2f, R9700-2.1b, R8252-7.1
    #[test]
    fn redirect_uris_are_complete_and_cannot_be_misread() {
        for uri in [
            "https://app.example/cb",
            "https://app.example/cb?tenant=1",
            "http://127.0.0.1/callback",
            "http://[::1]:3000/cb",
            "http://localhost/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(wrong(uri), None, "{uri}");
        }
        for uri in [
            "",
            "/cb",
            "app.example/cb",
            "https://app.example/cb#f",
            "https://good@evil.example/cb",
            "https:///cb",
            "https:cb",
            "http://app.example/cb",
            "http://127.0.0.1.example/cb",
            "https://app.example/cb?code=1",
            "https://app.example/cb?a=1&state",
            "https://app.example/c b",
            "https://app.example/ä",
            "myapp:/cb",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
        ] {
            assert!(wrong(uri).is_some(), "{uri}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused(uri in "(https?:)?.*") {
            let _ = wrong(&uri);
        }
    }
}
