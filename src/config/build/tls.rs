//! `[server] tls`, `[upstreams.NAME] tls`, and the TLS of `[store]`.

use crate::clock;
use crate::config::error::Report;
use crate::config::file::{Node, Table};
use crate::config::keys::{CERTIFICATE, SERVER_TLS, UPSTREAM_TLS};
use crate::config::section::Section;
use crate::proxy::upstream;
use crate::server;
use crate::telemetry::rfc3339;
use crate::tls::{Certificate, ClientSettings, ClientTls, ServerTls, TlsError};
use rustls::pki_types::ServerName;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const HELP: &str = "PEM; the path is relative to this file, and the gateway must be able to read it";
/// Who renews by hand wants to know this long before.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// How TLS is spoken with clients; `None`: not at all, or what is wrong has been reported.
pub(super) fn server(section: &Section<'_>) -> Option<Arc<ServerTls>> {
    let entry = section.entry("tls")?;
    let tls = section.section("tls", SERVER_TLS);
    let further = tls.tables("certificates", CERTIFICATE).into_iter().map(|(_, pair)| pair);
    let certificates: Vec<Option<Certificate>> = std::iter::once(tls).chain(further).map(|of| pair(&of)).collect();
    // What is missing has been reported.
    let certificates = certificates.into_iter().collect::<Option<Vec<_>>>()?;
    let client_ca = tls.node("client_ca");
    let client_ca_file = client_ca.and_then(path);
    match ServerTls::new(certificates, client_ca_file.as_deref(), server::PROTOCOLS) {
        Ok(tls) => Some(Arc::new(tls)),
        Err(error) => {
            section.report.problem(client_ca.map_or(&entry.key_at, |node| &node.at), error.to_string(), HELP);
            None
        }
    }
}

/// How TLS is spoken with the servers of an upstream; what is wrong has been reported when there is none.
pub(super) fn upstream(section: &Section<'_>) -> Option<ClientTls> {
    let tls = section.section("tls", UPSTREAM_TLS);
    let unverified = !tls.boolean("verify");
    if let Some(node) = tls.node("verify").filter(|_| unverified) {
        section.report.warning(&node.at, "whoever answers is believed, and gets what is meant for the upstream");
    }
    let protocol = upstream::protocol(section.boolean("http2"));
    client(&tls, unverified, protocol, section.node("servers"))
}

/// How TLS is spoken with a Redis; what is wrong has been reported when there is none.
pub(super) fn store(section: &Section<'_>) -> Option<ClientTls> {
    client(section, false, b"", section.node("url"))
}

/// From `ca`, `cert`, `key` and `server_name`; `place` is where it is said that TLS is spoken.
fn client(tls: &Section<'_>, unverified: bool, protocol: &'static [u8], place: Option<&Node>) -> Option<ClientTls> {
    let report = tls.report;
    let certificate = match (tls.node("cert"), tls.node("key")) {
        (None, None) => None,
        (Some(_), Some(_)) => Some(pair(tls)?),
        (Some(one), None) | (None, Some(one)) => {
            report.problem(&one.at, "`cert` and `key` belong together", "write both, or neither");
            return None;
        }
    };
    let server_name = match tls.node("server_name").zip(tls.text("server_name")) {
        None => None,
        Some((node, name)) => {
            let read = ServerName::try_from(name.to_owned());
            if read.is_err() {
                report.problem(&node.at, "this is no name of a server", "write \"api.internal\" or an address");
            }
            Some(read.ok()?)
        }
    };
    let settings = ClientSettings { ca: tls.node("ca").and_then(path), certificate, server_name, unverified };
    report_failure(ClientTls::new(settings, protocol), tls.node("ca").or(place), report)
}

fn report_failure<T>(built: Result<T, TlsError>, at: Option<&Node>, report: &Report) -> Option<T> {
    if let (Err(error), Some(node)) = (&built, at) {
        report.problem(&node.at, error.to_string(), HELP);
    }
    built.ok()
}

/// `cert` and `key`.
fn pair(section: &Section<'_>) -> Option<Certificate> {
    let (chain, key) = section.node("cert").zip(section.node("key"))?;
    let (chain_file, key_file) = path(chain).zip(path(key))?;
    let read = Certificate::read(&chain_file, &key_file);
    let certificate = report_failure(read, Some(chain), section.report)?;
    warn(&certificate, &chain_file, chain, section.report);
    if certificate.is_exposed() {
        let text = format!("every user of this machine may read the key in {}", key_file.display());
        section.report.warning(&key.at, text);
    }
    Some(certificate)
}

fn warn(certificate: &Certificate, file: &Path, node: &Node, report: &Report) {
    let now = clock::now();
    let (begins, expires) = (certificate.begins(), certificate.expires());
    let text = if expires <= now {
        format!("has expired: it was valid until {}", rfc3339(expires))
    } else if begins > now {
        format!("is not valid yet: it will be from {} on", rfc3339(begins))
    } else if expires <= now.plus(SOON) {
        format!("expires soon: {}", rfc3339(expires))
    } else {
        return;
    };
    report.warning(&node.at, format!("the certificate in {} {text}", file.display()));
}

/// The file that `node` names.
fn path(node: &Node) -> Option<PathBuf> {
    Some(node.at.path().parent().unwrap_or(Path::new("")).join(node.text()?))
}

/// Every file with certificates or keys, of `[login]` and `[store]` too: what to watch.
pub(in crate::config) fn files(root: &Table) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(tls) = below(root, "server").and_then(|server| below(server, "tls")) {
        of_table(tls, &mut found);
        let further = tls.get("certificates").and_then(|entry| entry.node.list()).unwrap_or_default();
        further.iter().filter_map(Node::table).for_each(|pair| of_table(pair, &mut found));
    }
    for section in ["login", "store"].iter().filter_map(|name| below(root, name)) {
        of_table(section, &mut found);
    }
    for upstream in below(root, "upstreams").into_iter().flat_map(|all| &all.entries) {
        if let Some(tls) = upstream.node.table().and_then(|upstream| below(upstream, "tls")) {
            of_table(tls, &mut found);
        }
    }
    found
}

fn below<'t>(table: &'t Table, name: &str) -> Option<&'t Table> {
    table.get(name)?.node.table()
}

fn of_table(tls: &Table, found: &mut Vec<PathBuf>) {
    let nodes = ["cert", "key", "client_ca", "ca"].into_iter().filter_map(|name| tls.get(name));
    for file in nodes.filter_map(|entry| path(&entry.node)) {
        if !found.contains(&file) {
            found.push(file);
        }
    }
}
