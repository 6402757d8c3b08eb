//! `[[clients]]`.

use super::Variables;
use super::scopes::Scopes;
use super::tokens;
use crate::config::demo;
use crate::config::file::Node;
use crate::config::keys::CLIENT;
use crate::config::secret;
use crate::config::section::Section;
use crate::config::source::Place;
use crate::oauth::client::{Client, GrantType, Introspect, MalformedSecretHash, Pkce, SecretHash};
use crate::oauth::redirect;
use crate::oauth::resource::Resources;
use crate::oauth::scope::Scope;
use crate::people::password;
use crate::secret::Digest;
use std::collections::HashMap;

/// A secret that is shorter was made up by a person: its digest can be guessed back (TOK-2).
const SHORT: usize = 22;

/// Two at most, so that a secret can be changed without an outage (TOK-7).
const MOST_SECRETS: usize = 2;

/// Reads `[[clients]]`; `pkce` is what holds for those that do not say.
pub(super) fn build(root: &Section<'_>, scopes: &Scopes, pkce: Pkce, variable: Variables<'_>) -> Vec<Client> {
    let mut seen: HashMap<&str, &Node> = HashMap::new();
    let mut clients = Vec::new();
    for (node, section) in root.tables("clients", CLIENT) {
        let Some((id_node, id)) = section.node("id").zip(section.text("id")) else { continue };
        if let Some(first) = seen.insert(id, id_node) {
            let message = format!("the client `{id}` stands here twice");
            root.report.conflict(&id_node.at, message, "rename or remove one of them", &first.at, "the other one");
        }
        if id.is_empty() || !id.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            root.report.problem(
                &id_node.at,
                "`id` is empty or has characters beyond printable ASCII",
                "RFC 6749 appendix A.1",
            );
        }
        let mut client = client(id, &section, scopes, variable);
        client.pkce = if section.node("pkce").is_some() { tokens::pkce(&section) } else { pkce };
        check(&client, &section, &node.at, scopes);
        clients.push(client);
    }
    clients
}

fn client(id: &str, section: &Section<'_>, scopes: &Scopes, variable: Variables<'_>) -> Client {
    let scope = |name| section.node(name).map(|node| scopes.read(node, section.report));
    Client {
        id: id.to_owned(),
        name: section.text("name").map(str::to_owned),
        secrets: secrets(section, variable),
        grants: section.texts("grants").iter().filter_map(|(_, grant)| GrantType::named(grant).ok()).collect(),
        redirect_uris: section.texts("redirect_uris").iter().map(|(_, uri)| (*uri).to_owned()).collect(),
        scopes: scope("scopes").unwrap_or_default(),
        default_scopes: scope("default_scopes"),
        introspect: introspect(section),
        immediate_error_redirect: section.boolean("immediate_error_redirect"),
        par_required: section.text("par") == Some("required"),
        ..Client::default()
    }
}

/// `true`, `false`, or the path of a resource.
fn introspect(section: &Section<'_>) -> Introspect {
    match section.text("introspect") {
        Some("/") => Introspect::Resource(String::new()),
        Some(path) => Introspect::Resource(path.to_owned()),
        None => section.boolean("introspect").into(),
    }
}

/// A client that is bound to a resource needs that resource.
pub(super) fn check_introspection(root: &Section<'_>, resources: &Resources) {
    for (_, section) in root.tables("clients", CLIENT) {
        let Some((node, path)) = section.node("introspect").zip(section.text("introspect")) else { continue };
        let known = path == "/" || !path.is_empty() && resources.iter().any(|resource| resource.path == path);
        if !known {
            let help = "name the `path` of one of them, or write true for everybody's tokens";
            section.report.problem(&node.at, format!("`introspect` names no `[[resources]]`: `{path}`"), help);
        }
    }
}

