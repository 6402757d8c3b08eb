//! Requests to the operator's API over a store in memory.

mod grants;

use super::*;
use crate::enforce::guard::{self, GuardSettings};
use crate::issue::{FailedLogins, Throttle};
use crate::oauth::client::{Client, GrantType};
use crate::oauth::resource::Resources;
use crate::oauth::scope::{ScopeDeclaration, ScopeTable};
use crate::oauth::token::Origin;
use crate::people::users::{User, Users};
use crate::store::cache::{CacheSettings, TokenCache};
use crate::store::{Listener, Location};
use serde_json::{Value, json as value};
use std::time::Duration;

struct Everybody;

impl guard::Directory for Everybody {
    fn has_client(&self, _: &str) -> bool {
        true
    }

    fn has_user(&self, name: &str) -> bool {
        name == "alice"
    }

    fn has_provided(&self, _: &str) -> bool {
        false
    }
}

fn scopes() -> Arc<ScopeTable> {
    let declared = ["notes:read", "notes:write", SCOPE].map(|name| ScopeDeclaration {
        name: name.parse().unwrap(),
        text: String::new(),
        implies: crate::oauth::scope::Scope::default(),
        restricted: false,
    });
    Arc::new(ScopeTable::new(declared.to_vec()).unwrap())
}

fn configured() -> Clients {
    Clients::new(vec![Client {
        id: "reporter".to_owned(),
        name: None,
        secrets: Vec::new(),
        grants: vec![GrantType::Password],
        redirect_uris: Vec::new(),
        scopes: "notes:read".parse().unwrap(),
        default_scopes: None,
        registration: None,
        ..Client::default()
    }])
}

fn admin() -> Admin {
    over(Location::Memory)
}

fn over(location: Location) -> Admin {
    let settings =
        crate::store::Settings { location, timeout: Duration::from_secs(1), feed_timeout: Duration::from_secs(2) };
    let store = Store::new(&settings).unwrap();
    let cache = TokenCache::new(CacheSettings { max_size: 1 << 20, ttl: Duration::from_secs(60) });
    store.listen(Arc::clone(&cache) as Arc<dyn Listener>);
    let guard = GuardSettings { generation: 1, serve_cached: false };
    let resources = Arc::new(Resources::gateway("http://127.0.0.1", vec!["header"]));
    let guard = Guard::new(store.clone(), cache, scopes(), Arc::clone(&resources), Arc::new(Everybody), guard);
    let settings = crate::issue::Settings {
        issuer: "http://127.0.0.1".to_owned(),
        path: "/oauth2".to_owned(),
        resources: Arc::clone(&resources),
        access_token_ttl: Duration::from_secs(3600),
        refresh_token_ttl: Duration::from_secs(86_400),
        refresh_reuse_grace: Duration::from_secs(10),
        authorization_code_ttl: Duration::from_secs(60),
        device: None,
        failed_logins: FailedLogins { max: 10, per: Duration::from_secs(60) },
        registration: crate::issue::tests::registration(crate::issue::Admission::Token),
        par_required: false,
    };
    let alice =
        User { name: "alice".to_owned(), password_hash: String::new(), scopes: None, origin: Origin::Configuration };
    let (clients, users) = (Arc::new(configured()), Arc::new(Users::new(vec![alice])));
    let throttle = Arc::new(Throttle::new());
    let directory = Directory::new(users, store.clone());
    let issuer =
        Issuer::new(Arc::new(settings), Arc::clone(&clients), directory.clone(), scopes(), store.clone(), throttle);
    Admin::new(store, issuer, guard, clients, directory)
}

/// A request as the command line sends it.
fn request(method: &str, path: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    Request::builder().method(method).uri(path).header("content-type", "application/json").body(body).unwrap()
}

async fn call(admin: &Admin, method: &str, path: &str, body: Value) -> (u16, Value) {
    let response = admin.handle(request(method, path, &body), Transport::Private).await;
    let answer = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), answer)
}

