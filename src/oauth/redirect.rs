//! Redirection endpoints of clients (RFC 6749 section 3.1.2, RFC 8252 section 7).

use super::params;
use super::url::{Url, is_loopback_host};
use std::fmt::Write as _;

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
    let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    // As the client will read it: an escape does not hide a name.
    names.any(|name| params::decode(name.as_bytes()).is_ok_and(|name| RESPONSE.contains(&&*name)))
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

/// The beginnings of redirect URIs whose port is whatever the operating system gave (D-6).
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// Whether a request may name `requested` where `registered` is registered: byte for byte, but for the
/// port of a loopback address (R6749-3.1.2c, R8252-7.3a).
pub(crate) fn matches(registered: &str, requested: &str) -> bool {
    registered == requested
        || LOOPBACK.iter().any(|host| {
            let of = |uri| without_port(str::strip_prefix(uri, host)?);
            of(registered).zip(of(requested)).is_some_and(|(registered, requested)| registered == requested)
        })
}

/// What stands behind the port that `rest`, which stands behind a host, may begin with. `None`: the host
/// was not at its end, or that is no port.
fn without_port(rest: &str) -> Option<&str> {
    let after = match rest.strip_prefix(':') {
        Some(port) => {
            let (digits, after) = port.split_at(port.bytes().take_while(u8::is_ascii_digit).count());
            digits.parse::<u16>().ok().filter(|port| *port > 0)?;
            after
        }
        None => rest,
    };
    (after.is_empty() || after.starts_with(['/', '?'])).then_some(after)
}

