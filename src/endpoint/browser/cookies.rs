//! The two cookies (UI-7): which browser it is, and which session. Their values are opaque.

use crate::secret::{RandomError, random};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Longer values are none of ours.
const LONGEST: usize = 256;

/// What the cookies are called, and whether they need https.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cookies {
    secure: bool,
}

impl Cookies {
    /// Cookies for `public_url`: with https `__Host-` and `Secure`; on loopback neither is possible.
    pub(super) fn new(public_url: &str) -> Self {
        let secure = public_url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
        Self { secure }
    }

    /// The value of the session's cookie.
    pub(super) fn session(self, headers: &HeaderMap) -> Option<&str> {
        only(headers, self.session_name())
    }

    /// The value of the browser's cookie, if it can be one that we made.
    pub(super) fn browser(self, headers: &HeaderMap) -> Option<&str> {
        only(headers, self.browser_name()).filter(|value| value.len() == BROWSER_LENGTH && is_base64url(value))
    }

    /// `Set-Cookie` that begins a session.
    pub(super) fn set_session(self, value: &str) -> Option<HeaderValue> {
        self.set(self.session_name(), value, "")
    }

    /// `Set-Cookie` that ends a session.
    pub(super) fn clear_session(self) -> Option<HeaderValue> {
        self.set(self.session_name(), "", "; Max-Age=0")
    }

    /// `Set-Cookie` that names a browser.
    pub(super) fn set_browser(self, value: &str) -> Option<HeaderValue> {
        self.set(self.browser_name(), value, "")
    }

    const fn session_name(self) -> &'static str {
        if self.secure { "__Host-tollgate-session" } else { "tollgate-session" }
    }

    const fn browser_name(self) -> &'static str {
        if self.secure { "__Host-tollgate-browser" } else { "tollgate-browser" }
    }

    fn set(self, name: &str, value: &str, more: &str) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{more}");
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// 256 bits in base64url.
const BROWSER_LENGTH: usize = 43;

/// A name for a browser that has none.
pub(super) fn new_browser() -> Result<String, RandomError> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
}

/// The value of the only cookie called `name`. When there are two, somebody else set one of them: there
/// is none that can be believed.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    // Octets: other programs of this host may set cookies that are no text, and they come in the same line.
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|octet| *octet == b';'));
    let mut values =
        pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=".as_slice()));
    let value = values.next().filter(|value| !value.is_empty() && value.len() <= LONGEST)?;
    if values.next().is_some() {
        return None;
    }
    std::str::from_utf8(value).ok().filter(|value| value.bytes().all(|octet| octet.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HTTPS: Cookies = Cookies { secure: true };
    const LOOPBACK: Cookies = Cookies { secure: false };

    fn sent(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn sent_octets(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap())).collect()
    }

    /// UI-7
    #[test]
    fn cookies_are_for_the_host_alone_and_out_of_reach_of_scripts() {
        assert_eq!(Cookies::new("HTTPS://gate.example/api"), HTTPS);
        assert_eq!(
            HTTPS.set_session("v").unwrap(),
            "__Host-tollgate-session=v; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
        assert_eq!(Cookies::new("http://127.0.0.1:8080"), LOOPBACK);
        assert_eq!(LOOPBACK.set_browser("v").unwrap(), "tollgate-browser=v; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(
            HTTPS.clear_session().unwrap(),
            "__Host-tollgate-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
        );
        assert!(HTTPS.set_session("v").unwrap().is_sensitive());
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = sent(&["a=1; tollgate-session=abc;tollgate-sessions=x", "b=2"]);
        assert_eq!(LOOPBACK.session(&headers), Some("abc"));
        assert_eq!(HTTPS.session(&headers), None);
        assert_eq!(HTTPS.session(&sent(&["b=2", "__Host-tollgate-session=abc"])), Some("abc"));
    }

    /// A browser sends every cookie of the host in one line, also those of other programs.
    #[test]
    fn a_cookie_is_found_beside_one_that_is_not_ascii() {
        let headers = sent_octets(&["name=Zoë; tollgate-session=abc"]);
        assert_eq!(LOOPBACK.session(&headers), Some("abc"));
        assert_eq!(LOOPBACK.session(&sent_octets(&["tollgate-session=ë"])), None);
        let tossed = sent_octets(&["tollgate-session=a", "name=Zoë; tollgate-session=b"]);
        assert_eq!(LOOPBACK.session(&tossed), None, "there are two");
    }

    /// UI-7
    #[test]
    fn of_two_cookies_none_is_believed() {
        assert_eq!(LOOPBACK.session(&sent(&["tollgate-session=a; tollgate-session=b"])), None);
        assert_eq!(LOOPBACK.session(&sent(&["tollgate-session=a", "tollgate-session=a"])), None);
        assert_eq!(LOOPBACK.session(&sent(&["tollgate-session="])), None);
    }

    #[test]
    fn a_browser_has_a_name_of_256_bits() {
        let name = new_browser().unwrap();
        assert_ne!(name, new_browser().unwrap());
        assert_eq!(LOOPBACK.browser(&sent(&[&format!("tollgate-browser={name}")])), Some(&*name));
        for wrong in [&name[1..], "x", &name.replace(&name[..1], "\"")] {
            assert_eq!(LOOPBACK.browser(&sent(&[&format!("tollgate-browser={wrong}")])), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panic(octets: Vec<u8>) {
            if let Ok(value) = HeaderValue::from_bytes(&octets) {
                let headers: HeaderMap = [(COOKIE, value)].into_iter().collect();
                let _ = (LOOPBACK.session(&headers), HTTPS.browser(&headers));
            }
        }
    }
}
