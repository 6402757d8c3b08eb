//! The endpoints from the request to the response, over a store in memory.

use super::{BODY_LIMIT, Caller, Endpoints, People, Settings};
use crate::clock;
use crate::enforce::bearer::Methods;
use crate::enforce::guard::{Directory, Guard, GuardSettings};
use crate::issue::Clients;
use crate::issue::tests::Stage;
use crate::oauth::token::{Origin, Token, TokenKind, TokenRecord};
use crate::page::{Branding, Pages};
use crate::people;
use crate::people::session::{self, Sessions};
use crate::people::users::Users;
use crate::store::cache::{CacheSettings, TokenCache};
use crate::store::{Issue, Issued};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

struct Everybody(Arc<Clients>, Arc<Users>);

impl Directory for Everybody {
    fn has_client(&self, id: &str) -> bool {
        self.0.get(id).is_some()
    }

    fn has_user(&self, name: &str) -> bool {
        self.1.has(name)
    }

    fn has_provided(&self, _: &str) -> bool {
        false
    }
}

pub(super) async fn endpoints(bearer: Methods) -> Endpoints {
    over(Stage::new().await, bearer)
}

fn over(stage: Stage, bearer: Methods) -> Endpoints {
    let cache = TokenCache::new(CacheSettings { max_size: 1 << 20, ttl: Duration::from_mins(1) });
    stage.store.listen(Arc::<TokenCache<_>>::clone(&cache));
    let directory = Arc::new(Everybody(stage.clients, Arc::clone(&stage.users)));
    let resources = Arc::clone(&stage.issuer.settings().resources);
    let guard_settings = GuardSettings { generation: 1, serve_cached: false };
    let lives = session::Settings { ttl: Duration::from_secs(28_800), idle: Duration::from_secs(3600) };
    let people = People {
        directory: people::directory::Directory::new(Arc::clone(&stage.users), stage.store.clone()),
        sessions: Sessions::new(stage.store.clone(), lives),
        pages: Pages::new(Arc::new(Branding::default()), "/oauth2"),
        store: stage.store.clone(),
    };
    let guard = Guard::new(stage.store, cache, stage.scopes, resources, directory, guard_settings);
    let settings = Settings { realm: "notes".into(), bearer };
    Endpoints::new(Rc::new(stage.issuer), Rc::new(guard), people, settings)
}

pub(super) const HEADER: Methods = Methods { header: true, form: false, query: false };
const ALL: Methods = Methods { header: true, form: true, query: true };

struct Answer {
    status: u16,
    body: Value,
    response: Response<Bytes>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    fn error(&self) -> (u16, &str) {
        (self.status, self.body["error"].as_str().unwrap_or_default())
    }
}

async fn send(endpoints: &Endpoints, method: Method, uri: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let caller = Caller { address: "192.0.2.1".parse().ok(), request_id: "r-1" };
    let response = endpoints.handle(request, &caller).await;
    let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    Answer { status: response.status().as_u16(), body, response }
}

async fn post(endpoints: &Endpoints, uri: &str, body: &str) -> Answer {
    send(endpoints, Method::POST, uri, &[("content-type", "application/x-www-form-urlencoded")], body).await
}

async fn get(endpoints: &Endpoints, uri: &str, fields: &[(&str, &str)]) -> Answer {
    send(endpoints, Method::GET, uri, fields, "").await
}

const ALICE: &str = "grant_type=password&client_id=cli&username=alice&password=wonder:land";
const REPORTER: &str = "grant_type=client_credentials&client_id=reporter&client_secret=r-secret";

/// R6749-5.1a, R6749-5.1b, R6749-5.1c
#[tokio::test]
async fn a_token_response_is_json_that_nobody_keeps() {
    let endpoints = endpoints(HEADER).await;
    let answer = post(&endpoints, "/oauth2/token", ALICE).await;
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/json")));
    assert_eq!((answer.field("cache-control"), answer.field("pragma")), (Some("no-store"), Some("no-cache")));
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&"Bearer".into(), &3600.into()));
    assert_eq!(answer.body["scope"], "read write");
    assert!(answer.body["access_token"].as_str().unwrap().starts_with("tga_"));
    assert!(answer.body["refresh_token"].as_str().unwrap().starts_with("tgr_"));
    let answer = post(&endpoints, "/oauth2/token", REPORTER).await;
    assert!(answer.body.get("refresh_token").is_none(), "R6749-5.1d");
}

