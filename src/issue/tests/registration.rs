//! Clients that register themselves, and what becomes of them.

use super::{Stage, call, client, registration, settings, word};
use crate::clock::Timestamp;
use crate::issue::{Admission, RegisteredClient, Registering, Registration, RegistrationError};
use crate::oauth::registration::ClientMetadata;
use crate::store::Issued;
use serde_json::{Value, json};
use std::time::Duration;

const TTL: u64 = 24 * 60 * 60;

async fn stage(admission: Admission) -> Stage {
    with(registration(admission)).await
}

async fn with(registration: Registration) -> Stage {
    Stage::with(super::Settings { registration, ..settings() }, Vec::new(), Vec::new()).await
}

fn after(secs: u64) -> Timestamp {
    super::START.plus(Duration::from_secs(secs))
}

fn from(address: &str, now: Timestamp) -> Registering<'static> {
    Registering { token: None, address: address.parse().ok(), now }
}

fn metadata(members: &Value) -> ClientMetadata {
    let mut all = json!({ "redirect_uris": ["https://app.example/cb"] });
    for (name, value) in members.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

async fn register(stage: &Stage, members: Value) -> RegisteredClient {
    stage.issuer.register(&from("192.0.2.1", super::START), metadata(&members)).await.unwrap()
}

/// How a client that shows its secret is answered: it is registered for another grant.
async fn answer(stage: &Stage, client: &RegisteredClient, secs: u64) -> &'static str {
    let secret = client.secret.as_ref().map_or("", |secret| secret.reveal());
    let halves = format!("{}:{secret}", client.record.id);
    word(&stage.token(&call("grant_type=client_credentials").basic(&halves).after(secs)).await)
}

fn with_token(client: &RegisteredClient, secs: u64) -> Registering<'_> {
    Registering { token: Some(client.token.reveal().as_bytes()), address: None, now: after(secs) }
}

/// R7591-5d, R7591-2b
#[tokio::test]
async fn a_client_gets_a_random_identifier_a_secret_of_its_own_and_nothing_beyond_the_policy() {
    let stage = stage(Admission::Open).await;
    let grants = json!(["authorization_code", "refresh_token", "password", "client_credentials"]);
    let one = register(&stage, json!({ "grant_types": grants, "scope": "read other" })).await;
    let other = register(&stage, json!({})).await;
    assert_ne!(one.record.id, other.record.id);
    assert_ne!(one.record.secrets, other.record.secrets);
    assert!(!one.record.id.starts_with("https://"));
    assert_eq!(one.record.grants, ["authorization_code", "refresh_token"]);
    assert_eq!((one.record.scopes.as_str(), one.record.introspect), ("read", false));
    assert_eq!(answer(&stage, &one, 0).await, "unauthorized_client", "it is authenticated, and may not");
    let public = register(&stage, json!({ "token_endpoint_auth_method": "none" })).await;
    assert!(public.secret.is_none() && public.record.secrets.is_empty());
    let known = stage.issuer.client(&public.record.id).await.unwrap().unwrap();
    assert!(known.is_unverified() && !known.is_confidential());
    let shown = format!("{one:?}");
    assert!(!shown.contains(one.token.reveal()) && !shown.contains(one.secret.as_ref().unwrap().reveal()));
}

/// R7591-5e
#[tokio::test]
async fn a_registration_that_nobody_uses_ends_and_is_forgotten() {
    let stage = stage(Admission::Open).await;
    let client = register(&stage, json!({})).await;
    assert_eq!(answer(&stage, &client, TTL - 1).await, "unauthorized_client");
    assert_eq!(answer(&stage, &client, TTL).await, "invalid_client");
    let gone = stage.issuer.registered(&client.record.id, &with_token(&client, TTL)).await;
    assert!(matches!(gone, Err(RegistrationError::InvalidToken)));
    stage.issuer.register(&from("192.0.2.1", after(TTL)), metadata(&json!({}))).await.unwrap();
    assert_eq!(stage.store.client(&client.record.id).await.unwrap(), None);
    assert_eq!(stage.store.client_count().await.unwrap(), 1);
}

