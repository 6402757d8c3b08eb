//! Spellings, sets, prefixes and meaningful scopes.

use super::*;
use crate::oauth::scope::ScopeDeclaration;
use proptest::prelude::*;

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

/// Scopes of which some imply others.
pub(crate) fn table() -> ScopeTable {
    let declare = |(name, implies): (&str, &str)| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: if implies.is_empty() { Scope::default() } else { scope(implies) },
        restricted: false,
    };
    let lines = [("admin", "write"), ("write", "read"), ("read", ""), ("other", ""), ("shelf:{id}", "")];
    ScopeTable::new(lines.map(declare).to_vec()).unwrap()
}

fn resource(path: &str, requires_audience: bool, scopes: Option<&str>) -> Resource {
    Resource {
        identifier: format!("https://gate.example{path}"),
        path: path.to_owned(),
        requires_audience,
        scopes: scopes.map(|text| if text.is_empty() { Scope::default() } else { scope(text) }),
        ..Resource::default()
    }
}

fn resources() -> Resources {
    let others = vec![
        resource("/notes", true, Some("write")),
        resource("/shelves", false, Some("shelf:{id}")),
        resource("/open", false, Some("")),
    ];
    Resources::new(resource("", false, Some("other")), others, true)
}

fn audience(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| format!("https://gate.example{path}")).collect()
}

/// R8707-P
#[test]
fn equivalent_spellings_name_one_resource_and_others_none() {
    let resources = resources();
    for (uri, path) in [
        ("https://gate.example", ""),
        ("HTTPS://Gate.Example:443/", ""),
        ("https://gate.example/notes", "/notes"),
        ("https://GATE.example:443/notes", "/notes"),
    ] {
        assert_eq!(resources.find(uri).unwrap().path, path, "{uri}");
    }
    for uri in [
        "https://gate.example/Notes",
        "https://gate.example/notes/",
        "https://gate.example:8443",
        "http://gate.example",
    ] {
        assert_eq!(resources.find(uri), Err(UnknownResource::Unknown), "{uri}");
    }
    for uri in
        ["", "/notes", "https://", "https://gate.example/notes#a", "https://gate.example/?a", "https://u@gate.example"]
    {
        assert_eq!(resources.find(uri), Err(UnknownResource::Malformed), "{uri}");
    }
}

/// R6750-5.3b; design, section 5, "Resources"
#[test]
fn a_token_without_an_audience_is_good_where_none_is_required() {
    let resources = resources();
    let of = |paths: &[&str]| {
        let set = resources.set_of(&audience(paths));
        resources
            .iter()
            .filter(|resource| set.contains(resource.id))
            .map(|resource| &*resource.path)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), ["", "/shelves", "/open"]);
    assert_eq!(of(&["/notes"]), ["/notes"]);
    assert_eq!(of(&["", "/notes"]), ["", "/notes"]);
    assert_eq!(of(&["/gone"]), Vec::<&str>::new(), "what is no resource any more is none");
    assert_eq!(resources.audience_of(&[]), audience(&["", "/shelves", "/open"]));
}

/// R8707-2.2b
#[test]
fn scopes_that_mean_nothing_to_the_resource_are_dropped() {
    let resources = resources();
    let of = |text: &str, paths: &[&str]| resources.meaningful(&scope(text), &audience(paths), &table()).to_string();
    assert_eq!(of("admin write read other shelf:1", &["/notes"]), "admin write", "what is needed, and what implies it");
    assert_eq!(of("read shelf:1 shelf:2", &["/shelves"]), "shelf:1 shelf:2");
    assert_eq!(of("read other shelf:1", &["/shelves", ""]), "other shelf:1");
    assert_eq!(of("read other", &["/notes"]), "");
    assert_eq!(of("read other", &[]), "read other");
    assert_eq!(of("read other", &["/open"]), "read other", "a resource that needs no scope takes any");
}

#[test]
fn the_longest_path_decides_and_only_whole_segments_count() {
    let all = Resources::new(
        resource("", false, None),
        vec![resource("/notes", false, None), resource("/notes/secret", true, None)],
        true,
    );
    let [notes, secret] = all.others.iter().collect::<Vec<_>>()[..] else { panic!() };
    let route = RouteResource::new(ResourceId::GATEWAY, &[notes, secret]);
    for (path, id) in [
        ("/", ResourceId::GATEWAY),
        ("/notesx", ResourceId::GATEWAY),
        ("/notes", notes.id),
        ("/notes/", notes.id),
        ("/notes/secrets", notes.id),
        ("/notes/secret", secret.id),
        ("/notes/secret/a", secret.id),
    ] {
        assert_eq!(route.of(path), id, "{path}");
    }
}

/// MCP-1
#[test]
fn an_mcp_server_alone_is_described_at_the_root() {
    let mcp = |mcp| Resource { mcp, ..resource("/mcp", true, None) };
    let at_root = |others, gateway_is_one| {
        Resources::new(resource("", false, None), others, gateway_is_one).at_root().path.clone()
    };
    assert_eq!(at_root(vec![mcp(true)], false), "/mcp");
    assert_eq!(at_root(vec![mcp(true)], true), "");
    assert_eq!(at_root(vec![mcp(false)], false), "");
    assert_eq!(at_root(vec![mcp(true), resource("/notes", true, None)], false), "");
}

#[test]
fn as_many_resources_as_are_allowed_have_bits_of_their_own() {
    let others: Vec<Resource> = (0..MOST).map(|number| resource(&format!("/r{number}"), true, None)).collect();
    let all = Resources::new(resource("", true, None), others, true);
    assert_eq!(all.set_of(&[]), ResourceSet::default());
    let set = all.set_of(&audience(&["/r62"]));
    assert_eq!(all.iter().filter(|resource| set.contains(resource.id)).count(), 1);
    assert!(set.contains(all.find("https://gate.example/r62").unwrap().id));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(uri: String, path: String) {
        let resources = resources();
        let _ = resources.find(&uri);
        let _ = RouteResource::new(ResourceId::GATEWAY, &[]).of(&path);
    }
}