/// R6749-3.2a, R7009-2a, R7662-2.1a
#[tokio::test]
async fn other_methods_are_refused_and_the_right_ones_named() {
    let endpoints = endpoints(HEADER).await;
    for uri in ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS, Method::DELETE] {
            let answer = send(&endpoints, method, uri, &[], "").await;
            assert_eq!((answer.status, answer.field("allow")), (405, Some("POST")), "{uri}");
        }
    }
    for uri in ["/oauth2/tokeninfo", "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"]
    {
        let answer = post(&endpoints, uri, "").await;
        assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")), "{uri}");
    }
}

/// R6749-3.2b, R6749-3.2c, R6749-3.2d
#[tokio::test]
async fn what_is_no_proper_form_is_refused() {
    let endpoints = endpoints(HEADER).await;
    let json = [("content-type", "application/json")];
    let answer = send(&endpoints, Method::POST, "/oauth2/token", &json, "{}").await;
    assert_eq!(answer.error(), (400, "invalid_request"));
    assert_eq!((answer.field("cache-control"), answer.field("pragma")), (Some("no-store"), Some("no-cache")));
    let answer = post(&endpoints, "/oauth2/token?client_secret=r-secret", REPORTER).await;
    assert_eq!(answer.error(), (400, "invalid_request"));
    let answer = post(&endpoints, "/oauth2/token", &format!("{REPORTER}&scope=read&scope=read")).await;
    assert_eq!(answer.error(), (400, "invalid_request"));
    let answer = post(&endpoints, "/oauth2/token", &"x".repeat(BODY_LIMIT + 1)).await;
    assert_eq!(answer.error(), (413, "invalid_request"));
}

/// R6749-5.2a, R6749-5.2b, R6749-5.2c
#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_the_same_answer() {
    let endpoints = endpoints(HEADER).await;
    let mut seen = Vec::new();
    for client in ["reporter", "nobody", "chosen"] {
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret=x");
        let answer = post(&endpoints, "/oauth2/token", &form).await;
        assert_eq!(answer.error(), (401, "invalid_client"));
        assert_eq!(answer.field("www-authenticate"), Some("Basic realm=\"notes\", charset=\"UTF-8\""));
        seen.push(answer.response.into_body());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1);
}

/// R6749-4.3d
#[tokio::test]
async fn a_failed_basic_login_is_challenged() {
    let endpoints = endpoints(HEADER).await;
    let fields = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Basic YWxpY2U6bm8=")];
    let form = "grant_type=password&client_id=cli";
    let answer = send(&endpoints, Method::POST, "/oauth2/token", &fields, form).await;
    assert_eq!(answer.error(), (401, "invalid_grant"));
    assert!(answer.field("www-authenticate").unwrap().starts_with("Basic "));
}