/// R7591-5e
#[tokio::test]
async fn a_registration_that_is_used_stays() {
    let stage = stage(Admission::Open).await;
    let client = register(&stage, json!({})).await;
    let known = stage.issuer.client(&client.record.id).await.unwrap().unwrap();
    stage.issuer.note_use(&known).await.unwrap();
    assert_eq!(answer(&stage, &client, 10 * TTL).await, "unauthorized_client");
    stage.issuer.register(&from("192.0.2.1", after(10 * TTL)), metadata(&json!({}))).await.unwrap();
    assert!(stage.store.client(&client.record.id).await.unwrap().is_some());
}

/// R7591-5e
#[tokio::test]
async fn registrations_are_counted_by_address_and_altogether() {
    let stage = stage(Admission::Open).await;
    let attempt = async |address: &str, secs| {
        let outcome = stage.issuer.register(&from(address, after(secs)), metadata(&json!({}))).await;
        outcome.map(drop)
    };
    for _ in 0..3 {
        attempt("192.0.2.1", 0).await.unwrap();
    }
    assert!(matches!(attempt("192.0.2.1", 0).await, Err(RegistrationError::Throttled(_))));
    attempt("192.0.2.2", 0).await.unwrap();
    attempt("192.0.2.1", 60).await.unwrap();
    let mut registered = 1;
    for number in 0..40 {
        registered += i32::from(attempt(&format!("198.51.100.{number}"), 60).await.is_ok());
    }
    assert_eq!(registered, 30, "ten times as many as one address");
    let wrong = stage.issuer.register(&from("192.0.2.3", after(200)), metadata(&json!({ "redirect_uris": [] }))).await;
    assert!(matches!(wrong, Err(RegistrationError::Metadata(_))));
}

/// R7591-5e
#[tokio::test]
async fn there_is_room_for_so_many_clients() {
    let stage = with(Registration { most: 2, ..registration(Admission::Open) }).await;
    for _ in 0..2 {
        register(&stage, json!({})).await;
    }
    let full = stage.issuer.register(&from("192.0.2.1", super::START), metadata(&json!({}))).await;
    assert!(matches!(full, Err(RegistrationError::Full)));
    let later = stage.issuer.register(&from("192.0.2.1", after(TTL)), metadata(&json!({}))).await;
    assert!(later.is_ok(), "those that nobody used made room");
}

/// R7591-3b
#[tokio::test]
async fn whom_an_operator_invites_may_register_so_often_and_so_long() {
    let stage = stage(Admission::Token).await;
    let none = stage.issuer.register(&from("192.0.2.1", super::START), metadata(&json!({}))).await;
    assert!(matches!(none, Err(RegistrationError::NoToken)));
    let invitation = stage.issuer.invite(Duration::from_secs(60), 2, super::START).await.unwrap();
    let attempt = async |token: &str, members: Value, secs| {
        let request = Registering { token: Some(token.as_bytes()), address: None, now: after(secs) };
        stage.issuer.register(&request, metadata(&members)).await.map(drop)
    };
    let token = invitation.secret().reveal();
    let wrong = attempt(token, json!({ "redirect_uris": ["http://app.example/"] }), 0).await;
    assert!(matches!(wrong, Err(RegistrationError::Metadata(_))), "that is no use");
    attempt(token, json!({}), 0).await.unwrap();
    attempt(token, json!({}), 59).await.unwrap();
    assert!(matches!(attempt(token, json!({}), 59).await, Err(RegistrationError::InvalidToken)), "used up");
    let other = stage.issuer.invite(Duration::from_secs(60), 2, super::START).await.unwrap();
    let late = attempt(other.secret().reveal(), json!({}), 60).await;
    assert!(matches!(late, Err(RegistrationError::InvalidToken)));
    assert!(matches!(attempt("tgi_forged", json!({}), 0).await, Err(RegistrationError::InvalidToken)));
}

