//! `[server] tls` and `[upstreams.NAME] tls`: what they may say, and what is warned of.

use super::*;
use crate::proxy::upstream::Server;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;

const SERVER: &str = "tls = { cert = \"tls/cert.pem\", key = \"tls/key.pem\", client_ca = \"tls/clients.pem\" }";
const UPSTREAM: &str = "tls = { ca = \"tls/clients.pem\", cert = \"tls/cert.pem\", key = \"tls/key.pem\", server_name = \"api.internal\" }";

/// The files that the lines above name, beside `text`.
fn folder(text: &str, years: (i32, i32)) -> Folder {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    let pem = params.self_signed(&key).unwrap().pem();
    let files = [
        ("gateway.toml", text),
        ("tls/cert.pem", &pem),
        ("tls/clients.pem", &pem),
        ("tls/key.pem", &key.serialize_pem()),
    ];
    let folder = Folder::new(&files);
    set_permissions(folder.path("tls/key.pem"), Permissions::from_mode(0o640)).unwrap();
    folder
}

fn with_server(line: &str) -> String {
    SMALL.replacen("[store]", &format!("{line}\n[store]"), 1).replace("http://127.0.0.1:18080", "https://a.example")
}

fn with_upstream(servers: &str, line: &str) -> String {
    SMALL.replacen("servers = [\"echo:\"]", &format!("servers = [{servers}]\n{line}"), 1)
}

