//! Who passes, and what the refusal names.

use super::*;
use crate::clock::Timestamp;
use crate::oauth::resource::Resources;
use crate::oauth::scope::ScopeDeclaration;
use crate::oauth::token::{Origin, TokenRecord};
use proptest::prelude::*;

fn scope(text: &str) -> Scope {
    if text.is_empty() { Scope::default() } else { text.parse().unwrap() }
}

fn table() -> ScopeTable {
    let lines =
        [("read", ""), ("write", ""), ("delete", ""), ("admin", "read write"), ("shelf:{id}", ""), ("room:1", "")];
    let declare = |(name, implies): (&str, &str)| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: scope(implies),
        restricted: false,
    };
    ScopeTable::new(lines.map(declare).to_vec()).unwrap()
}

fn identity(granted: &str) -> Arc<Identity> {
    let record = TokenRecord {
        client_id: "app".to_owned(),
        client_origin: Origin::Store,
        subject: None,
        subject_origin: Origin::Store,
        scope: granted.to_owned(),
        audience: Vec::new(),
        issued_at: Timestamp::default(),
        expires_at: Timestamp::default(),
        grant: None,
    };
    let resources = Resources::gateway("https://gate.example", Vec::new());
    Arc::new(Identity::new(record, &table(), &resources, 1))
}

fn access(alternatives: &[&str]) -> Access {
    let parameters = ["id".to_owned(), "rest".to_owned()];
    let read = |text: &&str| Alternative::new(scope(text), &parameters, &table()).unwrap();
    Access::Scopes(alternatives.iter().map(read).collect())
}

fn verdict(alternatives: &[&str], granted: &str, params: &[&str]) -> Result<(), String> {
    let outcome = decide(&access(alternatives), identity(granted), &Resource::default(), params, &table());
    outcome.map(|_| ()).map_err(|denial| match denial {
        Denial::Scope { needed } => needed,
        Denial::Audience => panic!("the token is for this resource"),
    })
}

fn refused(needed: &str) -> Result<(), String> {
    Err(needed.to_owned())
}

/// R6750-3.1b
#[test]
fn every_scope_of_one_alternative_must_be_held() {
    assert_eq!(verdict(&["read write"], "write read", &[]), Ok(()));
    assert_eq!(verdict(&["read write"], "admin", &[]), Ok(()));
    assert_eq!(verdict(&["read write"], "read", &[]), refused("read write"));
    assert_eq!(verdict(&["read", "delete"], "delete", &[]), Ok(()));
    assert_eq!(verdict(&["read"], "readx", &[]), refused("read"));
}

/// Design, section 5, "Routes and paths"
#[test]
fn the_refusal_names_the_alternative_that_lacks_least_in_full() {
    let any = ["read write delete", "admin delete", "room:1"];
    assert_eq!(verdict(&any, "", &[]), refused("room:1"));
    assert_eq!(verdict(&any, "read write", &[]), refused("read write delete"));
    assert_eq!(verdict(&any, "admin", &[]), refused("read write delete"));
    assert_eq!(verdict(&["read", "write"], "delete", &[]), refused("read"));
    assert_eq!(needed(&access(&any), &[]).as_deref(), Some("read write delete"));
    assert_eq!(needed(&Access::Authenticated, &[]), None);
}

/// PX-12
#[test]
fn what_asks_for_nothing_in_particular_is_passed_by_nobody() {
    assert_eq!(verdict(&[""], "admin", &[]), refused(""));
    assert_eq!(verdict(&[], "admin", &[]), refused(""));
}

#[test]
fn a_template_asks_for_the_scope_of_the_path() {
    assert_eq!(verdict(&["shelf:{id}"], "shelf:42", &["42", ""]), Ok(()));
    assert_eq!(verdict(&["shelf:{id}"], "shelf:42", &["43", ""]), refused("shelf:43"));
    assert_eq!(verdict(&["read shelf:{id}"], "read shelf:42", &["42"]), Ok(()));
    assert_eq!(verdict(&["read shelf:{id}"], "shelf:42", &["42"]), refused("read shelf:42"));
    assert_eq!(verdict(&["room:{id}"], "room:1", &["1"]), Ok(()));
    assert_eq!(verdict(&["room:{id}"], "room:1", &["2"]), refused("room:2"));
    assert_eq!(verdict(&["shelf:{id}"], "shelf:42", &[]), refused("shelf:{id}"));
    assert_eq!(needed(&access(&["read shelf:{id}"]), &["7"]).as_deref(), Some("read shelf:7"));
}