/// R7591-3b
#[tokio::test]
async fn an_invitation_for_one_lets_one_of_many_in() {
    let stage = stage(Admission::Token).await;
    let invitation = stage.issuer.invite(Duration::from_secs(60), 1, super::START).await.unwrap();
    let token = invitation.secret().reveal().as_bytes();
    let attempt = async || {
        let request = Registering { token: Some(token), address: None, now: super::START };
        u32::from(stage.issuer.register(&request, metadata(&json!({}))).await.is_ok())
    };
    let (a, b, c, d) = tokio::join!(attempt(), attempt(), attempt(), attempt());
    assert_eq!(a + b + c + d, 1);
}

/// R7592-2.1
#[tokio::test]
async fn a_registration_is_shown_to_its_client_alone() {
    let stage = stage(Admission::Open).await;
    let (one, other) = (register(&stage, json!({})).await, register(&stage, json!({})).await);
    let id = &one.record.id;
    let shown = stage.issuer.registered(id, &with_token(&one, 0)).await.unwrap();
    assert_eq!(shown.record, one.record);
    assert!(shown.secret.is_none());
    for (id, request) in [
        (id.as_str(), with_token(&other, 0)),
        ("nobody", with_token(&one, 0)),
        (id, Registering { token: Some(b"tgm_forged"), address: None, now: super::START }),
        (&"x".repeat(300), with_token(&one, 0)),
    ] {
        assert!(matches!(stage.issuer.registered(id, &request).await, Err(RegistrationError::InvalidToken)));
    }
    let none = stage.issuer.registered(id, &from("192.0.2.1", super::START)).await;
    assert!(matches!(none, Err(RegistrationError::NoToken)));
    let next = crate::oauth::client::RegistrationId::generate().unwrap();
    stage.store.disable_client(id, next).await.unwrap();
    let disabled = stage.issuer.registered(id, &with_token(&one, 0)).await;
    assert!(matches!(disabled, Err(RegistrationError::Disabled)));
    assert_eq!(answer(&stage, &one, 0).await, "invalid_client");
}

/// R7592-2.2
#[tokio::test]
async fn an_update_replaces_everything() {
    let stage = stage(Admission::Open).await;
    let client = register(&stage, json!({ "client_name": "One", "contacts": ["a@app.example"] })).await;
    let id = client.record.id.clone();
    let update = async |mut members: Value| {
        members["client_id"] = id.clone().into();
        stage.issuer.register_anew(&id, &with_token(&client, 0), metadata(&members)).await
    };
    let secret = client.secret.as_ref().unwrap().reveal();
    let renamed = update(json!({ "client_name": "Two", "client_secret": secret })).await.unwrap();
    assert_eq!(renamed.record.name.as_deref(), Some("Two"));
    assert_eq!(renamed.record.secrets, client.record.secrets);
    assert_eq!(renamed.secret.as_ref().map(crate::secret::Secret::reveal), Some(secret));
    assert!(renamed.record.self_registered.as_ref().unwrap().description.contacts.is_empty(), "left out is deleted");
    assert_ne!(renamed.record.registration, client.record.registration, "what was allowed to One is not Two's");
    let same = update(json!({ "client_name": "Two", "scope": "read" })).await.unwrap();
    assert_eq!((same.record.registration, same.record.scopes.as_str()), (renamed.record.registration, "read"));
    assert!(matches!(update(json!({ "client_secret": "wrong" })).await, Err(RegistrationError::Metadata(_))));
    let public = update(json!({ "token_endpoint_auth_method": "none" })).await.unwrap();
    assert!(public.record.secrets.is_empty() && public.secret.is_none());
    let confidential = update(json!({})).await.unwrap();
    assert_eq!(answer(&stage, &confidential, 0).await, "unauthorized_client");
    assert_eq!(answer(&stage, &client, 0).await, "invalid_client", "the secret of before has gone");
}

