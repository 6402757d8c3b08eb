//! The authorization code dance of RFC 6749 section 4.1 with RFC 7636, as a client and its user's browser do it.

use super::{ALICE, Browser, Config, Form, Gateway, Response, Tokens, Upstream, form_encoded};
use base64::Engine as _;
use sha2::Digest as _;
use std::collections::BTreeMap;

/// A confidential client with a redirect URI over https.
pub(crate) const APP: super::Credentials = ("photo-book", "photo-book-secret-9Lm4");
/// Where [`APP`] gets its answers.
pub(crate) const CALLBACK: &str = "https://app.example/cb";
/// Where the public client `desktop` gets its answers, at any port.
pub(crate) const LOOPBACK: &str = "http://127.0.0.1:51004/cb";

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const CLIENTS: &str = r#"
[[clients]]
id = "photo-book"
name = "Photo Book"
secret = "photo-book-secret-9Lm4"
grants = ["authorization_code", "refresh_token"]
redirect_uris = ["https://app.example/cb"]
scopes = "notes:read notes:write"

[[clients]]
id = "desktop"
grants = ["authorization_code"]
redirect_uris = ["http://127.0.0.1/cb"]
scopes = "notes:read"
"#;

/// The notes API with clients that send people here.
pub(crate) fn with_apps(upstream: &Upstream) -> Config {
    Config::notes(upstream).add(CLIENTS)
}

/// An authorization request of `client` with `more` parameters; an empty value leaves a usual one out.
pub(crate) fn request(client: &str, more: &[(&str, &str)]) -> String {
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    let redirect_uri = if client == "desktop" { LOOPBACK } else { CALLBACK };
    let mut all = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", redirect_uri),
        ("state", "s t&t"),
        ("code_challenge", &*challenge),
        ("code_challenge_method", "S256"),
    ]);
    all.extend(more.iter().copied());
    let pairs = all.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", form_encoded(value))).collect();
    format!("/oauth2/authorize?{}", pairs.join("&"))
}

/// The parameters of a redirect to a client, each at most once.
#[track_caller]
pub(crate) fn answer(response: &Response) -> BTreeMap<String, String> {
    let location = response.field("location");
    assert!(matches!(response.status, 302 | 303), "\n{response:?}");
    let query = location.strip_prefix(CALLBACK).or_else(|| location.strip_prefix(LOOPBACK));
    let query = query.and_then(|query| query.strip_prefix('?')).unwrap_or_else(|| panic!("redirect to {location}"));
    let mut answer = BTreeMap::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').expect("a pair");
        assert!(answer.insert(name.to_owned(), decoded(value)).is_none(), "twice {name} in {location}");
    }
    answer
}

/// Exchanges a code of [`APP`].
#[track_caller]
pub(crate) fn redeem(gateway: &Gateway, code: &str) -> Response {
    let form =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    gateway.ask(APP, &form)
}

/// Alice signs in and allows everything that [`APP`] asks for; the page before her answer is given too.
#[track_caller]
pub(crate) fn consent_page(browser: &Browser<'_>, more: &[(&str, &str)]) -> Response {
    let page = browser.get(&request(APP.0, more));
    browser.sign_in(&page, ALICE)
}

/// Allows what a consent page asks for.
#[track_caller]
pub(crate) fn allow(browser: &Browser<'_>, page: &Response) -> Response {
    browser.submit(&Form::to(page.expect(200), "/oauth2/consent"), &[("decision", "allow")])
}

/// The whole dance: the tokens of [`APP`] for Alice.
#[track_caller]
pub(crate) fn tokens(gateway: &Gateway, browser: &Browser<'_>) -> Tokens {
    let page = consent_page(browser, &[]);
    let answer = answer(&allow(browser, &page));
    redeem(gateway, &answer["code"]).tokens()
}

/// RFC 6749 appendix B.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next().unwrap()).to_digit(16).unwrap();
                u8::try_from(digit() * 16 + digit()).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(decoded).unwrap()
}