/// Whether nobody but the one who registered it gets what is sent to `uri`: other programs of a machine
/// can listen on a loopback port or register a private scheme (RFC 8252 section 8.6).
pub(crate) fn is_assured(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

/// `uri` with the parameters of a response behind those it has (R6749-3.1.2b, UI-11): always a value
/// that a field can have.
pub(crate) fn with(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut location = String::with_capacity(uri.len() + 256);
    for octet in uri.bytes() {
        if octet.is_ascii_graphic() { location.push(char::from(octet)) } else { escape(octet, &mut location) }
    }
    let mut separator = match location.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    for (name, value) in parameters {
        location.push_str(separator);
        location.push_str(name);
        location.push('=');
        for octet in value.bytes() {
            let unreserved = octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
            if unreserved { location.push(char::from(octet)) } else { escape(octet, &mut location) }
        }
        separator = "&";
    }
    location
}

fn escape(octet: u8, location: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(location, "%{octet:02X}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::params::Params;

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
            "https://app.example/cb?c%6Fde=1",
            "https://app.example/cb?a=1&%73tate=x",
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

    /// R8252-7.3a, R8252-7.3b, R6749-3.1.2c, D-6
    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let registered =
            ["http://127.0.0.1:3000/cb", "http://localhost/cb", "https://app.example/cb", "com.example.app:/cb"];
        let known = |uri: &str| registered.iter().any(|registered| matches(registered, uri));
        for uri in [
            "http://127.0.0.1:51004/cb",
            "http://127.0.0.1/cb",
            "http://localhost:51004/cb",
            "https://app.example/cb",
            "com.example.app:/cb",
        ] {
            assert!(known(uri), "{uri}");
        }
        for uri in [
            "http://127.0.0.1:51004/cb/",
            "http://127.0.0.1:51004/CB",
            "http://127.0.0.1:51004/cb?x=1",
            "http://127.0.0.1:51004/cb#f",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:+80/cb",
            "http://localhost.:51004/cb",
            "http://LOCALHOST:51004/cb",
            "http://127.1:51004/cb",
            "http://0x7f000001:51004/cb",
            "http://2130706433:51004/cb",
            "http://[::1]:51004/cb",
            "http://[::ffff:127.0.0.1]:51004/cb",
            "http://127.0.0.1:51004@evil.example/cb",
            "http://user@127.0.0.1:51004/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1.example:51004/cb",
            "https://127.0.0.1:51004/cb",
            "https://localhost:51004/cb",
            "https://app.example:443/cb",
            "https://APP.example/cb",
            "https://app.example/cb#f",
            "com.example.app:8/cb",
            "",
        ] {
            assert!(!known(uri), "{uri}");
        }
        assert!(
            matches("http://[::1]/cb?a=1", "http://[::1]:9/cb?a=1")
                && matches("http://localhost", "http://localhost:9")
        );
        assert!(!matches("https://127.0.0.1:1/cb", "https://127.0.0.1:2/cb"), "https has no exception");
    }

    /// R8252-8.6, R6749-10.2
    #[test]
    fn only_https_assures_who_gets_the_answer() {
        assert!(is_assured("https://app.example/cb") && is_assured("HTTPS://app.example/cb"));
        for uri in ["http://127.0.0.1/cb", "com.example.app:/cb", "https", ""] {
            assert!(!is_assured(uri), "{uri}");
        }
    }

    /// R6749-3.1.2b, R6749-4.1.2a, R9207-2, UI-11
    #[test]
    fn an_answer_is_appended_to_what_is_registered() {
        let all = [("code", "abc"), ("state", "a b&c"), ("iss", "https://as.example")];
        assert_eq!(
            with("https://client.example/cb?x=1", &all),
            "https://client.example/cb?x=1&code=abc&state=a%20b%26c&iss=https%3A%2F%2Fas.example"
        );
        assert_eq!(with("com.example.app:/cb", &all[..1]), "com.example.app:/cb?code=abc");
        assert_eq!(with("https://a.example/?", &all[..1]), "https://a.example/?code=abc");
        assert_eq!(with("https://a.example/?x&", &all[..1]), "https://a.example/?x&code=abc");
        assert_eq!(with("https://a.example", &[("state", "\r\nä")]), "https://a.example?state=%0D%0A%C3%A4");
        assert_eq!(with("https://a.example/\r\nx: ä", &[]), "https://a.example/%0D%0Ax:%20%C3%A4");
    }

    proptest::proptest! {
        /// UI-11
        #[test]
        fn a_location_is_a_field_value_that_keeps_what_is_registered(
            uri in "(https://a\\.example|com\\.example:)/[!-~&&[^#?]]{0,9}(\\?[!-~&&[^#]]{0,9})?",
            state: String,
            iss in ".*",
        ) {
            let location = with(&uri, &[("state", &state), ("iss", &iss)]);
            proptest::prop_assert!(location.starts_with(&uri));
            proptest::prop_assert!(http::HeaderValue::from_str(&location).is_ok_and(|value| value.to_str().is_ok()));
            let added = location[uri.len()..].trim_start_matches(['?', '&']);
            let read = Params::parse(added.as_bytes(), &[]).unwrap();
            proptest::prop_assert_eq!(read.get("state").unwrap_or_default(), &*state);
            proptest::prop_assert_eq!(read.get("iss").unwrap_or_default(), &*iss);
        }

        #[test]
        fn any_two_texts_match_or_not(registered: String, requested: String) {
            proptest::prop_assert_eq!(matches(&registered, &requested), registered == requested);
        }

        #[test]
        fn what_matches_has_the_same_host_and_path(
            registered in "https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{1,5})?(/[a-c]{0,2})?",
            requested in "https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{1,5})?(/[a-c]{0,2})?",
        ) {
            if matches(&registered, &requested) && registered != requested {
                let (registered, requested) = (Url::parse(&registered).unwrap(), Url::parse(&requested).unwrap());
                proptest::prop_assert_eq!(registered.scheme, "http");
                proptest::prop_assert_eq!(registered.scheme, requested.scheme);
                proptest::prop_assert_eq!((registered.host, registered.path), (requested.host, requested.path));
            }
        }

        #[test]
        fn any_text_is_taken_or_refused(uri in "(https?:)?.*") {
            let _ = wrong(&uri);
        }
    }
}