async fn issue(admin: &Admin, scope: &str) -> (String, String) {
    let order = value!({ "client": "reporter", "subject": "alice", "scope": scope });
    let (status, answer) = call(admin, "POST", "/tokens", order).await;
    assert_eq!(status, 201, "{answer}");
    (answer["token"].as_str().unwrap().to_owned(), answer["id"].as_str().unwrap().to_owned())
}

/// TOK-6
#[tokio::test]
async fn a_token_is_issued_inspected_listed_and_revoked_and_shown_once() {
    let admin = admin();
    let (token, id) = issue(&admin, "notes:read").await;
    let (status, inspected) = call(&admin, "POST", "/tokens/inspect", value!({ "token": token })).await;
    assert_eq!((status, inspected["client"].as_str()), (200, Some("reporter")));
    assert_eq!(inspected, call(&admin, "GET", &format!("/tokens/{id}"), Value::Null).await.1);
    let (_, listed) = call(&admin, "GET", "/tokens?subject=alice", Value::Null).await;
    assert_eq!(listed["tokens"][0]["id"], id.as_str());
    assert!(![&inspected, &listed].iter().any(|answer| answer.to_string().contains(&token[4..])));
    assert_eq!(call(&admin, "POST", "/tokens/revoke", value!({ "token": token })).await.0, 200);
    assert_eq!(call(&admin, "POST", "/tokens/revoke", value!({ "token": token })).await.0, 404);
    assert_eq!(call(&admin, "POST", "/tokens/inspect", value!({ "token": token })).await.0, 404);
}

#[tokio::test]
async fn an_order_for_nobody_or_nothing_is_refused() {
    let admin = admin();
    for (order, status) in [
        (value!({ "client": "nobody" }), 404),
        (value!({ "client": "reporter", "subject": "nobody" }), 404),
        (value!({ "client": "reporter", "scope": "nothing:known" }), 400),
        (value!({ "client": "reporter", "scope": "" }), 400),
        (value!({ "client": "reporter", "ttl": 0 }), 400),
        (value!({ "client": "reporter", "tll": 10 }), 400),
        (value!({}), 400),
    ] {
        assert_eq!(call(&admin, "POST", "/tokens", order.clone()).await.0, status, "{order}");
    }
}

