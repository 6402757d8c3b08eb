//! A configuration with routes of each kind, and what is said of requests to them.

use super::*;
use crate::config::{self, Configuration};

/// Routes of each kind.
pub(in crate::cli) fn configuration() -> (tempfile::TempDir, Configuration) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = r#"
server = { listen = "127.0.0.1:8080", public_url = "http://127.0.0.1:8080" }
store.url = "memory:"
[scopes]
"notes:read" = "Read"
"notes:write" = "Write"
"notes:admin" = { text = "All", implies = "notes:read notes:write" }
"shelf:{id}" = "One shelf"
[upstreams.api]
servers = ["echo:"]
[[routes]]
name = "notes"
path = "/notes/{*rest}"
upstream = "api"
scopes = { GET = "notes:read", POST = "notes:write", PUT = "notes:write", DELETE = { any = ["notes:read notes:write", "notes:admin"] } }
[[routes]]
name = "shelf"
path = "/shelves/{id}"
upstream = "api"
scopes = "shelf:{id}"
[[routes]]
path = "/status"
access = "public"
upstream = "api"
[[routes]]
name = "inside"
path = "/inside"
host = "inside.example.com"
access = "authenticated"
upstream = "api"
[[routes]]
name = "trial"
path = "/trial"
scopes = "notes:read"
report_only = true
upstream = "api"
"#;
    std::fs::write(&file, text).unwrap();
    match config::load(&file, 1) {
        Ok(configuration) => (folder, configuration),
        Err(errors) => panic!("{errors}"),
    }
}

fn explained(method: &str, url: &str, scope: Option<&str>) -> Explained {
    let (_folder, configuration) = configuration();
    let scope = scope.map(|text| if text.is_empty() { Scope::default() } else { text.parse().unwrap() });
    explain(&configuration.plan, method, url, scope.as_ref().map(|scope| (scope, [].as_slice())))
}

#[test]
fn four_lines_say_what_would_happen() {
    let text = explained("POST", "/notes/1", Some("notes:read")).text();
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "route: notes /notes/{*rest}",
        "needs: notes:write",
        "verdict: denied",
        "reason: 403 insufficient_scope: notes:write is needed",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_would_pass_passes_and_nothing_else() {
    for (method, url, scope, verdict, status) in [
        ("GET", "/notes/1", Some("notes:read"), Verdict::Allowed, None),
        ("HEAD", "/notes/1", Some("notes:admin"), Verdict::Allowed, None),
        ("GET", "/notes/1", Some(""), Verdict::Denied, Some(403)),
        ("GET", "/notes/1", None, Verdict::Denied, Some(401)),
        ("DELETE", "/notes/1", Some("notes:read"), Verdict::Denied, Some(403)),
        ("DELETE", "/notes/1", Some("notes:read notes:write"), Verdict::Allowed, None),
        ("PATCH", "/notes/1", Some("notes:write"), Verdict::Denied, Some(405)),
        ("GET", "/shelves/7", Some("shelf:7"), Verdict::Allowed, None),
        ("GET", "/shelves/7", Some("shelf:8"), Verdict::Denied, Some(403)),
        ("GET", "/status?x=/notes", None, Verdict::Public, None),
        ("TRACE", "/status", None, Verdict::Denied, Some(405)),
        ("GET", "/trial", None, Verdict::WouldDeny, None),
        ("GET", "/inside", Some(""), Verdict::Denied, Some(404)),
        ("GET", "https://inside.example.com/inside", Some(""), Verdict::Allowed, None),
        ("GET", "/nowhere", None, Verdict::Denied, Some(404)),
        ("GET", "/notes/../status", None, Verdict::Denied, Some(400)),
        ("GET", "//status", None, Verdict::Denied, Some(400)),
        ("GET", "/status#x", None, Verdict::Denied, Some(400)),
        ("CONNECT", "/status", None, Verdict::Denied, Some(501)),
        ("G T", "/status", None, Verdict::Denied, Some(400)),
        ("POST", "/oauth2/token", None, Verdict::Public, None),
    ] {
        let explained = explained(method, url, scope);
        assert_eq!((explained.verdict, explained.status), (verdict, status), "{method} {url} {scope:?}: {explained:?}");
        assert_eq!(explained.passes(), status.is_none(), "{explained:?}");
    }
}

#[test]
fn the_needed_scope_has_the_paths_parameters_filled_in() {
    assert_eq!(explained("GET", "/shelves/7", None).needs.as_deref(), Some("shelf:7"));
    let either = explained("DELETE", "/notes/7", None).needs;
    assert_eq!(either.as_deref(), Some("notes:read notes:write | notes:admin"));
    assert_eq!(explained("GET", "/status", None).json()["passes"], true);
}
