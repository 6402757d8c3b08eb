//! Decisions over small tables of scopes.

use super::*;
use crate::clock::Timestamp;
use crate::oauth::scope::ScopeDeclaration;
use crate::oauth::token::{Origin, TokenRecord};

fn table() -> ScopeTable {
    let declare = |(name, implies): (&str, &str)| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: if implies.is_empty() { Scope::default() } else { implies.parse().unwrap() },
        restricted: false,
    };
    let lines = [("read", ""), ("write", ""), ("delete", ""), ("admin", "read write"), ("shelf:{id}", "")];
    ScopeTable::new(lines.map(declare).to_vec()).unwrap()
}

fn identity(scope: &str) -> Arc<Identity> {
    let record = TokenRecord {
        client_id: "c".to_owned(),
        client_origin: Origin::Store,
        subject: None,
        subject_origin: Origin::Store,
        scope: scope.to_owned(),
        audience: Vec::new(),
        issued_at: Timestamp::default(),
        expires_at: Timestamp::from_secs(1),
        grant: None,
    };
    Arc::new(Identity::new(record, &table(), 1))
}

fn any(alternatives: &[&str]) -> Access {
    let alternative = |text: &&str| {
        let scope: Scope = text.parse().unwrap();
        let literal: Scope = scope.iter().filter(|token| !token.as_str().contains('{')).cloned().collect();
        let templates = scope
            .iter()
            .filter_map(|token| token.as_str().split_once("{id}"))
            .map(|(before, after)| (before.into(), 0, after.into()))
            .collect();
        Alternative { literal: table().set_of(&literal), scope, templates }
    };
    Access::Scopes(alternatives.iter().map(alternative).collect())
}

fn verdict(access: &Access, scope: &str, params: &[&str]) -> Result<(), String> {
    decide(access, identity(scope), params, &table()).map(|_| ()).map_err(|denial| denial.needed)
}

/// PX-12, R6750-3.1b
#[test]
fn all_scopes_of_one_alternative_are_needed() {
    let access = any(&["write delete", "admin delete"]);
    assert_eq!(verdict(&access, "write delete", &[]), Ok(()));
    assert_eq!(verdict(&access, "admin delete", &[]), Ok(()));
    assert_eq!(verdict(&access, "write", &[]), Err("write delete".to_owned()));
    assert_eq!(verdict(&access, "admin", &[]), Err("write delete".to_owned()));
    assert_eq!(verdict(&any(&["read write", "admin"]), "shelf:1", &[]), Err("admin".to_owned()));
}

#[test]
fn what_a_scope_implies_counts() {
    assert_eq!(verdict(&any(&["read"]), "admin", &[]), Ok(()));
    assert_eq!(verdict(&any(&["admin"]), "read write", &[]), Err("admin".to_owned()));
}

/// PATH-10
#[test]
fn a_path_parameter_in_a_scope_is_compared_decoded_and_whole() {
    let access = any(&["shelf:{id} read"]);
    assert_eq!(verdict(&access, "read shelf:42", &["42"]), Ok(()));
    assert_eq!(verdict(&access, "read shelf:a+b", &["a+b"]), Ok(()));
    assert_eq!(verdict(&access, "read shelf:42", &["43"]), Err("shelf:43 read".to_owned()));
    assert_eq!(verdict(&access, "read shelf:4", &["4%20read"]), Err("read".to_owned()));
    assert_eq!(verdict(&access, "read", &[""]), Err("read".to_owned()));
}

#[test]
fn only_a_public_route_is_public() {
    assert!(public(&Access::Public).is_some_and(|permit| permit.identity().is_none()));
    assert!(public(&Access::Authenticated).is_none());
    assert_eq!(verdict(&Access::Authenticated, "read", &[]), Ok(()));
    assert_eq!(needed(&any(&["read", "admin"]), &[]), Some("read".to_owned()));
    assert_eq!(needed(&Access::Authenticated, &[]), None);
}
