//! Client metadata: what is registered of it, and what is refused.

use super::*;
use crate::oauth::scope::ScopeDeclaration;
use proptest::prelude::*;

const GRANTS: [GrantType; 2] = [GrantType::AuthorizationCode, GrantType::RefreshToken];
const REDIRECT: &str = r#""redirect_uris": ["https://app.example/cb"]"#;

fn table() -> ScopeTable {
    let declare = |name: &str| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: Scope::default(),
        restricted: name == "admin",
    };
    ScopeTable::new(["read", "write", "admin"].map(declare).to_vec()).unwrap()
}

fn checked(json: &str) -> Result<Registrable, MetadataError> {
    let metadata: ClientMetadata = serde_json::from_str(json).unwrap();
    let scopes: Scope = "read write".parse().unwrap();
    metadata.check(&Policy { grants: &GRANTS, scopes: &scopes, table: &table() })
}

fn with(members: &str) -> Result<Registrable, MetadataError> {
    checked(&format!("{{{REDIRECT}, {members}}}"))
}

fn code(outcome: &Result<Registrable, MetadataError>) -> &'static str {
    outcome.as_ref().map_or_else(|error| error.code(), |_| "ok")
}

/// R7591-2a
#[test]
fn defaults_are_filled_in() {
    let checked = checked(&format!("{{{REDIRECT}}}")).unwrap();
    assert_eq!(checked.auth_method, AuthMethod::SecretBasic);
    assert_eq!(checked.grants, [GrantType::AuthorizationCode]);
    assert_eq!(checked.scope.to_string(), "read write");
}

/// R7591-2b
#[test]
fn grants_and_response_types_agree_and_what_is_not_for_registration_is_dropped() {
    let grants = |members: &str| with(members).map(|checked| checked.grants);
    let all = r#""grant_types": ["password", "implicit", "refresh_token", "authorization_code", "client_credentials"]"#;
    assert_eq!(grants(all), Ok(GRANTS.to_vec()));
    assert_eq!(grants(r#""response_types": ["code", "token"]"#), Ok(vec![GrantType::AuthorizationCode]));
    for members in [
        r#""grant_types": []"#,
        r#""grant_types": ["client_credentials"]"#,
        r#""grant_types": ["password", "refresh_token"]"#,
        r#""response_types": ["token"]"#,
        r#""response_types": []"#,
    ] {
        assert_eq!(code(&with(members)), "invalid_client_metadata", "{members}");
    }
}

/// R7591-2c, R7591-2d
#[test]
fn unknown_members_are_ignored_and_two_key_sets_refused() {
    assert_eq!(code(&with(r#""of_the_future": {"a": [1]}, "client_name#de": "x", "client_id": "mine""#)), "ok");
    assert_eq!(code(&with(r#""jwks": {"keys": []}"#)), "ok");
    assert_eq!(code(&with(r#""jwks": {}, "jwks_uri": "https://a.example/""#)), "invalid_client_metadata");
}

/// R7591-5a, R7591-3.2.2
#[test]
fn redirect_uris_are_of_a_safe_kind() {
    for uri in ["https://app.example/cb", "http://127.0.0.1/cb", "http://localhost:3000/cb", "com.example.app:/cb"] {
        assert_eq!(code(&checked(&format!(r#"{{"redirect_uris": ["{uri}"]}}"#))), "ok", "{uri}");
    }
    for uri in ["http://app.example/cb", "javascript:alert(1)", "https://app.example/cb#f", "myapp:/cb", "", "/cb"] {
        assert_eq!(code(&checked(&format!(r#"{{"redirect_uris": ["{uri}"]}}"#))), "invalid_redirect_uri", "{uri}");
    }
    assert_eq!(code(&checked("{}")), "invalid_redirect_uri");
    let many = vec![r#""https://app.example/cb""#; MOST + 1].join(",");
    assert_eq!(code(&checked(&format!(r#"{{"redirect_uris": [{many}]}}"#))), "invalid_redirect_uri");
}

/// R7591-5b, R7591-5c
#[test]
fn what_people_see_is_plain_and_https() {
    for members in [r#""client_name": "Ünïcode & <b>bold</b>""#, r#""logo_uri": "https://app.example/logo.png""#] {
        assert_eq!(code(&with(members)), "ok", "{members}");
    }
    for members in [
        r#""client_name": "a\u0000b""#,
        r#""client_name": "a\u202eb""#,
        r#""client_name": "\u3164\u3164""#,
        r#""client_name": "a\u00adb""#,
        r#""logo_uri": "http://app.example/logo.png""#,
        r#""tos_uri": "javascript:alert(1)""#,
        r#""policy_uri": "https://user@app.example/""#,
        r#""client_uri": "app.example""#,
        r#""contacts": ["a\nb"]"#,
        r#""software_id": "\u0007""#,
        r#""token_endpoint_auth_method": "private_key_jwt""#,
    ] {
        assert_eq!(code(&with(members)), "invalid_client_metadata", "{members}");
    }
    let long = format!(r#""client_name": "{}""#, "a".repeat(LONGEST_NAME + 1));
    assert_eq!(code(&with(&long)), "invalid_client_metadata");
}

#[test]
fn scopes_beyond_those_for_registration_are_left_out() {
    let scope = |text: &str| with(&format!(r#""scope": "{text}""#)).map(|checked| checked.scope.to_string());
    assert_eq!(scope("admin write unheard"), Ok("write".to_owned()));
    assert_eq!(scope(""), Ok("read write".to_owned()));
    assert!(scope("admin").is_err());
    assert!(scope("read  write").is_err());
    assert!(scope("read ".repeat(2000).trim_end()).is_err(), "more words than any client needs");
}

/// R7592-2.2
#[test]
fn an_update_is_for_its_client_and_sets_nothing_of_the_servers() {
    let outcome = |json: &str| {
        let metadata: ClientMetadata = serde_json::from_str(json).unwrap();
        metadata.check_update("me").map(|secret| secret.map(|secret| secret.reveal().to_owned()))
    };
    assert_eq!(outcome(r#"{"client_id": "me"}"#), Ok(None));
    assert_eq!(outcome(r#"{"client_id": "me", "client_secret": "s"}"#), Ok(Some("s".to_owned())));
    for json in [
        "{}",
        r#"{"client_id": "other"}"#,
        r#"{"client_id": "me", "registration_access_token": "x"}"#,
        r#"{"client_id": "me", "registration_client_uri": "x"}"#,
        r#"{"client_id": "me", "client_secret_expires_at": 0}"#,
        r#"{"client_id": "me", "client_id_issued_at": 1}"#,
    ] {
        assert!(outcome(json).is_err(), "{json}");
    }
    let metadata: ClientMetadata = serde_json::from_str(r#"{"client_secret": "hush"}"#).unwrap();
    assert!(!format!("{metadata:?}").contains("hush"));
}

proptest! {
    #[test]
    fn any_body_is_read_or_refused(body: Vec<u8>, name in ".*", uri in ".*", scope in ".*") {
        let _ = serde_json::from_slice::<ClientMetadata>(&body);
        let json = serde_json::json!({ "client_name": name, "redirect_uris": [uri], "logo_uri": uri, "scope": scope });
        let _ = checked(&json.to_string());
    }
}