/// R6749-2.3.1c, R7662-4b
#[tokio::test]
async fn too_many_guesses_are_told_when_to_come_back() {
    let endpoints = endpoints(HEADER).await;
    let form = "token=x&client_id=billing&client_secret=wrong";
    for _ in 0..3 {
        assert_eq!(post(&endpoints, "/oauth2/introspect", form).await.status, 401);
    }
    let answer = post(&endpoints, "/oauth2/introspect", form).await;
    assert_eq!(answer.error(), (429, "temporarily_unavailable"));
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

/// R7662-2.2a, R7662-2.2b, R7662-2.1c, R7662-4b
#[tokio::test]
async fn introspection_has_the_members_of_the_rfc() {
    let endpoints = endpoints(HEADER).await;
    let pair = post(&endpoints, "/oauth2/token", ALICE).await.body;
    let form = |token: &Value| format!("client_id=billing&client_secret=b-secret&token={}", token.as_str().unwrap());
    let answer = post(&endpoints, "/oauth2/introspect", &form(&pair["access_token"])).await;
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")));
    let body = &answer.body;
    assert_eq!((&body["active"], &body["token_type"]), (&true.into(), &"Bearer".into()));
    assert_eq!(
        (&body["sub"], &body["username"], &body["client_id"]),
        (&"alice".into(), &"alice".into(), &"cli".into())
    );
    assert_eq!((&body["iss"], &body["scope"]), (&"https://gate.example".into(), &"read write".into()));
    assert_eq!(body["exp"].as_u64().unwrap() - body["iat"].as_u64().unwrap(), 3600);
    assert_eq!((&body["nbf"], body["jti"].as_str().map(str::len)), (&body["iat"], Some(16)));
    let refresh = post(&endpoints, "/oauth2/introspect", &form(&pair["refresh_token"])).await;
    assert_eq!((&refresh.body["active"], refresh.body.get("token_type")), (&true.into(), None));
    let unknown = post(&endpoints, "/oauth2/introspect", &form(&"x".into())).await;
    assert_eq!(&unknown.response.body()[..], b"{\"active\":false}");
    let other = form(&pair["access_token"]).replace("billing", "reporter").replace("b-secret", "r-secret");
    assert_eq!(post(&endpoints, "/oauth2/introspect", &other).await.error(), (403, "unauthorized_client"));
    let own = post(&endpoints, "/oauth2/token", REPORTER).await.body;
    let own = post(&endpoints, "/oauth2/introspect", &form(&own["access_token"])).await;
    assert_eq!((own.body.get("sub"), own.body.get("username")), (None, None), "R6749-4.4b");
}

/// R7009-2.1f, R7009-2.2, R7009-2.1b
#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let endpoints = endpoints(HEADER).await;
    let pair = post(&endpoints, "/oauth2/token", ALICE).await.body;
    let token = pair["access_token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    assert_eq!(get(&endpoints, "/oauth2/tokeninfo", &[("authorization", &bearer)]).await.status, 200);
    let form = format!("client_id=cli&token={token}");
    let first = post(&endpoints, "/oauth2/revoke", &form).await;
    let answer = get(&endpoints, "/oauth2/tokeninfo", &[("authorization", &bearer)]).await;
    assert_eq!((first.status, answer.error()), (200, (401, "invalid_token")));
    let again = post(&endpoints, "/oauth2/revoke", &form).await;
    assert_eq!((again.status, again.response.body()), (200, first.response.body()));
    assert_eq!(post(&endpoints, "/oauth2/revoke", "client_id=cli").await.error(), (400, "invalid_request"));
}

/// R6750-3a, R6750-3b, R6750-3.1a, R6750-2.1b, R6750-2.1c
#[tokio::test]
async fn token_information_is_a_protected_resource() {
    let endpoints = endpoints(HEADER).await;
    let bare = get(&endpoints, "/oauth2/tokeninfo", &[]).await;
    let challenge = bare.field("www-authenticate").unwrap();
    assert_eq!(bare.status, 401);
    assert!(challenge.starts_with("Bearer ") && challenge.contains("realm=\"notes\""), "{challenge}");
    assert!(!challenge.contains("error"), "{challenge}");
    let metadata = "resource_metadata=\"https://gate.example/.well-known/oauth-protected-resource\"";
    assert!(challenge.contains(metadata), "{challenge}");
    for (fields, status, error) in [
        (vec![("authorization", "Bearer unheard-of")], 401, "invalid_token"),
        (vec![("authorization", "Bearer a b")], 400, "invalid_request"),
        (vec![("authorization", "Bearer a"), ("authorization", "Bearer a")], 400, "invalid_request"),
    ] {
        let answer = get(&endpoints, "/oauth2/tokeninfo", &fields).await;
        assert_eq!(answer.error(), (status, error), "{fields:?}");
        let challenge = answer.field("www-authenticate").unwrap();
        assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
    }
    assert_eq!(get(&endpoints, "/oauth2/tokeninfo", &[("authorization", "Basic YTpi")]).await.status, 401);
}

/// R6750-2, R6750-2.3a, R6750-2.3b
#[tokio::test]
async fn token_information_tells_about_the_token() {
    let endpoints = endpoints(ALL).await;
    let pair = post(&endpoints, "/oauth2/token", ALICE).await.body;
    let token = pair["access_token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let answer = get(&endpoints, "/oauth2/tokeninfo", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")));
    assert_eq!(answer.body["scope"], serde_json::json!(["read", "write"]));
    assert_eq!((&answer.body["client_id"], &answer.body["sub"]), (&"cli".into(), &"alice".into()));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert!((3590..=3600).contains(&answer.body["expires_in"].as_u64().unwrap()));
    let uri = format!("/oauth2/tokeninfo?access_token={token}");
    assert_eq!(get(&endpoints, &uri, &[]).await.status, 200);
    assert_eq!(get(&endpoints, &uri, &[("authorization", &bearer)]).await.error(), (400, "invalid_request"));
    let own = post(&endpoints, "/oauth2/token", REPORTER).await.body;
    let bearer = format!("bearer {}", own["access_token"].as_str().unwrap());
    let answer = get(&endpoints, "/oauth2/tokeninfo", &[("authorization", &bearer)]).await;
    assert_eq!((answer.status, answer.body.get("sub")), (200, None));
}