fn loaded(text: &str) -> Configuration {
    folder(text, (2020, 2090)).load().unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn one_problem(text: &str) -> String {
    let errors = folder(text, (2020, 2090)).load().err().unwrap_or_else(|| panic!("{text}"));
    assert_eq!(errors.count(), 1, "{errors}");
    errors.iter().next().unwrap().message.clone()
}

/// TLS-2: with `tls`, others than this machine may be served.
#[test]
fn a_listener_with_tls_may_be_anywhere() {
    let text = with_server(SERVER).replace("127.0.0.1:18080", "0.0.0.0:18080");
    let configuration = loaded(&text);
    let names = configuration.server.tls.as_ref().unwrap().certificates()[0].names().to_string();
    assert_eq!((names.as_str(), configuration.warnings.as_slice()), ("a.example", &[][..]));
    assert!(loaded(SMALL).server.tls.is_none());
    assert_eq!(loaded(SMALL).restart_needed(&loaded(&with_server(SERVER))), ["server.tls"]);
}

#[test]
fn what_is_wrong_with_a_file_of_tls_is_said_with_its_name() {
    for (from, to, message) in [
        ("tls/cert.pem", "tls/none.pem", "tls/none.pem cannot be read"),
        ("tls/cert.pem", "tls/key.pem", "there is no certificate in it"),
        ("tls/key.pem", "tls/cert.pem", "there is no private key in it"),
        ("tls/clients.pem", "tls/key.pem", "there is no certificate in it"),
        (", key = \"tls/key.pem\"", "", "`key` is missing"),
        (" }", ", certificates = [{ cert = \"tls/cert.pem\", key = \"x\" }] }", "x cannot be read"),
        (" }", ", certificates = [{ cert = \"tls/cert.pem\" }] }", "`key` is missing"),
    ] {
        let message_of = one_problem(&with_server(&SERVER.replacen(from, to, 1)));
        assert!(message_of.contains(message), "{message_of}");
    }
}

#[test]
fn unwise_certificates_are_warned_of() {
    let warnings = |years, mode, text: &str| {
        let folder = folder(text, years);
        set_permissions(folder.path("tls/key.pem"), Permissions::from_mode(mode)).unwrap();
        folder.load().map_err(|errors| errors.to_string()).unwrap().warnings.join("\n")
    };
    let text = with_server(SERVER);
    assert!(warnings((2020, 2021), 0o600, &text).contains("has expired: it was valid until 2021-01-01T"));
    assert!(warnings((2080, 2090), 0o600, &text).contains("is not valid yet: it will be from 2080-01-01T"));
    assert!(warnings((2020, 2090), 0o644, &text).contains("every user of this machine may read the key"));
    assert_eq!(warnings((2020, 2090), 0o640, &text), "");
    let http = text.replace("https://a.example", "http://127.0.0.1:18080");
    assert!(warnings((2020, 2090), 0o600, &http).contains("clients need https"));
    let unix = text.replace("\"127.0.0.1:18080\"", "\"unix:a.sock\"");
    assert!(warnings((2020, 2090), 0o600, &unix).contains("over TCP alone"));
}

/// TLS-3
#[test]
fn servers_over_https_are_verified_unless_the_file_says_otherwise() {
    let server = |text: &str| loaded(text).plan.upstreams[0].servers[0].server.clone();
    let https = "\"https://a.internal:8443\"";
    let verified = server(&with_upstream(https, UPSTREAM));
    assert!(matches!(&verified, Server::Https { host, port: 8443, .. } if host == "a.internal"));
    assert_eq!(verified.to_string(), "https://a.internal:8443");
    let text = with_upstream(https, "tls.verify = false");
    assert!(loaded(&text).warnings[0].contains("whoever answers is believed"), "at each start and each reload");
    assert_ne!(server(&text), server(&with_upstream(https, "tls.ca = \"tls/clients.pem\"")));
    for (servers, line, message) in [
        ("\"http://a\"", UPSTREAM, "there is none"),
        (https, "tls.cert = \"tls/cert.pem\"", "belong together"),
        (https, "tls.server_name = \"a b\"", "no name of a server"),
        (https, "tls.ca = \"none\"", "none cannot be read"),
        ("\"https://a_b..c\"", "tls.ca = \"tls/clients.pem\"", "no certificate can be for this host"),
    ] {
        let problem = one_problem(&with_upstream(servers, line));
        assert!(problem.contains(message), "{servers} {line}: {problem}");
    }
}

#[test]
fn the_files_of_tls_are_watched_like_the_configuration() {
    let further = SERVER.replace(" }", ", certificates = [{ cert = \"b.pem\", key = \"b.key\" }] }");
    let text = with_server(&further).replacen("[\"echo:\"]", "[\"https://a\"]\ntls = { ca = \"ca.pem\" }", 1);
    let text = text + "\n[login]\nurl = \"https://login.example/check\"\nca = \"login.pem\"\n";
    let folder = folder(&text, (2020, 2090));
    let watched = files(&folder.path("gateway.toml"));
    for name in
        ["gateway.toml", "tls/cert.pem", "tls/key.pem", "tls/clients.pem", "b.pem", "b.key", "ca.pem", "login.pem"]
    {
        assert!(watched.contains(&folder.path(name)), "{name}: {watched:?}");
    }
    assert_eq!(watched.len(), 8, "{watched:?}");
}

/// `[store]` with a Redis over TLS.
fn with_store(url: &str, line: &str) -> String {
    SMALL.replacen("url = \"memory:\"", &format!("url = \"{url}\"\n{line}"), 1)
}

const STORE: &str =
    "ca = \"tls/clients.pem\"\ncert = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\nserver_name = \"redis.internal\"";

#[test]
fn a_redis_over_tls_has_files_that_are_watched_and_may_change() {
    let text = with_store("rediss://redis.internal", STORE);
    let (before, folder) = (loaded(&text), folder(&text, (2020, 2090)));
    let renewed = folder.load().unwrap_or_else(|errors| panic!("{errors}"));
    assert_ne!(format!("{:?}", before.store), format!("{:?}", renewed.store), "each folder has its own certificates");
    assert!(before.restart_needed(&renewed).is_empty());
    let watched = crate::config::files(&folder.path("gateway.toml"));
    for file in ["tls/clients.pem", "tls/cert.pem", "tls/key.pem"] {
        assert!(watched.contains(&folder.path(file)), "{file}: {watched:?}");
    }
    let elsewhere = loaded(&with_store("rediss://other.internal", STORE));
    assert_eq!(before.restart_needed(&elsewhere), ["store.url"]);
}

#[test]
fn what_is_wrong_with_the_tls_of_a_store_is_said() {
    for (url, line, message) in [
        ("redis://a", "ca = \"tls/clients.pem\"", "`ca` is for TLS, which this store does not speak"),
        ("memory:", "server_name = \"a\"", "`server_name` is for TLS, which this store does not speak"),
        ("rediss://a", "ca = \"tls/none.pem\"", "none.pem cannot be read"),
        ("rediss+sentinel://a/m", "cert = \"tls/cert.pem\"", "`cert` and `key` belong together"),
        ("rediss+cluster://a", "server_name = \"a b\"", "this is no name of a server"),
    ] {
        let said = one_problem(&with_store(url, line));
        assert!(said.contains(message), "{url} {line}: {said}");
    }
}
