//! What is known of issued tokens, how they are taken back, and those that an operator orders.

use super::{Stage, call, client, clients, settings, word};
use crate::issue::{Introspection, IssueError, Order, OrderError, Settings};
use crate::oauth::client::{Client, GrantType, Introspect};
use crate::oauth::resource::{Resource, Resources};
use crate::oauth::token::TokenDigest;
use crate::store::Listener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn look(stage: &Stage, token: &str, basic: &str) -> Result<Introspection, &'static str> {
    let form = format!("token={token}");
    let outcome = stage.issuer.introspect(&call(&form).basic(basic).request()).await;
    let said = word(&outcome);
    outcome.map_err(|_| said)
}

async fn revoke(stage: &Stage, form: &str, basic: Option<&str>) -> &'static str {
    let call = super::Call { basic, ..call(form) };
    word(&stage.issuer.revoke(&call.request()).await)
}

async fn is_active(stage: &Stage, token: &str) -> bool {
    matches!(look(stage, token, "billing:b-secret").await, Ok(Introspection::Active(_)))
}

/// R7662-2.2a
#[tokio::test]
async fn a_resource_server_sees_what_a_token_is() {
    let stage = Stage::new().await;
    let (refresh, access) = stage.family().await;
    let Ok(Introspection::Active(active)) = look(&stage, &access, "billing:b-secret").await else { panic!() };
    assert!(active.is_access_token);
    assert_eq!((active.scope.as_str(), active.client_id.as_str()), ("read write", "cli"));
    assert_eq!(active.subject.as_deref(), Some("alice"));
    assert_eq!(active.audience, ["https://gate.example"]);
    assert_eq!(active.expires_at.since(active.issued_at), Duration::from_hours(1));
    assert_eq!(active.id, TokenDigest::of(access.as_bytes()).public_id());
    let Ok(Introspection::Active(active)) = look(&stage, &refresh, "billing:b-secret").await else { panic!() };
    assert!(!active.is_access_token);
}

/// R7662-2.2b, R7662-4a
#[tokio::test]
async fn what_is_not_good_is_inactive() {
    let stage = Stage::new().await;
    let (refresh, access) = stage.family().await;
    let form = format!("grant_type=refresh_token&client_id=cli&refresh_token={refresh}");
    stage.token(&call(&form)).await.unwrap();
    let old = format!("token={access}");
    for token in ["x", "tga_", &refresh, &access.replace("tga_", "tgr_")] {
        assert_eq!(look(&stage, token, "billing:b-secret").await, Ok(Introspection::Inactive), "{token}");
    }
    let late = call(&old).basic("billing:b-secret").after(3600);
    assert_eq!(stage.issuer.introspect(&late.request()).await.unwrap(), Introspection::Inactive);
}

/// TOK-13
#[tokio::test]
async fn a_token_of_a_removed_user_is_inactive() {
    let before = Stage::new().await;
    let (refresh, access) = before.family().await;
    assert!(is_active(&before, &access).await);
    let after = Stage::over(before.store.clone(), settings(), clients(), Vec::new());
    assert!(!is_active(&after, &access).await && !is_active(&after, &refresh).await);
}

/// R7662-2.1a, R7662-2.1b, R7662-2.1c
#[tokio::test]
async fn a_client_may_ask_about_its_own_tokens_alone() {
    let stage = Stage::new().await;
    let (_, access) = stage.family().await;
    let own = stage.token(&call("grant_type=client_credentials").basic("reporter:old")).await.unwrap();
    let Ok(Introspection::Active(active)) = look(&stage, own.access_token().reveal(), "reporter:old").await else {
        panic!()
    };
    assert_eq!(active.subject, None, "a user of that name exists");
    assert_eq!(look(&stage, &access, "reporter:old").await, Err("forbidden"));
    assert_eq!(look(&stage, &access, "reporter:wrong").await, Err("invalid_client"));
    let public = format!("client_id=cli&token={access}");
    assert_eq!(word(&stage.issuer.introspect(&call(&public).request()).await), "invalid_client");
    let nothing = stage.issuer.introspect(&call("x=y").basic("billing:b-secret").request()).await;
    assert_eq!(word(&nothing), "invalid_request");
}

