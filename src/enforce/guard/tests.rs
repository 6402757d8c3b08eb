//! What needs no store: who still exists, and the fields that the upstream gets.

use super::*;
use crate::oauth::resource::ResourceId;
use crate::oauth::scope::{Scope, ScopeDeclaration};
use crate::store::cache::Cached;
use proptest::prelude::*;

struct Configured;

impl Directory for Configured {
    fn has_client(&self, id: &str) -> bool {
        id == "app"
    }

    fn has_user(&self, name: &str) -> bool {
        name == "alice"
    }

    fn has_provided(&self, subject: &str) -> bool {
        subject == "https://op.example#1"
    }
}

fn record(client: (&str, Origin), subject: (Option<&str>, Origin), scope: &str) -> TokenRecord {
    TokenRecord {
        client_id: client.0.to_owned(),
        client_origin: client.1,
        subject: subject.0.map(str::to_owned),
        subject_origin: subject.1,
        scope: scope.to_owned(),
        audience: vec!["https://api.example/".to_owned()],
        issued_at: Timestamp::default(),
        expires_at: Timestamp::from_secs(1),
        grant: None,
    }
}

fn table() -> ScopeTable {
    let declare = |(name, implies): (&str, Option<&str>)| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: implies.map(|implied| implied.parse().unwrap()).unwrap_or_default(),
        restricted: false,
    };
    ScopeTable::new([("read", None), ("write", Some("read")), ("50%", None)].map(declare).to_vec()).unwrap()
}

fn resources() -> Resources {
    Resources::gateway("https://api.example", Vec::new())
}

fn fields(subject: Option<&str>, scope: &str) -> String {
    let record = record(("app", Origin::Configuration), (subject, Origin::Configuration), scope);
    String::from_utf8(Identity::new(record, &table(), &resources(), 1).fields().to_vec()).unwrap()
}

#[test]
fn a_bearer_of_the_configuration_must_still_be_in_it() {
    use Origin::{Configuration, Provider, Store};
    for (client, subject, exists) in [
        (("app", Configuration), (Some("alice"), Configuration), true),
        (("app", Configuration), (Some("alice"), Provider), false),
        (("app", Configuration), (Some("https://op.example#1"), Provider), true),
        (("app", Configuration), (None, Configuration), true),
        (("gone", Configuration), (None, Configuration), false),
        (("gone", Configuration), (Some("alice"), Configuration), false),
        (("app", Configuration), (Some("gone"), Configuration), false),
        (("gone", Store), (Some("alice"), Configuration), true),
        (("gone", Store), (Some("gone"), Configuration), false),
        (("gone", Store), (Some("gone"), Store), true),
    ] {
        assert_eq!(still_exists(&record(client, subject, "read"), &Configured), exists, "{client:?} {subject:?}");
    }
}

/// PX-6, IDH-4
#[test]
fn the_fields_say_who_and_what_and_nothing_that_is_not_there() {
    assert_eq!(
        fields(Some("alice"), "write"),
        "x-auth-subject: alice\r\nx-auth-client: app\r\nx-auth-scope: read write\r\n"
    );
    assert_eq!(fields(None, "read"), "x-auth-client: app\r\nx-auth-scope: read\r\n");
    assert_eq!(fields(None, "no-longer-declared"), "x-auth-client: app\r\n");
    assert_eq!(fields(Some(""), "50%"), "x-auth-client: app\r\nx-auth-scope: 50%25\r\n");
}

/// PX-6
#[test]
fn values_that_are_no_plain_text_are_encoded_so_that_they_decode_to_themselves() {
    let subject = |name: &str| fields(Some(name), "").lines().next().unwrap().to_owned();
    assert_eq!(subject("zoë smith"), "x-auth-subject: zo%C3%AB smith");
    assert_eq!(subject("a\r\nx-auth-client: b"), "x-auth-subject: a%0D%0Ax-auth-client: b");
    assert_eq!(subject(" a\t"), "x-auth-subject: %20a%09");
    assert_eq!(subject("100%25"), "x-auth-subject: 100%2525");
}

#[test]
fn the_size_of_an_entry_grows_with_what_it_holds() {
    let identity = |subject: &str| {
        let record = record(("app", Origin::Store), (Some(subject), Origin::Store), "read");
        Arc::new(Identity::new(record, &table(), &resources(), 1))
    };
    assert_eq!(identity(&"a".repeat(1000)).size(), identity("").size() + 2000 + "x-auth-subject: \r\n".len());
    assert_eq!(identity("").expires_at(), Timestamp::from_secs(1));
    assert_eq!(identity("").scopes, table().set_of(&"read".parse::<Scope>().unwrap()));
}

/// R6750-5.3b
#[test]
fn an_identity_knows_what_its_token_is_good_for() {
    let good = |audience: &[&str]| {
        let mut record = record(("app", Origin::Store), (None, Origin::Store), "read");
        record.audience = audience.iter().map(|uri| (*uri).to_owned()).collect();
        let identity = Identity::new(record.clone(), &table(), &resources(), 1);
        assert_eq!(identity.record(), record);
        identity.resources.contains(ResourceId::GATEWAY)
    };
    assert!(good(&[]) && good(&["https://api.example/"]) && !good(&["https://other.example"]));
}

proptest! {
    #[test]
    fn no_value_can_end_its_line(subject: String) {
        let text = fields(Some(&subject), "read");
        prop_assert_eq!(text.lines().count(), 2 + usize::from(!subject.is_empty()));
        prop_assert!(text.bytes().all(|octet| octet.is_ascii_graphic() || matches!(octet, b' ' | b'\r' | b'\n')));
    }
}
