//! `[oauth]` and `[bearer]`: how tokens are issued, and how they are sent.

use super::path;
use crate::config::keys::FAILED_LOGINS;
use crate::config::section::Section;
use crate::enforce::bearer::Methods;
use crate::issue::{DeviceSettings, FailedLogins, Registration, Settings};
use crate::oauth::client::{Client, GrantType, Pkce};
use crate::people::session;
use std::sync::Arc;

/// What holds without `[bearer] methods`.
pub(super) const HEADER_ONLY: Methods = Methods { header: true, form: false, query: false };

/// Reads `[oauth]`, and of `[limits]` what concerns it.
pub(super) fn settings(
    oauth: &Section<'_>,
    limits: &Section<'_>,
    public_url: Option<&str>,
    registration: Registration,
) -> Settings {
    let base = oauth.text_or_default("path");
    if let (Some(node), Some(why)) = (oauth.node("path"), path::wrong(base)) {
        oauth.report.problem(&node.at, format!("`path` in `[oauth]` {why}"), "write \"/oauth2\"");
    } else if let Some(node) = oauth.node("path").filter(|_| path::is_below(base, "/.well-known")) {
        oauth.report.problem(&node.at, "`/.well-known` is taken by other specifications", "write \"/oauth2\"");
    }
    let failed_logins = limits.section("failed_logins", FAILED_LOGINS);
    Settings {
        issuer: public_url.unwrap_or_default().to_owned(),
        path: base.to_owned(),
        // They are known when the routes are.
        resources: Arc::default(),
        access_token_ttl: oauth.duration("access_token_ttl").unwrap_or_default(),
        refresh_token_ttl: oauth.duration("refresh_token_ttl").unwrap_or_default(),
        refresh_reuse_grace: oauth.duration("refresh_reuse_grace").unwrap_or_default(),
        authorization_code_ttl: oauth.duration("authorization_code_ttl").unwrap_or_default(),
        device: None,
        failed_logins: FailedLogins {
            max: failed_logins.number("max").unwrap_or_default(),
            per: failed_logins.duration("per").unwrap_or_default(),
        },
        registration,
        par_required: oauth.text("par") == Some("required"),
    }
}

/// Reads what `[oauth]` says of devices (RFC 8628). They are served where it says anything, or where one
/// of the `clients` is for them.
pub(super) fn device(oauth: &Section<'_>, clients: &[Client]) -> Option<DeviceSettings> {
    let written = oauth.node("device_code_ttl").or_else(|| oauth.node("device_interval"));
    let settings = DeviceSettings {
        code_ttl: oauth.duration("device_code_ttl").unwrap_or_default(),
        interval: oauth.duration("device_interval").unwrap_or_default(),
    };
    if let Some(node) = written.filter(|_| settings.interval >= settings.code_ttl) {
        let message = "`device_interval` in `[oauth]` is no shorter than `device_code_ttl`: no device could poll twice";
        oauth.report.problem(&node.at, message, "write \"5s\"");
    }
    let used = written.is_some() || clients.iter().any(|client| client.may_use(GrantType::DeviceCode));
    used.then_some(settings)
}

/// Reads `pkce` of `[oauth]` or of a client.
pub(super) fn pkce(section: &Section<'_>) -> Pkce {
    if section.text_or_default("pkce") == "optional" { Pkce::Optional } else { Pkce::Required }
}

/// Reads what `[oauth]` says about sign-ins.
pub(super) fn sessions(oauth: &Section<'_>) -> session::Settings {
    let ttl = oauth.duration("session_ttl").unwrap_or_default();
    session::Settings { ttl, idle: oauth.duration("session_idle").unwrap_or_default() }
}

/// Reads a list of ways to send a token; `None`: there is none.
pub(super) fn methods(section: &Section<'_>, name: &str) -> Option<Methods> {
    let node = section.node(name)?;
    let words = section.texts(name);
    if node.list().is_some_and(<[_]>::is_empty) {
        section.report.problem(
            &node.at,
            "no token could be sent in any way",
            "write [\"header\"], or leave the key out",
        );
    }
    let has = |word: &str| words.iter().any(|(_, text)| *text == word);
    Some(Methods { header: has("header"), form: has("form"), query: has("query") })
}

/// Reads `[bearer] realm`.
pub(super) fn realm(bearer: &Section<'_>) -> String {
    let realm = bearer.text_or_default("realm");
    let printable = |octet: u8| matches!(octet, b' '..=b'~') && octet != b'"' && octet != b'\\';
    if let Some(node) = bearer.node("realm").filter(|_| realm.is_empty() || !realm.bytes().all(printable)) {
        let help = "use printable ASCII, without quote and backslash";
        bearer.report.problem(&node.at, "`realm` does not fit into a header field", help);
    }
    realm.to_owned()
}