/// R7009-2b, R7009-2.1c, R7009-2.1e
#[tokio::test]
async fn an_access_token_ends_alone_and_a_refresh_token_ends_its_grant() {
    let stage = Stage::new().await;
    let (refresh, access) = stage.family().await;
    assert_eq!(
        revoke(&stage, &format!("client_id=cli&token={access}&token_type_hint=refresh_token"), None).await,
        "ok"
    );
    assert!(!is_active(&stage, &access).await && is_active(&stage, &refresh).await);
    let (refresh, access) = stage.family().await;
    assert_eq!(revoke(&stage, &format!("client_id=cli&token={refresh}&token_type_hint=nonsense"), None).await, "ok");
    assert!(!is_active(&stage, &access).await && !is_active(&stage, &refresh).await);
}

/// R7009-2.2, R7009-2.1a, R7009-2.1b, R7009-2.1d
#[tokio::test]
async fn revocation_is_for_the_one_it_was_issued_to() {
    let stage = Stage::new().await;
    let (refresh, access) = stage.family().await;
    for token in [&refresh, &access] {
        assert_eq!(revoke(&stage, &format!("client_id=rival&token={token}"), None).await, "invalid_grant");
        assert!(is_active(&stage, token).await);
    }
    assert_eq!(revoke(&stage, &format!("token={access}"), Some("reporter:wrong")).await, "invalid_client");
    assert_eq!(revoke(&stage, &format!("token={access}"), None).await, "invalid_client");
    assert_eq!(revoke(&stage, "client_id=cli", None).await, "invalid_request");
    for token in ["unheard", "tga_", "%20"] {
        assert_eq!(revoke(&stage, &format!("client_id=cli&token={token}"), None).await, "ok", "{token}");
    }
    let gone = format!("client_id=cli&token={access}");
    assert_eq!(revoke(&stage, &gone, None).await, "ok");
    assert_eq!(revoke(&stage, &gone, None).await, "ok", "twice is as good as once");
}

/// Keeps the tokens that it is told of.
#[derive(Default)]
struct Told(Mutex<Vec<TokenDigest>>);

impl Listener for Told {
    fn ended(&self, tokens: &[TokenDigest]) {
        self.0.lock().unwrap().extend_from_slice(tokens);
    }
}

/// R7009-2.1f: another node has revoked it, and this one, which may have it cached, is asked again.
#[tokio::test]
async fn a_token_that_is_gone_from_the_store_is_forgotten_before_the_answer() {
    let stage = Stage::new().await;
    let (_, access) = stage.family().await;
    let digest = TokenDigest::of(access.as_bytes());
    stage.store.revoke_access(&digest).await.unwrap();
    let told = Arc::new(Told::default());
    stage.store.listen(Arc::clone(&told) as Arc<dyn Listener>);
    assert_eq!(revoke(&stage, &format!("client_id=cli&token={access}"), None).await, "ok");
    assert_eq!(*told.0.lock().unwrap(), [digest]);
}

/// R7009-2.2.1
#[tokio::test]
async fn a_client_secret_is_no_token_to_revoke() {
    use crate::oauth::token::{Token, TokenKind};
    let stage = Stage::new().await;
    let secret = Token::mint(TokenKind::ClientSecret, &stage.store.tag_keys().unwrap()).unwrap();
    let form = format!("client_id=cli&token={}", secret.secret().reveal());
    assert_eq!(revoke(&stage, &form, None).await, "unsupported_token_type");
}

#[tokio::test]
async fn an_operator_orders_a_token() {
    let stage = Stage::new().await;
    let order = Order {
        client_id: "reporter",
        subject: Some("ALICE"),
        scope: Some("write"),
        resources: &["https://GATE.example".to_owned()],
        lifetime: Some(Duration::from_mins(1)),
    };
    let issued = stage.issuer.issue_for(order, super::START).await.unwrap();
    assert_eq!((issued.scope(), issued.expires_in()), ("write", 60));
    assert!(is_active(&stage, issued.access_token().reveal()).await);
    let order = |client_id, subject, scope| Order { client_id, subject, scope, resources: &[], lifetime: None };
    let default = stage.issuer.issue_for(order("cli", Some("alice"), None), super::START).await.unwrap();
    assert_eq!(default.scope(), "read write");
    let refused = async |order| stage.issuer.issue_for(order, super::START).await.unwrap_err();
    assert!(matches!(refused(order("nobody", None, None)).await, OrderError::UnknownClient));
    assert!(matches!(refused(order("cli", Some("nobody"), None)).await, OrderError::UnknownSubject));
    assert!(matches!(refused(order("cli", None, Some("unheard"))).await, OrderError::Issue(_)));
    let elsewhere = Order { resources: &["https://other.example".to_owned()], ..order("cli", None, None) };
    assert!(matches!(refused(elsewhere).await, OrderError::Issue(IssueError::InvalidTarget(_))));
}