fn secrets(section: &Section<'_>, variable: Variables<'_>) -> Vec<SecretHash> {
    let report = section.report;
    let mut secrets = Vec::new();
    for (node, _) in section.texts("secret") {
        let Some(secret) = secret::read(node, variable, report) else { continue };
        if secret.reveal().len() < SHORT {
            report
                .warning(&node.at, "the secret is short and may be guessed: `openssl rand -hex 32` makes a better one");
        }
        secrets.push(SecretHash::Digest(Digest::of(secret.reveal().as_bytes())));
    }
    for (node, text) in section.texts("secret_hash") {
        match secret_hash(text) {
            Ok(hash) => secrets.push(hash),
            Err((what, help)) => report.problem(&node.at, what, help),
        }
    }
    if secrets.iter().any(demo::is_known_secret) {
        report.demo_secret();
    }
    if let Some(entry) =
        section.entry("secret_hash").or_else(|| section.entry("secret")).filter(|_| secrets.len() > MOST_SECRETS)
    {
        report.problem(&entry.key_at, "a client has two secrets at most", "remove those that are no longer used");
    }
    secrets
}

/// One that a secret can match; else what is wrong with it, and what helps.
fn secret_hash(text: &str) -> Result<SecretHash, (String, String)> {
    let hash = text
        .parse()
        .map_err(|error: MalformedSecretHash| ("`secret_hash` cannot be read".to_owned(), error.to_string()))?;
    if let SecretHash::Phc(text) = &hash {
        let help = "`tollgate hash` makes a whole one".to_owned();
        password::check(text).map_err(|why| (format!("`secret_hash` can never be matched: {why}"), help))?;
    }
    Ok(hash)
}

fn check(client: &Client, section: &Section<'_>, at: &Place, scopes: &Scopes) {
    let report = section.report;
    // Whether there was meant to be a secret, although it may not have been readable.
    let confidential = section.node("secret").or_else(|| section.node("secret_hash")).is_some();
    if client.may_use(GrantType::ClientCredentials) && !confidential {
        let help = "give it `secret` or `secret_hash` (RFC 6749 section 4.4)";
        report.problem(at, "`client_credentials` needs a client that can keep a secret", help);
    }
    if client.introspect != Introspect::Nothing && !confidential {
        let help = "give it `secret` or `secret_hash` (RFC 7662 section 2.1)";
        report.problem(at, "`introspect` needs a client that can keep a secret", help);
    }
    for (node, uri) in section.texts("redirect_uris") {
        if let Some((why, help)) = redirect::wrong(uri) {
            report.problem(&node.at, format!("the redirect URI {why}"), help);
        }
    }
    if client.may_use(GrantType::AuthorizationCode) && section.texts("redirect_uris").is_empty() {
        report.problem(at, "`authorization_code` needs `redirect_uris`", "RFC 6749 section 3.1.2.2");
    }
    if !client.may_use(GrantType::AuthorizationCode) && !client.redirect_uris.is_empty() {
        report.warning(at, format!("`{}` has `redirect_uris`, but not the grant `authorization_code`", client.id));
    }
    if let Some(node) = section.node("pkce").filter(|_| client.pkce == Pkce::Optional && !confidential) {
        let help = "give it `secret` or `secret_hash`, or leave `pkce` out (RFC 9700 section 2.1.1)";
        report.problem(&node.at, "a client without a secret cannot do without PKCE", help);
    }
    check_scopes(client, section, at, scopes);
}

fn check_scopes(client: &Client, section: &Section<'_>, at: &Place, scopes: &Scopes) {
    if client.scopes.is_empty() && !client.grants.is_empty() && section.node("scopes").is_none() {
        section.report.warning(at, format!("`{}` has no `scopes`, so it cannot get a token", client.id));
    }
    let Some(node) = section.node("default_scopes") else { return };
    let ceiling = scopes.table.set_of(&client.scopes);
    let default = client.default_scopes.iter().flat_map(Scope::iter);
    for token in default.filter(|token| !scopes.table.holds(&ceiling, token.as_str())) {
        let message = format!("`{}` is in `default_scopes` but not in `scopes`", token.as_str());
        section.report.problem(&node.at, message, "add it to `scopes`, or leave it out here");
    }
}