/// Hazards section 1, line 40
#[tokio::test]
async fn a_listing_is_read_page_by_page_with_nothing_but_the_last_identifier() {
    let admin = admin();
    let mut issued = Vec::new();
    for _ in 0..7 {
        issued.push(issue(&admin, "notes:read").await.1);
    }
    issued.sort();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = call(&admin, "GET", &format!("/tokens?limit=3{after}"), Value::Null).await;
        assert_eq!(status, 200);
        seen.extend(page["tokens"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, issued);
    for wrong in ["?after=x", "?after=tga_x", "?limit=0", "?limit=100000", "?clinet=a", "?limit=1&limit=2"] {
        assert_eq!(call(&admin, "GET", &format!("/tokens{wrong}"), Value::Null).await.0, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_revocation_names_a_token_or_whose() {
    let admin = admin();
    let (_, id) = issue(&admin, "notes:read").await;
    issue(&admin, "notes:read").await;
    assert_eq!(call(&admin, "DELETE", &format!("/tokens/{id}"), Value::Null).await.0, 200);
    for wrong in [value!({}), value!({ "token": id, "client": "a" }), value!({ "token": "hunter2" })] {
        assert_eq!(call(&admin, "POST", "/tokens/revoke", wrong.clone()).await.0, 400, "{wrong}");
    }
    let (_, listed) = call(&admin, "GET", "/tokens?subject=ALICE", Value::Null).await;
    assert!(!listed["tokens"].as_array().unwrap().is_empty(), "upper and lower case are one");
    let (_, answer) = call(&admin, "POST", "/tokens/revoke", value!({ "subject": "Alice" })).await;
    assert_eq!(answer["revoked"], 1);
}

/// TOK-7, TOK-13
#[tokio::test]
async fn a_client_is_made_with_a_secret_shown_once_and_removed_with_its_tokens() {
    let admin = admin();
    let new = value!({ "id": "robot", "grants": ["client_credentials"], "scopes": "notes:read" });
    let (status, made) = call(&admin, "POST", "/clients", new.clone()).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["secret"].as_str().unwrap().starts_with("tgs_"));
    assert_eq!(call(&admin, "POST", "/clients", new).await.0, 409);
    let (_, listed) = call(&admin, "GET", "/clients", Value::Null).await;
    let origins: Vec<_> =
        listed["clients"].as_array().unwrap().iter().map(|client| client["origin"].as_str()).collect();
    assert_eq!(origins, [Some("configuration"), Some("store")]);
    for hidden in ["secret", "secret_hash"] {
        assert!(!listed.to_string().contains(made[hidden].as_str().unwrap()), "{listed}");
    }
    let (_, issued) = call(&admin, "POST", "/tokens", value!({ "client": "robot" })).await;
    assert_eq!(call(&admin, "DELETE", "/clients/robot", Value::Null).await.0, 200);
    let token = value!({ "token": issued["token"] });
    assert_eq!(call(&admin, "POST", "/tokens/inspect", token).await.0, 404);
    assert_eq!(call(&admin, "DELETE", "/clients/robot", Value::Null).await.0, 404);
    assert_eq!(call(&admin, "DELETE", "/clients/reporter", Value::Null).await.0, 409);
}

#[tokio::test]
async fn a_client_that_could_not_work_is_refused() {
    let admin = admin();
    for wrong in [
        value!({ "id": "" }),
        value!({ "id": "ü" }),
        value!({ "id": "reporter" }),
        value!({ "id": "a", "grants": ["implicit"] }),
        value!({ "id": "a", "scopes": "nothing:known" }),
        value!({ "id": "a", "scopes": "notes:read", "default_scopes": "notes:write" }),
        value!({ "id": "a", "public": true, "grants": ["client_credentials"] }),
        value!({ "id": "a", "public": true, "introspect": true }),
        value!({ "id": "a", "grants": ["authorization_code"] }),
        value!({ "id": "a", "redirect_uris": ["https://good@evil.example/"] }),
        value!({ "id": "a", "redirect_uris": ["https://a.example/#x"] }),
        value!({ "id": "a", "redirect_uris": ["javascript:x"] }),
        value!({ "id": "a", "redirect_uris": ["http://app.example/cb"] }),
        value!({ "id": "a", "redirect_uris": ["https://app.example/cb?code=1"] }),
        value!({ "id": "a", "secret": "mine" }),
    ] {
        let (status, answer) = call(&admin, "POST", "/clients", wrong.clone()).await;
        assert!(status == 400 || status == 409, "{wrong}: {answer}");
    }
}

/// TOK-6: URLs end up in logs.
#[tokio::test]
async fn tokens_do_not_stand_in_urls() {
    let admin = admin();
    let (token, _) = issue(&admin, "notes:read").await;
    for method in ["GET", "DELETE"] {
        let (status, answer) = call(&admin, method, &format!("/tokens/{token}"), Value::Null).await;
        assert_eq!(status, 400);
        assert!(!answer.to_string().contains(&token[4..]));
    }
}

#[tokio::test]
async fn web_pages_are_not_answered() {
    let admin = admin();
    let order = value!({ "client": "reporter" });
    let answers = async |name: &'static str, field: &'static str| {
        let mut request = request("POST", "/tokens", &order);
        request.headers_mut().insert(name, http::HeaderValue::from_static(field));
        admin.handle(request, Transport::Private).await.status().as_u16()
    };
    assert_eq!(answers("origin", "https://evil.example").await, 403);
    assert_eq!(answers("sec-fetch-site", "cross-site").await, 403);
    assert_eq!(answers("content-type", "text/plain").await, 415);
    assert_eq!(answers("content-type", "Application/JSON; charset=utf-8").await, 201);
}

#[tokio::test]
async fn over_tcp_a_token_with_the_scope_is_demanded() {
    let admin = admin();
    let (operator, reader) = (issue(&admin, SCOPE).await.0, issue(&admin, "notes:read").await.0);
    let other = if operator.ends_with('x') { 'y' } else { 'x' };
    for (field, status) in [
        (None, 401),
        (Some("Basic YTpi".to_owned()), 401),
        (Some(format!("Bearer {}{other}", &operator[..54])), 401),
        (Some(format!("Bearer {reader}")), 403),
        (Some(format!("Bearer {operator}")), 200),
    ] {
        let mut request = request("GET", "/users", &Value::Null);
        if let Some(field) = &field {
            request.headers_mut().insert("authorization", field.parse().unwrap());
        }
        let response = admin.handle(request, Transport::Tcp).await;
        assert_eq!(response.status().as_u16(), status, "{field:?}");
        assert_eq!(response.headers().contains_key("www-authenticate"), status != 200);
    }
}

/// Where the store is, is for operators: whoever has not shown to be one is told that it is out.
#[tokio::test]
async fn a_stranger_is_not_told_where_the_store_is() {
    let admin = over(Location::redis("redis://127.0.0.1:1/0").unwrap());
    let field = format!("Bearer tga_{}", "0".repeat(51));
    for (transport, told) in [(Transport::Tcp, false), (Transport::Private, true)] {
        let mut request = request("GET", "/tokens", &Value::Null);
        request.headers_mut().insert("authorization", field.parse().unwrap());
        let response = admin.handle(request, transport).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        let text = String::from_utf8_lossy(response.body());
        assert_eq!(text.contains("the store cannot be used"), told, "{text}");
    }
}

/// A variable of a shell that is empty must not widen what is revoked.
#[tokio::test]
async fn a_revocation_of_nobodys_tokens_is_refused() {
    let admin = admin();
    let (token, _) = issue(&admin, "notes:read").await;
    for nobody in [
        value!({ "client": "", "subject": "alice" }),
        value!({ "client": "reporter", "subject": "" }),
        value!({ "client": "" }),
        value!({ "subject": "" }),
        value!({}),
    ] {
        assert_eq!(call(&admin, "POST", "/tokens/revoke", nobody.clone()).await.0, 400, "{nobody}");
    }
    assert_eq!(call(&admin, "POST", "/tokens/inspect", value!({ "token": token })).await.0, 200);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let admin = admin();
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/tokens/", 400),
        ("PUT", "/tokens", 405),
        ("PUT", "/clients/robot", 405),
        ("GET", "/clients/robot/disable", 405),
        ("GET", "/invites", 405),
        ("PUT", "/users", 405),
        ("GET", "/users/alice", 405),
        ("GET", "/users/alice/enable", 405),
        ("POST", "/users/alice/nothing", 404),
        ("POST", "/users", 400),
        ("GET", "/healthz", 200),
        ("GET", "/users", 200),
    ] {
        assert_eq!(call(&admin, method, path, Value::Null).await.0, status, "{method} {path}");
    }
}

async fn robot(admin: &Admin) -> String {
    let new = value!({ "id": "robot", "grants": ["client_credentials"], "scopes": "notes:read" });
    call(admin, "POST", "/clients", new).await.1["secret_hash"].as_str().unwrap().to_owned()
}

/// TOK-7
#[tokio::test]
async fn two_secrets_are_valid_at_once_and_never_three() {
    let admin = admin();
    let first = robot(&admin).await;
    let rotate = async |body| call(&admin, "POST", "/clients/robot/rotate", body).await;
    let secrets = async || admin.store.client("robot").await.unwrap().unwrap().secrets;
    let (status, second) = rotate(value!({})).await;
    assert_eq!((status, &second["secrets"], &second["old_secret_expires_at"]), (200, &value!(2), &Value::Null));
    assert!(second["secret"].as_str().unwrap().starts_with("tgs_"));
    assert_eq!(secrets().await, [second["secret_hash"].as_str().unwrap(), &first]);
    let (_, third) = rotate(value!({ "expire_old": 3600 })).await;
    assert!(third["old_secret_expires_at"].as_u64().is_some_and(|at| at > crate::clock::now().as_secs()));
    assert_eq!(secrets().await, [third["secret_hash"].as_str().unwrap(), second["secret_hash"].as_str().unwrap()]);
    let (_, finished) = rotate(value!({ "finish": true })).await;
    assert_eq!((&finished["secret"], &finished["secrets"]), (&Value::Null, &value!(1)));
    assert_eq!(secrets().await, [third["secret_hash"].as_str().unwrap()]);
    let (_, last) = rotate(value!({ "expire_old": 0 })).await;
    assert_eq!(secrets().await, [last["secret_hash"].as_str().unwrap()]);
    assert_eq!(rotate(value!({ "finish": true, "expire_old": 1 })).await.0, 400);
    assert_eq!(rotate(value!({ "expire": 1 })).await.0, 400);
    assert_eq!(call(&admin, "POST", "/clients/reporter/rotate", value!({})).await.0, 409, "of the configuration");
    assert_eq!(call(&admin, "POST", "/clients/nobody/rotate", value!({})).await.0, 404);
    let public = value!({ "id": "app", "public": true, "grants": ["password"], "scopes": "notes:read" });
    call(&admin, "POST", "/clients", public).await;
    assert_eq!(call(&admin, "POST", "/clients/app/rotate", value!({})).await.0, 409);
}

/// TOK-13
#[tokio::test]
async fn a_disabled_client_has_no_token_and_gets_none_until_it_is_enabled() {
    let admin = admin();
    robot(&admin).await;
    let token = async || call(&admin, "POST", "/tokens", value!({ "client": "robot" })).await;
    let (_, issued) = token().await;
    assert_eq!(call(&admin, "POST", "/clients/robot/disable", value!({})).await.0, 200);
    assert_eq!(call(&admin, "POST", "/tokens/inspect", value!({ "token": issued["token"] })).await.0, 404);
    assert_eq!(token().await.0, 404);
    let (_, shown) = call(&admin, "GET", "/clients/robot", Value::Null).await;
    assert_eq!((&shown["state"], &shown["unverified"]), (&value!("disabled"), &value!(false)));
    assert_eq!(call(&admin, "POST", "/clients/robot/disable", value!({})).await.0, 200, "again ends what is left");
    assert_eq!(call(&admin, "POST", "/clients/robot/enable", value!({})).await.0, 200);
    assert_eq!(token().await.0, 201);
    assert_eq!(call(&admin, "POST", "/tokens/inspect", value!({ "token": issued["token"] })).await.0, 404);
    for deed in ["disable", "enable"] {
        assert_eq!(call(&admin, "POST", &format!("/clients/reporter/{deed}"), value!({})).await.0, 409);
        assert_eq!(call(&admin, "POST", &format!("/clients/nobody/{deed}"), value!({})).await.0, 404);
    }
    assert_eq!(call(&admin, "GET", "/clients/reporter", Value::Null).await.1["origin"], "configuration");
    assert_eq!(call(&admin, "GET", "/clients/nobody", Value::Null).await.0, 404);
}

/// R7591-3b
#[tokio::test]
async fn an_invitation_is_a_token_with_an_end() {
    let admin = admin();
    let (status, made) = call(&admin, "POST", "/invites", value!({ "ttl": 60, "uses": 2 })).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["token"].as_str().unwrap().starts_with("tgi_"));
    assert_eq!(made["uses"], 2);
    for wrong in [value!({ "ttl": 0 }), value!({ "uses": 0 }), value!({ "uses": 1_000_000 }), value!({ "use": 1 })] {
        assert_eq!(call(&admin, "POST", "/invites", wrong).await.0, 400);
    }
}

fn names(answer: &Value) -> Vec<&str> {
    answer["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect()
}

/// UI-8, R6749-4.3c
#[tokio::test]
async fn a_user_is_added_listed_and_removed_and_its_password_never_shown() {
    let admin = admin();
    let carol = value!({ "name": "Carol", "password": "open sesame", "scopes": "notes:read" });
    assert_eq!(call(&admin, "POST", "/users", carol.clone()).await, (201, value!({ "name": "Carol" })));
    assert_eq!(call(&admin, "POST", "/users", carol).await.0, 409);
    let (status, listed) = call(&admin, "GET", "/users", Value::Null).await;
    assert_eq!((status, names(&listed)), (200, vec!["Carol", "alice"]));
    assert_eq!(listed["users"][0]["scopes"], "notes:read");
    assert_eq!(listed["users"][1]["origin"], "configuration");
    assert!(!listed.to_string().contains("argon2id"));
    assert_eq!(call(&admin, "DELETE", "/users/carol", Value::Null).await.0, 200);
    assert_eq!(call(&admin, "DELETE", "/users/carol", Value::Null).await.0, 404);
    assert_eq!(names(&call(&admin, "GET", "/users", Value::Null).await.1), ["alice"]);
}

#[tokio::test]
async fn a_user_that_cannot_be_is_refused() {
    let admin = admin();
    for (body, status) in [
        (value!({ "name": "a", "password": "" }), 400),
        (value!({ "name": "a", "password": "x".repeat(4097) }), 400),
        (value!({ "name": " a", "password": "x" }), 400),
        (value!({ "name": "a", "password": "hunter2", "scopes": "nope" }), 400),
        (value!({ "name": "a", "password": "hunter2", "admin": true }), 400),
        (value!({ "name": "ALICE", "password": "hunter2" }), 409),
    ] {
        let (answered, answer) = call(&admin, "POST", "/users", body).await;
        assert!(answered == status && !answer.to_string().contains("hunter2"), "{answer}");
    }
    for path in ["/users/alice/disable", "/users/alice/enable"] {
        assert_eq!(call(&admin, "POST", path, Value::Null).await.0, 409);
    }
    assert_eq!(call(&admin, "POST", "/users/alice/password", value!({ "password": "x" })).await.0, 409);
    assert_eq!(call(&admin, "DELETE", "/users/alice", Value::Null).await.0, 409);
    assert_eq!(call(&admin, "POST", "/users/nobody/enable", Value::Null).await.0, 404);
}

/// Hazards, line 35
#[tokio::test]
async fn what_a_user_has_ends_when_it_is_disabled_or_removed() {
    let admin = admin();
    for deed in [("POST", "/users/carol/disable"), ("DELETE", "/users/carol")] {
        let carol = value!({ "name": "Carol", "password": "open sesame" });
        call(&admin, "POST", "/users", carol).await;
        call(&admin, "POST", "/users/carol/enable", Value::Null).await;
        let order = value!({ "client": "reporter", "subject": "CAROL", "scope": "notes:read" });
        let (status, issued) = call(&admin, "POST", "/tokens", order.clone()).await;
        assert_eq!((status, issued["subject"].as_str()), (201, Some("Carol")));
        let path = format!("/tokens/{}", issued["id"].as_str().unwrap());
        assert_eq!(call(&admin, "GET", &path, Value::Null).await.0, 200);
        assert_eq!(call(&admin, deed.0, deed.1, Value::Null).await.0, 200);
        assert_eq!(call(&admin, "GET", &path, Value::Null).await.0, 404, "{deed:?}");
        assert_eq!(call(&admin, "POST", "/tokens", order).await.0, 404, "{deed:?}");
    }
}
