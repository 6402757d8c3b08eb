//! `[login]`.

use crate::config::file::Entry;
use crate::config::keys::LOGIN;
use crate::config::section::Section;
use crate::config::source::{Place, Source};
use crate::oauth::url::{Url, is_loopback_host};
use crate::people::login::{Format, Login};
use http::Uri;
use std::path::Path;
use std::sync::Arc;

/// Reads `[login]`; `None`: the gateway checks passwords itself.
pub(super) fn build(root: &Section<'_>) -> Option<Arc<Login>> {
    let entry = root.entry("login")?;
    let section = root.section("login", LOGIN);
    if section.entry("url").is_none() {
        check_without_url(&section, entry);
        return None;
    }
    for name in ["users", "users_file"] {
        if let Some(other) = root.entry(name) {
            let help = "keep one of them: whether a name exists could be told by who checks it";
            let message = format!("`{name}` and `[login]` are two places of users");
            root.report.conflict(&other.key_at, message, help, &entry.key_at, "the other one");
        }
    }
    let url = url(&section)?;
    let format = if section.text_or_default("format") == "form" { Format::Form } else { Format::Json };
    let roots = authorities(&section).ok()?;
    let timeout = section.duration("timeout").unwrap_or_default();
    match Login::new(url, format, timeout, roots.as_ref().map(|roots| roots.text.as_bytes())) {
        Ok(login) => Some(Arc::new(login)),
        Err(error) => {
            unusable(&section, &entry.key_at, &error);
            None
        }
    }
}

/// Whoever writes `[login]` means a service or a provider.
fn check_without_url(section: &Section<'_>, entry: &Entry) {
    if section.entry("issuer").is_none() {
        let help = "write `url` for a service that checks passwords, or `issuer` for an OpenID Connect provider";
        section.report.problem(&entry.key_at, "`[login]` does not say where people sign in", help);
    } else if let Some(format) = section.entry("format") {
        section.report.problem(&format.key_at, "`format` is for a login service: there is no `url`", "remove it");
    }
}

/// Says why nobody can be believed.
pub(super) fn unusable(section: &Section<'_>, at: &Place, error: &std::io::Error) {
    let at = section.node("ca").map_or(at, |node| &node.at);
    let message = format!("the certification authorities of `[login]` cannot be used: {error}");
    section.report.problem(at, message, "`ca` names a file with certificates in PEM; else the system has them");
}

/// It has been reported.
pub(super) struct Unreadable;

/// The certification authorities of `ca`; `None`: the system's.
pub(super) fn authorities(section: &Section<'_>) -> Result<Option<Arc<Source>>, Unreadable> {
    match section.node("ca").zip(section.text("ca")) {
        Some((node, path)) => roots(section, path, &node.at).map(Some).ok_or(Unreadable),
        None => Ok(None),
    }
}

fn url(section: &Section<'_>) -> Option<Uri> {
    let (node, text) = section.node("url").zip(section.text("url"))?;
    let is_good = Url::parse(text).is_some_and(|url| {
        let is_private = url.scheme == "https" || (url.scheme == "http" && is_loopback_host(url.host));
        is_private && url.user_info.is_none() && !text.contains('#')
    });
    let uri = text.parse::<Uri>().ok().filter(|_| is_good);
    if uri.is_none() {
        let help = "write \"https://login.example.com/check\"; http is for loopback addresses alone";
        section.report.problem(&node.at, "passwords cannot be sent to this URL", help);
    }
    uri
}

fn roots(section: &Section<'_>, path: &str, at: &Place) -> Option<Arc<Source>> {
    let path = at.path().parent().unwrap_or(Path::new("")).join(path);
    let help = "the path is relative to this file; the gateway must be able to read it";
    Source::read(&path, help).map_err(|unreadable| section.report.unreadable(unreadable)).ok()
}