#[test]
fn a_value_is_compared_as_the_upstream_sees_it_or_not_at_all() {
    assert_eq!(verdict(&["shelf:{id}"], "shelf:a?b", &["a%3Fb"]), Ok(()));
    assert_eq!(verdict(&["shelf:{id}"], "shelf:a%3Fb", &["a%3Fb"]), refused("shelf:a?b"));
    assert_eq!(verdict(&["shelf:{id}"], "shelf:a/b", &["a%2Fb"]), Ok(()));
    for value in ["", "a%20b", "a%22", "%C3%A9", "%7Bid%7D", "{id}", "a b", "%", "%4", &"a".repeat(257)] {
        for granted in ["shelf:42", "shelf:{id}"] {
            assert_eq!(verdict(&["shelf:{id}"], granted, &[value]), refused("shelf:{id}"), "{value}");
        }
    }
}

#[test]
fn templates_must_name_a_parameter_of_the_path() {
    for text in ["shelf:{other}", "shelf:{id", "shelf:id}", "{id}{rest}", "}{"] {
        assert!(Alternative::new(scope(text), &["id".to_owned(), "rest".to_owned()], &table()).is_err(), "{text}");
    }
}

/// R6750-5.3b, R6750-3.1a
#[test]
fn a_token_for_another_resource_is_refused_before_its_scopes_are_looked_at() {
    let required = Resource { requires_audience: true, ..Resource::default() };
    let notes = Resource { identifier: "https://gate.example/notes".to_owned(), ..required.clone() };
    let resources = Resources::new(Resource::default(), vec![notes, required], true);
    let [gateway, notes, other] = resources.iter().collect::<Vec<_>>()[..] else { panic!() };
    let record = |audience: &[&str]| TokenRecord {
        audience: audience.iter().map(|uri| (*uri).to_owned()).collect(),
        ..identity("read").record()
    };
    let denied = |audience: &[&str], resource: &Resource, access: &Access| {
        let identity = Arc::new(Identity::new(record(audience), &table(), &resources, 1));
        decide(access, identity, resource, &[], &table()).err()
    };
    for access in [access(&["read"]), Access::Authenticated] {
        assert_eq!(denied(&[], gateway, &access), None);
        assert_eq!(denied(&[], notes, &access), Some(Denial::Audience));
        assert_eq!(denied(&["https://gate.example/notes"], notes, &access), None);
        assert_eq!(denied(&["https://gate.example/notes"], other, &access), Some(Denial::Audience));
        assert_eq!(denied(&["https://gate.example/notes"], gateway, &access), Some(Denial::Audience));
    }
    assert_eq!(denied(&[], notes, &access(&["write"])), Some(Denial::Audience));
    assert_eq!(denied(&[], notes, &Access::Public), None);
}

/// MCP-4
#[test]
fn an_mcp_server_names_what_the_token_has_beside_what_it_lacks() {
    let server = Resource { mcp: true, ..Resource::default() };
    let needed = |granted: &str| match decide(&access(&["read write"]), identity(granted), &server, &[], &table()) {
        Err(Denial::Scope { needed }) => needed,
        other => panic!("{other:?}"),
    };
    assert_eq!(needed("delete read"), "delete read write");
    assert_eq!(needed("delete"), "delete read write");
    assert_eq!(needed(""), "read write");
}

/// PX-6, PX-10
#[test]
fn only_a_route_that_looks_at_tokens_passes_an_identity_on() {
    let who = identity("read");
    let permit = |access: &Access| decide(access, Arc::clone(&who), &Resource::default(), &[], &table()).unwrap();
    assert!(permit(&Access::Public).identity().is_none());
    assert!(permit(&Access::Authenticated).identity().is_some_and(|passed| Arc::ptr_eq(passed, &who)));
    assert!(permit(&access(&["read"])).identity().is_some());
    assert!(public(&Access::Public).is_some_and(|permit| permit.identity().is_none()));
    assert!(public(&Access::Authenticated).is_none() && public(&access(&["read"])).is_none());
    assert!(preflight().identity().is_none());
    assert!(report_only(None).identity().is_none() && report_only(Some(who)).identity().is_some());
}

proptest! {
    #[test]
    fn no_value_passes_for_another(value: String, granted in "[a-z0-9/?%{}]{1,6}") {
        let mut decoded = String::new();
        let passes = verdict(&["shelf:{id}"], &format!("shelf:{granted}"), &[&value]).is_ok();
        prop_assert_eq!(passes, push_value(&mut decoded, &value).is_some() && decoded == granted);
    }
}