/// R7592-2.3
#[tokio::test]
async fn a_client_that_goes_takes_its_tokens_with_it() {
    let stage = stage(Admission::Open).await;
    let client = register(&stage, json!({})).await;
    let id = client.record.id.as_str();
    let order = crate::issue::Order { client_id: id, subject: None, scope: None, lifetime: None, resources: &[] };
    let issued = stage.issuer.issue_for(order, super::START).await.unwrap();
    let digest = crate::oauth::token::TokenDigest::of(issued.access_token().reveal().as_bytes());
    let record = stage.store.access_token(&digest, super::START).await.unwrap().unwrap();
    stage.issuer.deregister(id, &with_token(&client, 0)).await.unwrap();
    assert_eq!(stage.store.access_token(&digest, super::START).await.unwrap(), None);
    let late =
        crate::store::Issue { access: (digest, record), refresh: None, registration: Some(client.record.registration) };
    assert_eq!(stage.store.issue(late).await.unwrap(), Issued::ClientGone);
    let again = stage.issuer.deregister(id, &with_token(&client, 0)).await;
    assert!(matches!(again, Err(RegistrationError::InvalidToken)));
}

/// TOK-7
#[tokio::test]
async fn an_older_secret_is_good_until_its_end() {
    let stage = Stage::with(settings(), vec![client("x", Vec::new(), &[], "read")], Vec::new()).await;
    let record = crate::store::ClientRecord {
        secrets: vec![super::digest_of("new").to_string(), super::digest_of("old").to_string()],
        old_secrets_until: Some(after(60).as_millis()),
        ..super::clients::stored("robot", None)
    };
    stage.store.add_client(record).await.unwrap();
    let answer = async |halves: &str, secs| {
        word(&stage.token(&call("grant_type=client_credentials").basic(halves).after(secs)).await)
    };
    assert_eq!((answer("robot:old", 59).await, answer("robot:new", 59).await), ("ok", "ok"));
    assert_eq!((answer("robot:old", 60).await, answer("robot:new", 60).await), ("invalid_client", "ok"));
}

/// R7592-2.2, R7591-3.2.1a: of several updates at the same time each is carried out, and nobody is told a
/// secret that is not the client's.
#[tokio::test]
async fn updates_at_the_same_time_are_carried_out_one_after_the_other() {
    let stage = stage(Admission::Open).await;
    let client = register(&stage, json!({})).await;
    let id = client.record.id.clone();
    let update = async |name: &str, method: &str| {
        let members = json!({ "client_id": id, "client_name": name, "token_endpoint_auth_method": method });
        stage.issuer.register_anew(&id, &with_token(&client, 0), metadata(&members)).await.unwrap()
    };
    for _ in 0..20 {
        update("public", "none").await;
        let basic = "client_secret_basic";
        let (a, b, c, d) = tokio::join!(update("A", basic), update("B", basic), update("C", basic), update("D", basic));
        let told: Vec<_> = [&a, &b, &c, &d].into_iter().filter(|updated| updated.secret.is_some()).collect();
        assert_eq!(told.len(), 1, "the one whose secret is stored");
        assert_eq!(answer(&stage, told[0], 0).await, "unauthorized_client", "its secret is good");
    }
}

/// R7592-2.2, R6749-2.3b: a client that is said to have a secret has one.
#[tokio::test]
async fn a_confidential_client_never_ends_up_without_a_secret() {
    let stage = stage(Admission::Open).await;
    for _ in 0..4 {
        let request = Registering { token: None, address: None, now: after(0) };
        let Ok(client) = stage.issuer.register(&request, metadata(&json!({}))).await else { break };
        let id = client.record.id.clone();
        let update = async |method: &str| {
            let members = json!({ "client_id": id, "token_endpoint_auth_method": method });
            stage.issuer.register_anew(&id, &with_token(&client, 0), metadata(&members)).await.unwrap();
        };
        tokio::join!(update("none"), update("client_secret_basic"), update("none"), update("client_secret_post"));
        let record = stage.store.client(&id).await.unwrap().unwrap();
        let method = record.self_registered.unwrap().auth_method;
        assert_eq!(record.secrets.is_empty(), method == "none", "{method}");
    }
}
