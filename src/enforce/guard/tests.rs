//! What can be told of a token without a store; the rest is in the tests of whole requests.

use super::*;

struct Only(&'static str, &'static str);

impl Directory for Only {
    fn has_client(&self, id: &str) -> bool {
        id == self.0
    }

    fn has_user(&self, name: &str) -> bool {
        name == self.1
    }
}

fn record(client: &str, subject: Option<&str>) -> TokenRecord {
    TokenRecord {
        client_id: client.to_owned(),
        client_origin: Origin::Configuration,
        subject: subject.map(str::to_owned),
        subject_origin: Origin::Configuration,
        scope: "read".to_owned(),
        audience: Vec::new(),
        issued_at: Timestamp::default(),
        expires_at: Timestamp::from_secs(9),
        grant: None,
    }
}

/// PX-6, R6749-4.4b
#[test]
fn identity_fields_cannot_break_out_and_a_client_is_no_subject() {
    let fields = |client: &str, subject| {
        let identity = Identity::new(record(client, subject), &ScopeTable::default(), 1);
        String::from_utf8(identity.fields.to_vec()).unwrap()
    };
    assert_eq!(fields("app", None), "x-auth-client: app\r\nx-auth-scope: \r\n");
    let hostile = fields("a%b", Some("é\r\nX-Admin: 1 "));
    assert!(hostile.starts_with("x-auth-subject: %C3%A9%0D%0AX-Admin: 1%20\r\nx-auth-client: a%25b\r\n"), "{hostile}");
}

/// TOK-13, hazards line 35
#[test]
fn whoever_is_gone_from_the_configuration_has_no_token() {
    let directory = Only("app", "alice");
    assert!(still_exists(&record("app", Some("alice")), &directory));
    assert!(!still_exists(&record("other", Some("alice")), &directory));
    assert!(!still_exists(&record("app", Some("bob")), &directory));
    let of_store = TokenRecord { client_origin: Origin::Store, ..record("other", None) };
    assert!(still_exists(&of_store, &directory));
}