/// R8414-2b, R8414-2c, R8414-3.2, R8414-3.3, R9207-3, R6749-4.2: neither `token` nor `implicit` is ever listed.
#[tokio::test]
async fn the_metadata_says_what_is_switched_on() {
    let stage = Stage::new().await;
    let document = stage.issuer.metadata("https://gate.example/oauth2");
    assert_eq!(document["issuer"], "https://gate.example");
    assert_eq!(document["token_endpoint"], "https://gate.example/oauth2/token");
    assert_eq!(document["introspection_endpoint"], "https://gate.example/oauth2/introspect");
    assert_eq!(document["revocation_endpoint"], "https://gate.example/oauth2/revoke");
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let grants = ["authorization_code", "client_credentials", device, "password", "refresh_token"];
    assert_eq!(document["grant_types_supported"], serde_json::json!(grants));
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    assert_eq!(document["token_endpoint_auth_methods_supported"], serde_json::json!(methods));
    assert_eq!(document["introspection_endpoint_auth_methods_supported"], serde_json::json!(methods[..2]));
    assert_eq!(document["scopes_supported"], serde_json::json!(["write", "read", "other"]));
    assert_eq!(document["authorization_endpoint"], "https://gate.example/oauth2/authorize");
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    for (list, only) in [
        ("code_challenge_methods_supported", "S256"),
        ("response_modes_supported", "query"),
        ("response_types_supported", "code"),
    ] {
        assert_eq!(document[list], serde_json::json!([only]), "{list}");
    }
    for absent in ["registration_endpoint", "jwks_uri"] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
    let bare = Stage::with(Settings { device: None, ..settings() }, Vec::new(), Vec::new()).await.issuer.metadata("x");
    assert_eq!(bare["grant_types_supported"], serde_json::json!(["authorization_code", "client_credentials"]));
    assert_eq!(bare["token_endpoint_auth_methods_supported"], serde_json::json!(methods[..2]));
}

/// R7662-2.2c
#[tokio::test]
async fn who_is_bound_to_a_resource_sees_its_tokens_and_its_scopes_alone() {
    let resource = |path: &str, scopes: &str, requires_audience| Resource {
        identifier: format!("https://gate.example{path}"),
        path: path.to_owned(),
        scopes: Some(super::scope(scopes)),
        requires_audience,
        ..Resource::default()
    };
    let others = vec![resource("/notes", "read", false), resource("/files", "other", true)];
    let resources = Arc::new(Resources::new(resource("", "write", false), others, true));
    let bound = |id: &str, path: &str| Client {
        introspect: Introspect::Resource(path.to_owned()),
        ..client(id, vec![super::digest_of("n-secret")], &[GrantType::ClientCredentials], "read other")
    };
    let mut all = clients();
    all.extend([bound("notes", "/notes"), bound("files", "/files"), bound("gone", "/gone"), bound("wide", "/gone")]);
    let stage = Stage::with(Settings { resources, ..settings() }, all, super::users()).await;
    let issued = async |resources: &str, basic: &str| {
        let form = format!("grant_type=client_credentials{resources}");
        stage.token(&call(&form).basic(basic)).await.unwrap().access_token().reveal().to_owned()
    };
    let (notes, files) = ("&resource=https://gate.example/notes", "&resource=https://gate.example/files");
    let both = issued(&format!("{notes}{files}"), "wide:n-secret").await;
    let any = issued("", "wide:n-secret").await;
    let of_files = issued(files, "wide:n-secret").await;
    let seen = async |token: &str, who: &str| match look(&stage, token, &format!("{who}:n-secret")).await {
        Ok(Introspection::Active(active)) => Some((active.scope, active.audience.join(" "))),
        Ok(Introspection::Inactive) => None,
        Err(error) => Some((error.to_owned(), String::new())),
    };
    let at = |scope: &str, path: &str| Some((scope.to_owned(), format!("https://gate.example{path}")));
    assert_eq!(seen(&both, "notes").await, at("read", "/notes"));
    assert_eq!(seen(&both, "files").await, at("other", "/files"));
    assert_eq!(seen(&any, "notes").await, at("read", "/notes"), "it is good for every resource but /files");
    assert_eq!(seen(&any, "files").await, None);
    assert_eq!(seen(&of_files, "notes").await, None);
    assert_eq!(seen(&both, "gone").await, None);
    let own = issued(files, "notes:n-secret").await;
    assert_eq!(seen(&own, "notes").await, at("other", "/files"), "its own tokens it sees whole");
    let (refresh, _) = stage.family().await;
    assert_eq!(seen(&refresh, "notes").await, None, "a refresh token is for no resource");
}