/// A scope that a reload took away is told by neither endpoint.
#[tokio::test]
async fn a_scope_that_no_longer_exists_is_not_told() {
    let stage = Stage::new().await;
    let token = Token::mint(TokenKind::Access, &stage.store.tag_keys().unwrap()).unwrap();
    let now = clock::now();
    let record = TokenRecord {
        client_id: "cli".into(),
        client_origin: Origin::Configuration,
        subject: None,
        subject_origin: Origin::Configuration,
        scope: "gone read".into(),
        audience: Vec::new(),
        issued_at: now,
        expires_at: now.plus(Duration::from_mins(1)),
        grant: None,
    };
    let issue = Issue { access: (token.digest(), record), refresh: None, registration: None };
    assert_eq!(stage.store.issue(issue).await.unwrap(), Issued::Done);
    let endpoints = over(stage, HEADER);
    let text = token.secret().reveal();
    let bearer = format!("Bearer {text}");
    let told = get(&endpoints, "/oauth2/tokeninfo", &[("authorization", &bearer)]).await;
    assert_eq!(told.body["scope"], serde_json::json!(["read"]));
    let form = format!("client_id=billing&client_secret=b-secret&token={text}");
    assert_eq!(post(&endpoints, "/oauth2/introspect", &form).await.body["scope"], "read");
}

/// R6750-2.3a
#[tokio::test]
async fn a_token_in_a_query_is_none_where_that_is_off() {
    let endpoints = endpoints(HEADER).await;
    let pair = post(&endpoints, "/oauth2/token", ALICE).await.body;
    let uri = format!("/oauth2/tokeninfo?access_token={}", pair["access_token"].as_str().unwrap());
    let answer = get(&endpoints, &uri, &[]).await;
    assert_eq!(answer.status, 401);
    assert!(!answer.field("www-authenticate").unwrap().contains("error"));
}

/// R8414-3a, R9728-3a, R9728-2a, R9728-2b
#[tokio::test]
async fn metadata_is_for_everybody() {
    let endpoints = endpoints(ALL).await;
    let server = get(&endpoints, "/.well-known/oauth-authorization-server", &[]).await;
    assert_eq!((server.status, server.field("content-type")), (200, Some("application/json")));
    assert_eq!(server.body["token_endpoint"], "https://gate.example/oauth2/token");
    let resource = get(&endpoints, "/.well-known/oauth-protected-resource", &[]).await;
    assert_eq!((resource.status, &resource.body["resource"]), (200, &"https://gate.example".into()));
    assert_eq!(resource.body["authorization_servers"], serde_json::json!(["https://gate.example"]));
    assert_eq!(resource.body["bearer_methods_supported"], serde_json::json!(["header", "body", "query"]));
    assert_eq!(resource.body["scopes_supported"], serde_json::json!(["write", "read", "other"]));
    let head = send(&endpoints, Method::HEAD, "/.well-known/oauth-authorization-server", &[], "").await;
    let length = head.response.body().len();
    assert_eq!((head.status, length), (200, server.response.body().len()), "the connection leaves the content out");
}

/// R8414-7, R9728-3c, R8414-3b
#[tokio::test]
async fn nothing_else_below_the_prefixes_is_there() {
    let endpoints = endpoints(HEADER).await;
    for uri in [
        "/oauth2",
        "/oauth2/",
        "/oauth2/authorise",
        "/oauth2/token/x",
        "/.well-known/oauth-authorization-server/x",
        "/.well-known/oauth-protected-resource/notes",
    ] {
        assert!(endpoints.owns(uri), "{uri}");
        assert_eq!(get(&endpoints, uri, &[]).await.error(), (404, "not_found"), "{uri}");
    }
    assert!(!endpoints.owns("/notes") && !endpoints.owns("/oauth2x"));
}

/// TOK-8: what `expires_in` promises is enforced to the second.
#[tokio::test]
async fn an_expired_token_is_refused() {
    let endpoints = endpoints(HEADER).await;
    let pair = post(&endpoints, "/oauth2/token", ALICE).await.body;
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap());
    let request = Request::get("/oauth2/tokeninfo").header("authorization", bearer).body(Bytes::new()).unwrap();
    let later = clock::now().plus(Duration::from_secs(3601));
    assert_eq!(endpoints.token_info(&request, later).await.status(), 401);
}
