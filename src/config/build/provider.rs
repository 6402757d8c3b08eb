//! `[login] issuer`: an `OpenID` Connect provider.

use super::{Variables, login};
use crate::config::keys::LOGIN;
use crate::config::secret;
use crate::config::section::Section;
use crate::endpoint;
use crate::issue;
use crate::oauth::url::{Url, is_loopback_host};
use crate::people::provider::{Provider, Settings, host};
use std::sync::Arc;

/// Issuers that speak for anybody who asks.
const PUBLIC: [&str; 8] = [
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://gitlab.com",
    "https://login.microsoftonline.com/9188040d-6c67-4b4b-b8de-f7d7ccdf4d77/v2.0",
    "https://login.yahoo.com",
    "https://www.facebook.com",
    "https://www.linkedin.com/oauth",
    "https://www.paypal.com",
];

/// What belongs to an issuer alone.
const COMPANIONS: [&str; 9] = [
    "client_id",
    "client_secret",
    "scopes",
    "subject_claim",
    "name",
    "allowed_domains",
    "allowed_subjects",
    "passwords",
    "sign_out",
];

/// Reads the part of `[login]` that concerns a provider; `None`: there is none.
pub(super) fn build(root: &Section<'_>, issue: &issue::Settings, variable: Variables<'_>) -> Option<Arc<Provider>> {
    let entry = root.entry("login")?;
    let section = root.section("login", LOGIN);
    if section.entry("issuer").is_none() {
        for key in COMPANIONS.into_iter().filter_map(|name| section.entry(name)) {
            let message = format!("`{}` in `[login]` is for an identity provider", key.key);
            root.report.problem(&key.key_at, message, "name it: issuer = \"https://accounts.example.com\"");
        }
        return None;
    }
    let issuer = issuer(&section)?.to_owned();
    let Some(client_id) = section.text("client_id").filter(|id| !id.is_empty()) else {
        let help = "the provider hands one out when the gateway is registered there";
        root.report.problem(&entry.key_at, "`issuer` in `[login]` needs a `client_id`", help);
        return None;
    };
    let client_secret = match section.node("client_secret") {
        Some(node) => Some(secret::read(node, variable, root.report)?),
        None => None,
    };
    let name = section.text("name").map_or_else(|| host(&issuer).into_owned(), str::to_owned);
    let settings = Settings {
        client_id: client_id.to_owned(),
        client_secret,
        redirect_uri: endpoint::callback_url(issue),
        signed_out_uri: (section.text_or_default("sign_out") == "provider").then(|| endpoint::signed_out_url(issue)),
        scopes: scopes(&section),
        subject_claim: section.text_or_default("subject_claim").to_owned(),
        name,
        allowed_domains: owned(&section, "allowed_domains"),
        allowed_subjects: owned(&section, "allowed_subjects"),
        passwords: section.boolean("passwords"),
        timeout: section.duration("timeout").unwrap_or_default(),
        issuer,
    };
    check(&section, &settings);
    let roots = login::authorities(&section).ok()?;
    match Provider::new(settings, roots.as_ref().map(|roots| roots.text.as_bytes())) {
        Ok(provider) => Some(Arc::new(provider)),
        Err(error) => {
            login::unusable(&section, &entry.key_at, &error);
            None
        }
    }
}

fn issuer<'f>(section: &Section<'f>) -> Option<&'f str> {
    let (node, text) = section.node("issuer").zip(section.text("issuer"))?;
    let url = Url::parse(text).filter(|url| {
        let is_private = url.scheme == "https" || (url.scheme == "http" && is_loopback_host(url.host));
        is_private && url.user_info.is_none() && !url.has_query_or_fragment
    });
    let Some(url) = url else {
        let help =
            "write it as the provider does, \"https://accounts.example.com\"; http is for loopback addresses alone";
        section.report.problem(&node.at, "this cannot be the issuer of an identity provider", help);
        return None;
    };
    let tenant = url.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if url.host.eq_ignore_ascii_case("login.microsoftonline.com")
        && ["common", "organizations", "consumers"].contains(&tenant)
    {
        let help = "write the tenant: \"https://login.microsoftonline.com/<tenant id>/v2.0\"";
        section.report.problem(&node.at, "ID tokens of Microsoft Entra have the issuer of their tenant", help);
        return None;
    }
    Some(text)
}

fn scopes(section: &Section<'_>) -> Vec<String> {
    let written: Vec<&str> = section.texts("scopes").into_iter().map(|(_, text)| text).collect();
    let all = if written.is_empty() { section.text_or_default("scopes").to_owned() } else { written.join(" ") };
    all.split_ascii_whitespace().map(str::to_owned).collect()
}

fn owned(section: &Section<'_>, name: &str) -> Vec<String> {
    section.texts(name).into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// What is no mistake for sure.
fn check(section: &Section<'_>, settings: &Settings) {
    for name in ["allowed_domains", "allowed_subjects"] {
        if let Some(node) = section.node(name).filter(|_| section.texts(name).is_empty()) {
            let help = "leave the key out where anybody may sign in whom the provider knows";
            section.report.problem(&node.at, format!("with an empty `{name}` nobody could sign in"), help);
        }
    }
    for (node, domain) in section.texts("allowed_domains") {
        if domain.contains(['@', '*', '/']) || domain.starts_with('.') || domain.is_empty() {
            let help = "write what stands behind the @: \"example.com\"";
            section.report.problem(&node.at, "this is no domain of an address", help);
        }
    }
    let is_open = settings.allowed_domains.is_empty() && settings.allowed_subjects.is_empty();
    if let Some(node) = section.node("issuer").filter(|_| is_open && is_public(&settings.issuer)) {
        let text =
            "anybody with an account at this provider may sign in: `allowed_domains` or `allowed_subjects` say who";
        section.report.warning(&node.at, text);
    }
}

fn is_public(issuer: &str) -> bool {
    PUBLIC.contains(&issuer.trim_end_matches('/'))
}
